//! One step, run to its end: the channels and threads, created and joined in one place.

use super::aggregator::Aggregator;
use super::feeder::{Fed, Feed, Feeder};
use super::pace::Pace;
use super::plan::StepPlan;
use super::secrets::Secrets;
use super::slot::run_slot;
use super::slow::Slow;
use super::workflow::EngineError;
use crate::export::StreamedOutput;
use crate::ledger::StepLedger;
use crate::model::{Batch, Failure, FailureKind, Listener, Stats};
use crate::sources::SourceError;
use crate::spec::{MaxFailures, OnBadRow, RetryPolicy};
use crate::task::{Context, Program};
use crossbeam_channel::bounded;
use std::time::{Duration, Instant};

/// What a slot takes at a time: one or more batches.
pub(super) type Work = Vec<Batch>;

/// The most batches in a frame: bounds what a stop can leave undone in a slot, and the memory of a frame.
const MOST_BATCHES: usize = 1024;

/// What all slots of a step know.
pub(super) struct Job<'a> {
    pub(super) program: &'a Program,
    pub(super) handler: Option<&'a Program>,
    pub(super) context: Context,
    pub(super) retry: RetryPolicy,
    pub(super) continue_on_error: bool,
    /// Whether a failed batch of a batched task is halved.
    pub(super) bisect: bool,
    pub(super) on_bad_row: OnBadRow,
    pub(super) pace: Pace,
}

/// What a step is to do, apart from its slots.
pub(super) struct StepRun<'a> {
    pub(super) feed: Feed<'a>,
    pub(super) total: Option<u64>,
    /// Items that earlier executions of the run have done.
    pub(super) done: u64,
    /// The bytes of the source's files that these and the two below come to.
    pub(super) bytes_done: u64,
    /// Items that failed in earlier executions and are left at that.
    pub(super) failed: u64,
    /// Bad rows that were left out in earlier executions.
    pub(super) bad_rows: u64,
    /// Items that the last good run of the workflow has done.
    pub(super) unchanged: u64,
    pub(super) queue_size: Option<usize>,
    pub(super) max_failures: Option<MaxFailures>,
    /// `timeout` of the step.
    pub(super) timeout: Option<Duration>,
    /// When an item is called slow.
    pub(super) slow_after: Duration,
    /// The file of the results, where it can be written while they come.
    pub(super) streamed: Option<StreamedOutput>,
}

/// What came of it.
pub(super) struct StepEnd {
    pub(super) stats: Stats,
    pub(super) failure: Option<Failure>,
    pub(super) broken: bool,
    pub(super) source_error: Option<SourceError>,
    /// The file of the results, not in place yet.
    pub(super) streamed: Option<StreamedOutput>,
}

/// A pace for a step: a `queue_size` that the user gave counts batches, and a `batch_timeout` measures them, so each travels
/// alone then.
pub(super) fn pace(plan: &StepPlan) -> Pace {
    let alone = plan.queue_size.is_some() || plan.batch_timeout.is_some();
    Pace::new(plan.batch_size, if alone { 1 } else { MOST_BATCHES }, (plan.total, plan.slots))
}

/// Runs a step.
pub(super) fn execute(
    run: StepRun<'_>,
    job: &Job<'_>,
    ledger: &mut StepLedger,
    listeners: &mut [Box<dyn Listener>],
    secrets: &Secrets,
) -> Result<StepEnd, EngineError> {
    let slots = job.context.slots;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(slots).thread_name(|slot| format!("slot-{slot}")).build();
    let pool = pool.map_err(|error| EngineError::Threads(error.to_string()))?;
    let (work_tx, work_rx) = bounded(run.queue_size.unwrap_or(2 * slots));
    let (event_tx, event_rx) = bounded(4 * slots);
    // At most one message for each frame under way (in the work channel, in a slot, among the events) can be waiting: the
    // aggregator never has to wait for the feeder.
    let (settled_tx, settled_rx) = bounded(run.queue_size.unwrap_or(2 * slots) + 5 * slots + 2);
    let cancel = job.context.cancel.clone();
    let started = Instant::now();
    let (total, succeeded) = (run.total.unwrap_or(0), run.done);
    let (failed, bad_rows, unchanged, bytes_done) = (run.failed, run.bad_rows, run.unchanged, run.bytes_done);
    let stats = Stats { total, succeeded, failed, bad_rows, unchanged, bytes_done, ..Stats::default() };
    let mut aggregator = Aggregator {
        step: ledger.name().clone(),
        ledger,
        listeners,
        secrets,
        streamed: run.streamed,
        continue_on_error: job.continue_on_error,
        max_failures: run.max_failures,
        total: run.total,
        slow: Slow::new(job.context.current_items.clone(), run.slow_after),
        cancel: cancel.clone(),
        stats,
        started,
        failure: None,
        broken: false,
        nulls: 0,
    };
    let deadline = run.timeout.map(|timeout| started + timeout);
    let feeder = Feeder::new(run.feed, (&job.pace, !job.context.batched), &cancel, deadline);
    let told = &mut aggregator;
    let (fed, written) = std::thread::scope(|threads| {
        // Its ends of the channels are its own: should it panic, they close, and nobody waits for it.
        let written = threads.spawn(move || told.run(&event_rx, &settled_tx));
        let fed = pool.in_place_scope(|scope| {
            for slot in 0..slots {
                let (work, events) = (work_rx.clone(), event_tx.clone());
                scope.spawn(move |_| run_slot(slot, &work, &events, job));
            }
            // Only the slots hold these ends now, so both channels close when the slots finish.
            drop((work_rx, event_tx));
            let fed = feeder.feed(work_tx, &settled_rx);
            drop(settled_rx);
            fed
        });
        (fed, written.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    written?;
    if aggregator.nulls > 0 {
        let count = aggregator.nulls;
        aggregator.notice(format!("warning: {count} NaN or infinite numbers were written as null"));
    }
    let Aggregator { mut stats, mut failure, broken, streamed, .. } = aggregator;
    stats.duration = started.elapsed();
    let Fed { read, exhausted, late } = fed;
    let (read, source_error) = match read {
        Ok(read) => (read, None),
        Err(error) => (stats.settled(), Some(error)),
    };
    // A file that breaks off has fewer rows than its footer says.
    let promised = if exhausted { 0 } else { run.total.unwrap_or(0) };
    stats.total = promised.max(read).max(stats.settled());
    stats.skipped = stats.total - stats.settled();
    if late {
        failure = Some(step_timeout(run.timeout.unwrap_or_default()));
    } else if let Some(most) = run.max_failures.filter(|most| most.is_passed(stats.failed, stats.total)) {
        // Of a source that was counted while it was read, this is known only now.
        failure.get_or_insert_with(|| too_many(most, &stats));
    }
    Ok(StepEnd { stats, failure, broken, source_error, streamed })
}

/// The failure of a step that has used up its time.
pub(super) fn step_timeout(limit: Duration) -> Failure {
    let message = format!("took longer than {limit:?}, the `timeout` of the step");
    Failure::new(FailureKind::Limit, "StepTimeout", message)
}

/// The failure of a step of which more items failed than are tolerated.
pub(super) fn too_many(most: MaxFailures, stats: &Stats) -> Failure {
    let message = format!("{} items failed, and `max_failures` is {most}", stats.failed);
    Failure::new(FailureKind::Limit, "TooManyFailures", message)
}
