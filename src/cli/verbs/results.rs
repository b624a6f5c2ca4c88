//! `batchmill results`: the results of a step.

use crate::cli::args::RunSelector;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::lookup::step_named;
use crate::cli::output::written;
use crate::ledger::StepRecord;
use crate::spec::Workflow;
use clap::Args;
use std::io;

/// Arguments of `results`.
#[derive(Debug, Args)]
pub struct ResultsArgs {
    #[command(flatten)]
    run: RunSelector,
    /// The step; by default the last one that ran, `on_failure` and `finally` left aside
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
            None => steps
                .iter()
                .rev()
                .find(|step| !is_closing(step))
                .or(steps.last())
                .ok_or_else(|| CliError::bad(format!("no step of run `{}` was started", reader.folder().run)))?,
        };
        written(reader.open_step(step.clone()).results()?.copy_to(&mut io::stdout().lock())?)?;
        Ok(Exit::Done)
    }
}

/// Whether it is what runs at the end of a run; its result is asked for by name.
fn is_closing(step: &StepRecord) -> bool {
    matches!(step.name.as_str(), Workflow::ON_FAILURE | Workflow::FINALLY)
}
