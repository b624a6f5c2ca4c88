//! A run that is over, in the words with which it ended.

use crate::causes::{FailureGroups, FailureText};
use crate::explain::{RunStatus, StepStatus};
use crate::ledger::{LedgerError, Reader};
use crate::measure::Measurements;
use crate::model::RunSummary;
use crate::report::{Highlights, summary};
use std::time::Duration;

/// What a terminal of this width shows at the end of the run.
pub(super) fn ended(status: &RunStatus, reader: &Reader, columns: Option<usize>) -> Result<String, LedgerError> {
    let mut failures = FailureGroups::default();
    let mut busy = Vec::new();
    for step in &status.steps {
        let (name, step) = (&step.record.name, reader.open_step(step.record.clone()));
        step.visit_failures(|index, class, message| {
            failures.add(FailureText { step: name, index, class, message });
        })?;
        // How busy it was is worth telling, but no reason to tell nothing.
        let last = step.measurements().unwrap_or_default().pop();
        busy.extend(last.and_then(|(_, measured)| Some((name.clone(), busy_slots(&measured)?))));
    }
    let mut highlights = Highlights::of(failures, took(reader)?);
    busy.into_iter().for_each(|(name, (slots, seconds))| highlights.add_busy(name, slots, seconds));
    let steps = status.steps.iter().map(StepStatus::report).collect();
    let end = RunSummary { run: status.id.clone(), status: status.record.status, steps };
    Ok(format!("{}\n", summary(&end, &highlights, &status.record.path, columns)))
}

/// How long the last execution took, as far as that is known.
fn took(reader: &Reader) -> Result<Duration, LedgerError> {
    let last = reader.executions()?.pop();
    let took = last.and_then(|last| last.finished.map(|finished| finished.saturating_sub(last.started)));
    Ok(Duration::from_millis(took.and_then(|took| u64::try_from(took).ok()).unwrap_or(0)))
}

/// How many slots there were, how many were busy on average, and over how many seconds.
fn busy_slots(measured: &Measurements) -> Option<((usize, f64), u32)> {
    let total = measured.series.total();
    let seconds = u32::try_from(total.took / 1_000_000).ok()?;
    Some(((total.slots.len(), total.busy_slots()), seconds))
}
