//! `batchmill results`: the results of a step.

use crate::cli::args::RunSelector;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::lookup::step_named;
use crate::cli::stdout::{DataWriter, print_json, written};
use crate::ledger::StepRecord;
use crate::spec::Workflow;
use crate::text::Printable;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::io::Write;

/// Arguments of `results`.
#[derive(Debug, Args)]
pub struct ResultsArgs {
    #[command(flatten)]
    run: RunSelector,
    /// Step to print; by default the last one that ran, not counting `on_failure` and `finally`
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    /// What to print
    #[arg(long, value_enum, default_value_t = What::Lines)]
    format: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// The results as JSON Lines
    Lines,
    /// One JSON object: a file with these lines, and how many it has
    File,
    /// The aggregate as JSON; `null` if there is none
    Aggregate,
}

impl ResultsArgs {
    /// Prints the results.
    pub fn run(self) -> Result<Exit, CliError> {
        let reader = self.run.open()?;
        reader.check()?;
        let steps = reader.steps()?;
        let step = match &self.step {
            Some(name) => step_named(&steps, name)?,
            None => steps.iter().rev().find(|step| !is_closing(step)).or(steps.last()).ok_or_else(|| {
                CliError::bad(format!("run `{}` has not started any step", Printable::line(&reader.folder().run.0)))
            })?,
        };
        let step = reader.open_step(step.clone());
        match self.format {
            What::Lines => {
                let mut data = DataWriter::new();
                written(step.results()?.copy_to(&mut data)?.and_then(|()| data.flush()))?;
            }
            What::File => {
                let file = step.sorted_results()?;
                print_json(&json!({ "path": file.path, "count": file.count }))?;
            }
            What::Aggregate => print_json(&step.aggregate(None)?)?,
        }
        Ok(Exit::Done)
    }
}

/// Whether this step is `on_failure` or `finally`, whose result must be requested by name.
fn is_closing(step: &StepRecord) -> bool {
    matches!(step.name.as_str(), Workflow::ON_FAILURE | Workflow::FINALLY)
}
