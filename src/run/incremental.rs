//! `--incremental`: a new run takes over the last good outcome of each item, and then runs what is left, like a resumed
//! run.
//!
//! The baseline is a run of the same workflow file: the newest incremental one, however it ended, because it has taken
//! over all valid results; or a newer ordinary one that ran to its end. Runs with the same parameters come first.

use crate::compile::Prepared;
use crate::ledger::{Ledger, Reader, RunFolder, RunPlace, RunRecord, StateFolder};
use crate::model::{Status, StepName};
use std::path::Path;

/// Lets a new run take over what its baseline did. Returns a warning if it cannot.
pub(super) fn take_over(
    ledger: &mut Ledger,
    prepared: &Prepared,
) -> Result<Option<String>, crate::ledger::LedgerError> {
    let steps: Vec<StepName> = prepared.steps.iter().map(|step| step.name().clone()).collect();
    let (state, file) = (&prepared.options.state, &prepared.workflow.source.path);
    let Some(from) = find_baseline(state, file, &prepared.params_hash(), ledger.folder()) else {
        ledger.carry_nothing()?;
        return Ok(None);
    };
    match ledger.carry(&from, &steps) {
        Ok(()) => Ok(None),
        Err(error) => {
            ledger.carry_nothing()?;
            let run = &from.run;
            Ok(Some(format!("warning: everything runs, because the results of run `{run}` cannot be reused: {error}")))
        }
    }
}

/// The run that an incremental run of this file builds on.
pub fn find_baseline(state: &StateFolder, file: &Path, params_hash: &str, new: &RunFolder) -> Option<RunFolder> {
    let wanted = file.canonicalize().ok()?;
    let (mut best, mut other): (Option<(i64, RunFolder)>, _) = (None, None);
    for folder in state.runs_by_age().ok()?.into_iter().rev().filter(|folder| folder.run != new.run) {
        // A run that cannot be read has nothing to take over.
        let Ok(record) = Reader::open(folder.clone()).and_then(|reader| reader.run()) else { continue };
        let same_file = RunPlace::of(&record, state).file().canonicalize().is_ok_and(|file| file == wanted);
        if !same_file || !is_baseline(&record) || folder.is_locked() {
            continue;
        }
        if record.params_hash.as_deref() != Some(params_hash) {
            other = other.or(Some(folder));
            continue;
        }
        // A run that did not reach its end may have been refused while an older one, which has more results, was still
        // running.
        let last = record.finished.unwrap_or(record.started);
        if best.as_ref().is_none_or(|(at, _)| last > *at) {
            best = Some((last, folder));
        }
        if has_ended(&record) {
            break;
        }
    }
    best.map(|(_, folder)| folder).or(other)
}

/// Whether an incremental run can build on a run.
pub fn is_baseline(record: &RunRecord) -> bool {
    let whole = has_ended(record) && record.max_items.is_none();
    record.baseline.is_some() || whole && record.params_hash.is_some()
}

/// Whether every item of a run had an outcome, apart from those beyond `--max-items`.
fn has_ended(record: &RunRecord) -> bool {
    matches!(record.status, Status::Succeeded | Status::Partial)
}
