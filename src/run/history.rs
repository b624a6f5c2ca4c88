//! What earlier executions of a run, or its baseline, mean for a step.

use super::env::StepEnv;
use super::error::EngineError;
use super::mode::StepMode;
use super::table_check::{gone, lost, outdated};
use crate::compile::{OpenStep, Prepared, PreparedStep, changes, fingerprint_with_upstream, looks_at_index};
use crate::export::file_state;
use crate::ledger::{RowIds, StepHistory};
use crate::model::{Event, Fingerprint};
use crate::resume::{Comparison, Rules, compare_failed, compare_with_done};
use crate::sources::{Source, SourceError};

/// What the history of a step contains.
pub(super) enum Prior {
    /// Nothing: all of the step runs.
    Fresh,
    /// Outcomes, so that some items need not run.
    Compared(Box<Comparison>),
    /// The step had items and has none now.
    Vanished,
    /// Outcomes that must not be made void, and why they would be.
    Refused(String),
}

/// Compares the current items with those that are done, and reports what will run and why. The rows of `appended` are in a
/// table for good. The inner error is a source that cannot be read.
pub(super) fn compare(
    env: &mut StepEnv<'_>,
    open: &mut OpenStep,
    mut history: StepHistory,
    appended: &RowIds,
) -> Result<Result<Prior, SourceError>, EngineError> {
    let fingerprint = fingerprint_of(env, open)?;
    if let Some(why) = lost(appended, &history) {
        return Ok(Ok(Prior::Refused(why)));
    }
    if history.is_empty() {
        env.ledger.use_fingerprint(&fingerprint)?;
        return Ok(Ok(Prior::Fresh));
    }
    match is_empty(&mut *open.source) {
        // Before anything is forgotten: an unmounted directory must not take results with it.
        Ok(true) if !env.step.allows_empty() => return Ok(Ok(Prior::Vanished)),
        Ok(_) => {}
        Err(error) => return Ok(Err(error)),
    }
    env.ledger.use_fingerprint(&fingerprint)?;
    let changed = changes(history.fingerprints(), &fingerprint);
    let compared = match env.mode {
        StepMode::Retry => {
            if !changed.is_empty() {
                let text = "existing results are from before {}; `batchmill resume` brings them up to date";
                env.notice(text.replace("{}", &changed.join(", ")));
            }
            compare_failed(&mut *open.source, &history, &env.run.selection)
        }
        StepMode::Resume | StepMode::Keep => {
            if let Some(why) = outdated(env, appended, &history, &changed) {
                return Ok(Ok(Prior::Refused(why)));
            }
            if !changed.is_empty() {
                env.ledger.forget_where_fingerprint_differs(&mut history)?;
                env.notice(format!("everything runs again, because {}", changed.join(", ")));
            }
            if history.is_empty() {
                return Ok(Ok(Prior::Fresh));
            }
            if let Some(into) = open.item_files.as_deref().filter(|_| env.step.step.outputs.runs_for_missing_files()) {
                history.spoiled = env.ledger.spoiled_items(&|path| file_state(&into.join(path)))?;
            }
            compare_with_done(&mut *open.source, &history, rules(env.step, env.run.prepared))
        }
    };
    let compared = match compared {
        Ok(compared) => compared,
        Err(error) => return Ok(Err(error)),
    };
    if let Some(why) = gone(appended, &history, &compared) {
        return Ok(Ok(Prior::Refused(why)));
    }
    env.ledger.move_items(&compared.moves, &compared.failures)?;
    announce(env, &compared);
    Ok(Ok(Prior::Compared(Box::new(compared))))
}

/// Reports what will run, and why.
fn announce(env: &mut StepEnv<'_>, compared: &Comparison) {
    let reasons = compared.reasons.iter().map(|(reason, count)| (reason.clone().into_owned(), *count)).collect();
    env.announcer.tell(&Event::StepSortedOut { name: env.name().clone(), total: compared.total, reasons });
    if compared.counts.missing > 0 {
        let missing = compared.counts.missing;
        env.notice(format!(
            "warning: {missing} failed items are no longer in the source; `batchmill resume` drops them"
        ));
    }
}

fn fingerprint_of(env: &StepEnv<'_>, open: &OpenStep) -> Result<Fingerprint, EngineError> {
    let revision = |earlier: &_| env.ledger.revision_of(earlier);
    Ok(fingerprint_with_upstream(env.step, open, env.run.prepared, &revision)?)
}

/// What decides which items run, apart from what is done.
pub(super) fn rules(step: &PreparedStep, prepared: &Prepared) -> Rules {
    let limit = if step.is_batch() { prepared.options.max_items.unwrap_or(u64::MAX) } else { u64::MAX };
    Rules { limit, by_index: looks_at_index(step, prepared) }
}

/// Whether a source has no items. Goes back to the first item.
fn is_empty(source: &mut dyn Source) -> Result<bool, SourceError> {
    source.reread()?.required()?;
    let is_empty = source.next(1)?.is_none();
    source.reread()?.required()?;
    Ok(is_empty)
}
