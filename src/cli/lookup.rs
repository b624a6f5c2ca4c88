//! Finding a run by its workflow file, a step by its name, and a failed item by its index or key.

use super::error::CliError;
use super::stderr::tell;
use crate::ledger::{FailureRecord, LedgerError, Reader, RunFolder, RunPlace, StateFolder, StepRecord, was_refused};
use crate::model::{Failure, RunId, Status, StepName};
use crate::text::Printable;
use std::error::Error;
use std::path::Path;

/// The latest run of a workflow file, if there is one.
pub fn latest_run_of(file: &Path, state: &StateFolder) -> Result<Option<RunFolder>, CliError> {
    let wanted = file.canonicalize().ok();
    for folder in state.runs_by_age()?.into_iter().rev() {
        let record = match Reader::open(folder.clone()).and_then(|reader| reader.run()) {
            Ok(record) => record,
            Err(error) => {
                // It may be the one that the user meant, so it is reported.
                tell(unreadable_run(&folder.run, &error));
                continue;
            }
        };
        let is_of_file = wanted.is_some() && RunPlace::of(&record, state).file().canonicalize().ok() == wanted;
        if is_of_file && !was_refused(&folder) {
            return Ok(Some(folder));
        }
    }
    Ok(None)
}

/// When a run of a workflow file last succeeded: milliseconds since 1970.
pub fn last_success_of(file: &Path, state: &StateFolder) -> Option<i64> {
    let wanted = file.canonicalize().ok()?;
    state.runs_by_age().ok()?.into_iter().rev().find_map(|folder| {
        let record = Reader::open(folder).and_then(|reader| reader.run()).ok()?;
        let succeeded = record.status == Status::Succeeded && record.finished.is_some();
        let same_file = succeeded && RunPlace::of(&record, state).file().canonicalize().is_ok_and(|it| it == wanted);
        record.finished.filter(|_| same_file)
    })
}

/// The step of that name.
pub fn step_named<'a>(steps: &'a [StepRecord], name: &str) -> Result<&'a StepRecord, CliError> {
    steps.iter().find(|step| step.name.as_str() == name).ok_or_else(|| {
        let names: Vec<String> = steps.iter().map(|step| format!("`{}`", step.name)).collect();
        let message = format!("the run has no step `{}`", Printable::line(name));
        CliError::bad(message).help(format!("its steps are {}", names.join(", ")))
    })
}

/// A failed item, and the step in which it failed.
pub struct FailedItem {
    /// The step.
    pub step: StepName,
    /// The item.
    pub record: FailureRecord,
}

/// The failed items of a run that match `name`, an index or the beginning of a key, in one step or in all.
pub fn failed_items(folder: &RunFolder, name: &str, step: Option<&str>) -> Result<Vec<FailedItem>, CliError> {
    let reader = Reader::open(folder.clone())?;
    let mut found = Vec::new();
    for record in reader.steps()? {
        if step.is_none_or(|step| step == record.name.as_str()) {
            let step = reader.open_step(record);
            let failures = step.failures_named(name)?.into_iter();
            found.extend(failures.map(|failure| FailedItem { step: step.record.name.clone(), record: failure }));
        }
    }
    Ok(found)
}

/// What stopped steps before an item failed, such as an error in `setup`; with `detail`, also the tracebacks.
pub fn stopped_steps(steps: &[StepRecord], detail: Detail) -> Vec<Printable> {
    let failures = steps.iter().filter(|step| step.status == Status::Failed && step.stats.failed == 0);
    let failures = failures.filter_map(|step| Some((&step.name, step.failure.as_ref()?)));
    let text = |(name, failure): (&StepName, &Failure)| {
        let text = format!("step `{name}` was stopped by {}: {}", failure.class, failure.message);
        match failure.detail.as_deref().filter(|_| detail == Detail::Shown) {
            Some(detail) => Printable::lines(format!("{text}\n{}", detail.trim_end())),
            None => Printable::line(text),
        }
    };
    failures.map(text).collect()
}

/// Whether tracebacks are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// They are.
    Shown,
    /// They are not.
    Hidden,
}

/// The error that the run has no such failed item.
pub fn no_failed_item(folder: &RunFolder, name: &str) -> CliError {
    let run = Printable::line(&folder.run.0);
    let error = CliError::bad(format!("run `{run}` has no failed item `{}`", Printable::line(name)));
    let steps = Reader::open(folder.clone()).and_then(|reader| reader.steps()).unwrap_or_default();
    if let Some(stopped) = stopped_steps(&steps, Detail::Hidden).first() {
        return error.help(format!("{stopped}; `batchmill failures --detail` shows where"));
    }
    error.help("`batchmill failures` lists indexes, `--format json` also keys; four characters of a key are enough")
}

/// A warning about a run whose ledger cannot be read.
pub fn unreadable_run(run: &RunId, error: &LedgerError) -> Printable {
    let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
    Printable::line(format!("warning: cannot read run `{run}`: {error}{cause}"))
}
