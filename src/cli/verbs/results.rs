//! `batchmill results`: the results of a step.

use crate::cli::args::RunSelector;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::lookup::step_named;
use crate::cli::stdout::{DataWriter, written};
use crate::ledger::StepRecord;
use crate::spec::Workflow;
use crate::text::Printable;
use clap::Args;
use std::io::Write;

/// Arguments of `results`.
#[derive(Debug, Args)]
pub struct ResultsArgs {
    #[command(flatten)]
    run: RunSelector,
    /// Step to print; by default the last one that ran, not counting `on_failure` and `finally`
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
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
        let mut data = DataWriter::new();
        written(reader.open_step(step.clone()).results()?.copy_to(&mut data)?.and_then(|()| data.flush()))?;
        Ok(Exit::Done)
    }
}

/// Whether this step is `on_failure` or `finally`, whose result must be requested by name.
fn is_closing(step: &StepRecord) -> bool {
    matches!(step.name.as_str(), Workflow::ON_FAILURE | Workflow::FINALLY)
}
