//! Which preview is shown: of a new run, or of one that goes on.

use super::forecast::show_forecasts;
use super::json::to_json;
use super::steps::{RowCounts, plan_steps};
use super::text::to_text;
use crate::cli::args::{Format, StateArgs, WorkflowArgs};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::lookup::latest_run_of;
use crate::cli::output::{print, print_json};
use crate::cli::prepare::{load, options};
use crate::compile::prepare;
use crate::ledger::Reader;
use crate::run::{ForecastError, forecast};

/// What is to be shown.
pub struct Preview {
    /// The workflow.
    pub workflow: WorkflowArgs,
    /// Where runs are kept.
    pub state: StateArgs,
    /// Whether the newest run of the file would go on.
    pub resume: bool,
    /// Whether the rows of files are counted.
    pub rows: RowCounts,
    /// What stdout gets.
    pub format: Format,
}

impl Preview {
    /// Prints it.
    pub fn show(self) -> Result<Exit, CliError> {
        let workflow = load(&self.workflow.file)?;
        let prepared = prepare(workflow, options(&self.workflow, &self.state)?)?;
        if self.resume {
            if let Some(folder) = latest_run_of(&self.workflow.file, &self.state.folder())? {
                let reader = Reader::open(folder)?;
                let forecasts = forecast(&prepared, &reader).map_err(no_forecast)?;
                return show_forecasts(&prepared, &reader, &forecasts, self.format);
            }
            eprintln!("there is no run of this file yet: all of it would run");
        }
        let steps = plan_steps(&prepared, self.rows)?;
        match self.format {
            Format::Text => print(&to_text(&prepared, &steps))?,
            Format::Json => print_json(&to_json(&prepared, &steps))?,
        }
        Ok(Exit::Done)
    }
}

fn no_forecast(error: ForecastError) -> CliError {
    match error {
        ForecastError::Ledger(error) => error.into(),
        error => CliError::bad(error.to_string()),
    }
}
