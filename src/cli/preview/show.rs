//! Which preview is shown: of a new run, or of a resumed one.

use super::forecast::show_forecasts;
use super::json::to_json;
use super::steps::{RowCounts, plan_steps};
use super::text::to_text;
use crate::cli::args::{Format, StateArgs, WorkflowArgs};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::lookup::latest_run_of;
use crate::cli::prepare::{Overrides, absolute, load, options, prepare_again};
use crate::cli::stderr::tell;
use crate::cli::stdout::{print, print_json};
use crate::compile::{Options, prepare};
use crate::ledger::{Reader, RunFolder};
use crate::model::{Compare, RunId};
use crate::run::{find_baseline, forecast};

/// A preview to show.
pub struct Preview {
    /// The workflow.
    pub workflow: WorkflowArgs,
    /// Where runs are kept.
    pub state: StateArgs,
    /// Whether the latest run of the file would be resumed.
    pub resume: bool,
    /// How an incremental run would compare files, if that is what is shown.
    pub incremental: Option<Compare>,
    /// Whether the rows of files are counted.
    pub rows: RowCounts,
    /// The output format.
    pub format: Format,
}

impl Preview {
    /// Prints it.
    pub fn show(self) -> Result<Exit, CliError> {
        if self.resume {
            if let Some(folder) = latest_run_of(&self.workflow.file, &self.state.folder())? {
                let folder = RunFolder { path: absolute(&folder.path)?, ..folder };
                let prepared = prepare_again(&folder, Overrides::of(&self.workflow, &self.state)?)?;
                let reader = Reader::open(folder)?;
                let forecasts = forecast(&prepared, &reader);
                let forecasts = forecasts.map_err(|error| CliError::from(error).masked(&prepared.secrets))?;
                return show_forecasts(&prepared, &reader, &forecasts, self.format);
            }
            tell("this file has no run yet; everything would run");
        }
        let workflow = load(&self.workflow.file)?;
        let options = Options { incremental: self.incremental, ..options(&self.workflow, &self.state)? };
        let prepared = prepare(workflow, options)?;
        if self.incremental.is_some() {
            let state = self.state.folder();
            let none = state.run(RunId(String::new()));
            if let Some(folder) = find_baseline(&state, &self.workflow.file, &prepared.params_hash(), &none) {
                let reader = Reader::open(folder)?;
                let forecasts = forecast(&prepared, &reader);
                let forecasts = forecasts.map_err(|error| CliError::from(error).masked(&prepared.secrets))?;
                return show_forecasts(&prepared, &reader, &forecasts, self.format);
            }
            tell("no run of this file can serve as a baseline yet; everything would run");
        }
        let steps = plan_steps(&prepared, self.rows).map_err(|error| error.masked(&prepared.secrets))?;
        match self.format {
            Format::Text => print(to_text(&prepared, &steps))?,
            Format::Json => print_json(&to_json(&prepared, &steps))?,
        }
        Ok(Exit::Done)
    }
}
