//! The list of runs.

use crate::cli::args::{Format, StateArgs};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::lookup::unreadable_run;
use crate::cli::stderr::tell;
use crate::cli::stdout::{print, print_json};
use crate::cli::table::Table;
use crate::ledger::{LedgerError, Reader, RunFolder, RunRecord};
use crate::model::RunId;
use crate::report::{duration, number};
use crate::text::Printable;
use serde_json::{Value, json};
use std::time::Duration;

/// A run, and how many of its items are done.
struct Run {
    id: RunId,
    record: RunRecord,
    succeeded: u64,
    failed: u64,
}

impl Run {
    fn read(folder: RunFolder) -> Result<Self, LedgerError> {
        let id = folder.run.clone();
        let reader = Reader::open(folder)?;
        let (record, steps) = (reader.run()?, reader.steps()?);
        Ok(Self {
            id,
            record,
            succeeded: steps.iter().map(|step| step.stats.succeeded).fold(0, u64::saturating_add),
            failed: steps.iter().map(|step| step.stats.failed).fold(0, u64::saturating_add),
        })
    }

    fn took(&self) -> Option<Duration> {
        let finished = self.record.finished?;
        u64::try_from(finished.saturating_sub(self.record.started)).ok().map(Duration::from_millis)
    }

    fn to_json(&self) -> Value {
        let run = &self.record;
        json!({
            "run_id": self.id, "workflow": run.workflow, "path": run.path, "status": run.status, "started": run.started,
            "finished": run.finished, "duration": self.took().map(|took| took.as_secs_f64()), "succeeded": self.succeeded,
            "failed": self.failed,
        })
    }
}

/// Prints all runs, the oldest first.
pub fn print_runs(state: &StateArgs, format: Format) -> Result<Exit, CliError> {
    let mut runs = Vec::new();
    for folder in state.folder().runs_by_age()? {
        // A run that was killed while its ledger was created, or that a newer version wrote, must not hide the others.
        let name = folder.run.clone();
        match Run::read(folder) {
            Ok(run) => runs.push(run),
            Err(error) => {
                tell(unreadable_run(&name, &error));
            }
        }
    }
    match format {
        Format::Json => print_json(&runs.iter().map(Run::to_json).collect::<Vec<_>>())?,
        Format::Text if runs.is_empty() => tell(format!("no runs in `{}`", Printable::path(&state.state_dir))),
        Format::Text => print(to_text(&runs))?,
    }
    Ok(Exit::Done)
}

fn to_text(runs: &[Run]) -> String {
    let mut table = Table::new(["run", "workflow", "status", "duration", "done", "failed"]).wrap("workflow");
    for run in runs {
        let status = serde_json::to_value(run.record.status).ok();
        let status = status.and_then(|status| status.as_str().map(str::to_owned)).unwrap_or_default();
        let took = run.took().map_or(String::new(), duration);
        let (succeeded, failed) = (number(run.succeeded), number(run.failed));
        let workflow = run.record.workflow.clone();
        table.row([run.id.0.clone(), workflow, status, took, succeeded, failed].map(Printable::from));
    }
    table.to_string()
}
