//! The list of runs.

use crate::cli::args::{Format, StateArgs};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::lookup::unreadable_run;
use crate::cli::stderr::tell;
use crate::cli::stdout::{print, print_json};
use crate::cli::table::Table;
use crate::explain::RunStatus;
use crate::ledger::{LedgerError, Reader, RunFolder, RunRecord};
use crate::model::{RunId, Status};
use crate::report::{StepWords, duration, number};
use crate::text::Printable;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A run, and how many of its items are done.
struct Run {
    id: RunId,
    record: RunRecord,
    succeeded: u64,
    failed: u64,
    /// The running step, and how far it is.
    progress: Option<StepWords>,
    took: Option<Duration>,
}

impl Run {
    fn read(folder: RunFolder) -> Result<Self, LedgerError> {
        let id = folder.run.clone();
        let reader = Reader::open(folder)?;
        let (record, steps) = (reader.run()?, reader.steps()?);
        let under_way = if record.status == Status::Running { Some(RunStatus::read(&reader)?) } else { None };
        let note = under_way.as_ref().and_then(|_| reader.folder().read_note());
        let took = record.finished.map(|finished| finished.saturating_sub(record.started));
        let took = took.and_then(|took| u64::try_from(took).ok()).map(Duration::from_millis);
        Ok(Self {
            id,
            progress: under_way.as_ref().and_then(|status| status.under_way(note.as_deref()).words()),
            took: under_way.as_ref().map(RunStatus::took).or(took),
            record,
            succeeded: steps.iter().map(|step| step.stats.succeeded).fold(0, u64::saturating_add),
            failed: steps.iter().map(|step| step.stats.failed).fold(0, u64::saturating_add),
        })
    }

    /// The parameters that were given, secrets masked.
    fn params(&self) -> Map<String, Value> {
        let read = |json: &str| serde_json::from_str::<Map<String, Value>>(json).unwrap_or_default();
        let given = self.record.given.as_deref().map(read).unwrap_or_default();
        read(&self.record.params).into_iter().filter(|(name, _)| given.contains_key(name)).collect()
    }

    fn progress(&self) -> String {
        let Some(StepWords { name, facts, .. }) = &self.progress else { return String::new() };
        format!("{name} {}", facts.join(" "))
    }

    fn to_json(&self) -> Value {
        let run = &self.record;
        json!({
            "run_id": self.id, "workflow": run.workflow, "path": run.path, "status": run.status, "started": run.started,
            "finished": run.finished, "duration": self.took.map(|took| took.as_secs_f64()), "succeeded": self.succeeded,
            "failed": self.failed, "params": self.params(),
            "step": self.progress.as_ref().map(|step| &step.name),
            "percent": self.progress.as_ref().and_then(|step| step.percent),
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

/// A string as it is, any other value as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn to_text(runs: &[Run]) -> String {
    let headings = ["run", "workflow", "params", "status", "duration", "done", "failed", "step"];
    let mut table = Table::new(headings).wrap("params");
    for run in runs {
        let status = serde_json::to_value(run.record.status).ok();
        let status = status.and_then(|status| status.as_str().map(str::to_owned)).unwrap_or_default();
        let took = run.took.map_or(String::new(), duration);
        let (succeeded, failed) = (number(run.succeeded), number(run.failed));
        let workflow = run.record.workflow.clone();
        let params: Vec<String> = run.params().iter().map(|(name, value)| format!("{name}={}", plain(value))).collect();
        let cells = [run.id.0.clone(), workflow, params.join(" "), status, took, succeeded, failed, run.progress()];
        table.row(cells.map(Printable::from));
    }
    // Most runs have neither.
    table.without_empty(&["params", "step"]).to_string()
}
