//! The aggregate of a batch step: one value computed from all its results.
//!
//! It is stored next to the results, and valid until they, or what computes it, change. If the aggregate fails, its step
//! fails, but the items stay done.

use super::env::StepEnv;
use super::error::EngineError;
use super::ranges::{FoldError, fold};
use super::scope::remember;
use crate::compile::{aggregate_fingerprint, seed_of};
use crate::ledger::{AggregateFile, Reader, StepReader};
use crate::model::{Batch, Failure, FailureKind, ItemKey, LaneSettings, LogEntry, Stats, Status, StepReport};
use crate::pipeline::{LogPieces, mask_failure, step_timeout};
use crate::spec::{Aggregate, Reductions};
use crate::task::{BatchOutcome, Frame, FrameOutcome, LogLine};
use crate::template::ItemScope;
use serde_json::value::RawValue;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

/// A value as JSON, or why there is none.
type Computed = Result<Box<RawValue>, Failure>;

/// Computes the aggregate of a step that succeeded, unless the stored one is still valid. If it fails, so does the step.
/// `limit` is the `timeout` of the step.
pub(super) fn compute_aggregate(
    env: &mut StepEnv<'_>,
    report: &mut StepReport,
    limit: Option<Duration>,
) -> Result<(), EngineError> {
    let folder = env.run.folder.clone();
    let Some(aggregate) = env.step.aggregate_spec() else { return Ok(folder.remove_aggregate(env.name())?) };
    if !matches!(report.status, Status::Succeeded | Status::Partial) {
        return Ok(());
    }
    let fingerprint = aggregate_fingerprint(env.step, env.run.prepared, &|earlier| env.ledger.revision_of(earlier))?;
    let reader = Reader::open(folder.clone())?;
    let recorded = reader.step(env.name())?.expect("a step under way is in the ledger");
    if recorded.aggregate(Some(&fingerprint))?.is_some() {
        return Ok(());
    }
    let computed = match aggregate {
        Aggregate::Reductions(reductions) => reduce(env, reductions, &recorded)?,
        Aggregate::Code(_) => {
            let left = limit.map(|limit| limit.saturating_sub(report.stats.duration));
            call(env, report.stats, left)?
        }
    };
    match computed {
        Ok(aggregate) => {
            let revision = env.ledger.revision()?;
            folder.write_aggregate(env.name(), &AggregateFile { revision, fingerprint, aggregate, written: None })?;
        }
        Err(failure) if failure.kind == FailureKind::Interrupted => report.status = Status::Interrupted,
        Err(mut failure) => {
            if let Some(limit) = limit.filter(|_| failure.kind == FailureKind::Timeout) {
                failure = step_timeout(limit);
            }
            folder.remove_aggregate(env.name())?;
            mask_failure(&env.run.prepared.secrets, &mut failure);
            report.status = Status::Failed;
            report.failure = Some(failure);
        }
    }
    Ok(())
}

fn interrupted() -> Failure {
    Failure::new(FailureKind::Interrupted, "Interrupted", "the run was interrupted")
}

/// Computes built-in reductions over the results.
fn reduce(env: &mut StepEnv<'_>, reductions: &Reductions, recorded: &StepReader<'_>) -> Result<Computed, EngineError> {
    let wrong = |message| Failure::new(FailureKind::Exception, "AggregateError", message);
    let kill = Arc::clone(&env.run.cancel.kill);
    let reducer = match fold(reductions, recorded.results()?, &|| kill.is_fired()) {
        Ok(reducer) => reducer,
        Err(FoldError::Read(error)) => return Err(error.into()),
        Err(FoldError::Wrong(message)) => return Ok(Err(wrong(message))),
        Err(FoldError::Stopped) => return Ok(Err(interrupted())),
    };
    for field in reducer.never_found() {
        env.notice(format!("warning: no result has the field `{field}` of the aggregate"));
    }
    Ok(reducer.finish().map_err(wrong))
}

/// Runs the code of an aggregate once, in a separate worker. The code also sees the step itself.
fn call(env: &mut StepEnv<'_>, stats: Stats, left: Option<Duration>) -> Result<Computed, EngineError> {
    let program = env.step.aggregate.as_ref().expect("`prepare` compiled the code of every aggregate");
    let mut scope = (*env.scope).clone();
    remember(&mut scope, &env.run.folder, &env.step.step, Some(stats));
    let seed = match seed_of(&env.step.step, &Arc::new(ItemScope::of_step(Arc::clone(&env.scope)))) {
        Ok(seed) => seed,
        Err(error) => return Ok(Err(Failure::new(FailureKind::Exception, "SettingError", error.to_string()))),
    };
    let mut context = env.context_once(LaneSettings { item_timeout: left, seed, ..LaneSettings::once() })?;
    context.scope = Arc::new(scope);
    let batch = Batch::of_one(0, ItemKey::of(b"null"), b"null");
    let mut lane = program.lane(&context, 0);
    let printed = RefCell::new(Vec::new());
    let log = |_, line| printed.borrow_mut().push(line);
    let FrameOutcome { batches, fatal, .. } =
        lane.run(&Frame { batches: std::slice::from_ref(&batch), halt_on_failure: true, error: None, log: &log });
    let shutdown = lane.finish(&|_| {});
    let outcome = batches.into_iter().next().unwrap_or_default();
    printed.borrow_mut().extend(shutdown.logs);
    tell(env, &outcome, printed.take(), shutdown.error);
    let failed = outcome.failures.into_iter().next().map(|(_, failure)| failure);
    if let Some(mut failure) = fatal.or(failed) {
        context.host.locate([&mut failure]);
        return Ok(Err(failure));
    }
    let line = outcome.lines.iter().next().map(|line| String::from_utf8_lossy(line).into_owned());
    Ok(line.and_then(|line| RawValue::from_string(line).ok()).ok_or_else(interrupted))
}

/// Logs what the code of an aggregate printed, and passes its warnings on.
fn tell(env: &mut StepEnv<'_>, outcome: &BatchOutcome, printed: Vec<LogLine>, error: Option<String>) {
    let joined = RefCell::new(Vec::new());
    let log = |entry| joined.borrow_mut().push(entry);
    let pieces = LogPieces::new(Arc::clone(&env.run.prepared.secrets), &log);
    printed.into_iter().for_each(|line| pieces.push(LogEntry { item: None, stream: line.stream, text: line.text }));
    pieces.flush();
    for LogEntry { stream, mut text, .. } in joined.take() {
        env.run.prepared.secrets.mask(&mut text);
        // Results are worth more than a log: the run continues without it.
        if let Err(error) = env.ledger.log(&LogEntry { item: None, stream, text }) {
            env.notice(format!("warning: {error}; the aggregate's output is not logged"));
        }
    }
    if let Some(error) = error {
        env.notice(format!("warning: {error}"));
    }
    if outcome.nulls > 0 {
        let count = outcome.nulls;
        env.notice(format!("warning: {count} NaN or infinite numbers of the aggregate were written as null"));
    }
}
