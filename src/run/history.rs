//! What earlier executions of a run, and the last successful run of its workflow, mean for a step.

use super::env::StepEnv;
use super::error::EngineError;
use crate::compile::{OpenStep, changes, fingerprint_with_upstream};
use crate::ledger::StepHistory;
use crate::model::Event;
use crate::resume::{Comparison, compare_with_done};
use crate::sources::SourceError;

/// What of earlier executions still holds: nothing, if the step or what it reads has changed.
pub(super) fn load_done(
    env: &mut StepEnv<'_>,
    open: &OpenStep,
    mut history: StepHistory,
) -> Result<StepHistory, EngineError> {
    let (prepared, batched) = (env.run.prepared, open.settings.lane.batched);
    let fingerprint =
        fingerprint_with_upstream(env.step, batched, prepared, &|earlier| env.ledger.revision_of(earlier))?;
    let reasons = if history.is_empty() { Vec::new() } else { changes(history.fingerprints(), &fingerprint) };
    env.ledger.use_fingerprint(&fingerprint)?;
    if !reasons.is_empty() {
        env.ledger.forget_where_fingerprint_differs(&mut history)?;
        env.notice(format!("everything runs again, because {}", reasons.join(", ")));
    }
    if let Some(incremental) = env.incremental.as_deref_mut().filter(|_| env.step.is_batch()) {
        let (known, notice) = incremental.unchanged_items(env.step.name(), &fingerprint)?;
        history.known = known;
        notice.into_iter().for_each(|notice| env.notice(notice));
    }
    Ok(history)
}

/// Compares the items of now with what was done, and tells what will run and why; none if nothing was done. The inner error
/// is a source that cannot be read.
pub(super) fn compare(
    env: &mut StepEnv<'_>,
    open: &mut OpenStep,
    history: &StepHistory,
) -> Result<Result<Option<Comparison>, SourceError>, EngineError> {
    // A step that was not started yet, or has to be done again, has no failed items to single out: all of it is to be run.
    if history.is_empty() {
        return Ok(Ok(None));
    }
    let compared = match compare_with_done(&mut *open.source, history, &env.run.selection) {
        Ok(compared) => compared,
        Err(error) => return Ok(Err(error)),
    };
    env.ledger.move_items(&compared.moves, &compared.gone)?;
    if let Some(incremental) = env.incremental.as_deref_mut() {
        incremental.note_unchanged(env.step.name(), compared.unchanged.clone());
    }
    let reasons = compared.reasons.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect();
    env.announcer.tell(&Event::StepSortedOut { name: env.name().clone(), total: compared.total, reasons });
    if compared.counts.lost > 0 {
        let lost = compared.counts.lost;
        env.notice(format!("warning: the results of {lost} items are gone; `batchmill resume` runs them"));
    }
    Ok(Ok(Some(compared)))
}
