//! Runs one step to its end: its channels and threads are created and joined here.

use super::aggregator::{Aggregator, Remarks};
use super::alarm::Alarm;
use super::announcer::Announcer;
use super::auto_width::AutoWidth;
use super::failed_items::FailedItems;
use super::feeder::{Fed, Feeder, WorkQueue};
use super::frame_cutter::{Feed, FrameCutter};
use super::frames::Frames;
use super::job::StepJob;
use super::meter::Meter;
use super::recorder::Recorder;
use super::slot::Slot;
use super::slow_items::SlowItems;
use super::tolerance::{step_timeout, too_many};
use super::width::Width;
use crate::model::{Failure, Stats, StepName};
use crate::sources::SourceError;
use crossbeam_channel::bounded;
use std::time::Duration;

/// What a step starts with, apart from what its slots share.
pub struct StepStart<'a> {
    /// The step.
    pub name: StepName,
    /// Its items.
    pub feed: Feed<'a>,
    /// The number of items, if it is known before they are read.
    pub total: Option<u64>,
    /// What earlier executions did.
    pub carried: Carried,
    /// After how long an item is slow.
    pub slow_after: Duration,
    /// How many slots may work.
    pub width: &'a Width,
    /// Its time limit, which began with it.
    pub alarm: &'a Alarm,
}

/// What earlier executions did of a step.
#[derive(Debug, Clone, Copy, Default)]
pub struct Carried {
    /// Items that are done.
    pub done: u64,
    /// Items that failed and are not run again.
    pub failed: u64,
    /// Bad rows that were skipped.
    pub bad_rows: u64,
    /// Items that the user has cancelled or skipped.
    pub cancelled: u64,
    /// Items that the last successful run of the workflow did.
    pub unchanged: u64,
    /// The bytes of the source's files that all of these cover.
    pub bytes_done: u64,
}

/// How a step ended.
pub struct StepEnd {
    /// Its counts.
    pub stats: Stats,
    /// The failure that stopped it.
    pub failure: Option<Failure>,
    /// Whether it could not continue at all.
    pub broken: bool,
    /// Why its source could not be read to the end.
    pub source_error: Option<SourceError>,
}

/// Why a step could not be run to its end.
#[derive(Debug)]
pub enum PipelineError<E> {
    /// The system provides no threads.
    Threads(String),
    /// Something cannot be recorded.
    Record(E),
}

/// Runs a step.
///
/// # Errors
/// If there are no threads for it, or if the recorder fails. Failures of items are in the [`StepEnd`].
pub fn run_step<R: Recorder>(
    start: StepStart<'_>,
    job: &StepJob<'_>,
    recorder: &mut R,
    announcer: Announcer<'_>,
) -> Result<StepEnd, PipelineError<R::Error>> {
    let (total, stats) = (start.total, stats_before(&start));
    let mut aggregator = Aggregator {
        step: start.name.clone(),
        job,
        recorder,
        announcer,
        slow: SlowItems::new(job.context.current_items.clone(), start.slow_after),
        total,
        stats,
        failure: None,
        broken: false,
        remarks: Remarks::default(),
        failed: FailedItems::default(),
        auto: AutoWidth::of(job),
        meter: Some(Meter::new(job, stats, start.width)),
    };
    let alarm = start.alarm;
    let fed = run_threads(start, job, &mut aggregator)?;
    let Remarks { nulls, changed_files, .. } = aggregator.remarks;
    if nulls > 0 {
        let text = format!("warning: {nulls} NaN or infinite numbers were written as null");
        aggregator.announcer.notice(&aggregator.step, text);
    }
    if changed_files > 0 {
        let text = format!(
            "the files of {changed_files} items changed while their tasks ran; the items are done with the files as they are now"
        );
        aggregator.announcer.notice(&aggregator.step, text);
    }
    if let Some(found) = aggregator.auto.as_ref().and_then(AutoWidth::found) {
        aggregator.announcer.notice(&aggregator.step, found);
    }
    let Aggregator { stats, failure, broken, .. } = aggregator;
    // Asked when all is over: until the last slot has ended, the time may run out.
    let failure = if alarm.has_rung() { Some(out_of_time(job)) } else { failure };
    Ok(ended(job, total, fed, StepEnd { stats, failure, broken, source_error: None }))
}

fn stats_before(start: &StepStart<'_>) -> Stats {
    let Carried { done, failed, bad_rows, cancelled, unchanged, bytes_done } = start.carried;
    let total = start.total.unwrap_or(0);
    Stats {
        total,
        succeeded: done,
        failed,
        kept: done + failed,
        bad_rows,
        cancelled,
        unchanged,
        bytes_done,
        ..Stats::default()
    }
}

fn run_threads<R: Recorder>(
    start: StepStart<'_>,
    job: &StepJob<'_>,
    aggregator: &mut Aggregator<'_, R>,
) -> Result<Fed, PipelineError<R::Error>> {
    let slots = job.settings.lane.width;
    // A frame keeps the size that it was cut with. On other machines a small one costs a whole round trip, so frames don't wait here.
    let usual = if job.context.host.remote.is_some() { 0 } else { 2 * slots };
    let queue_size = job.settings.queue_size.unwrap_or(usual);
    let (work_tx, work_rx) = bounded(queue_size);
    let (feeding_tx, feeding_rx) = bounded(0);
    let (event_tx, event_rx) = bounded(4 * slots);
    // At most one message per frame in progress can be waiting (in the work channel, in a slot, among the events), so the
    // aggregator never has to wait for the feeder.
    let (done_tx, done_rx) = bounded(queue_size + 5 * slots + 2);
    // Each slot takes its ends of the channels from here. Nobody else holds them, so both channels close when the slots finish.
    let (give, ends) = bounded(slots);
    for _ in 0..slots {
        // There is room for all of them.
        let _ = give.send((work_rx.clone(), event_tx.clone(), feeding_rx.clone()));
    }
    drop((give, work_rx, event_tx, feeding_rx));
    let width = start.width;
    let cutter = FrameCutter::new(start.feed, job);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(slots).thread_name(|slot| format!("slot-{slot}"));
    let (fed, recorded) = std::thread::scope(|threads| {
        // It owns its ends of the channels: if it panics, they close, and nobody waits for it.
        let recorded = threads.spawn(move || {
            let _closing = job.in_flight.close_at_end();
            aggregator.run(&event_rx, &done_tx)
        });
        let feeder = Feeder::new(Frames::of(cutter, threads), job);
        // Slots are the threads of the pool themselves. As jobs of the pool they would start late if there are many: threads that
        // look for jobs to steal are in each other's way, a thousand of them for seconds.
        let slot = |thread: rayon::ThreadBuilder| {
            if let Ok((work, events, feeding)) = ends.recv() {
                Slot { number: thread.index(), work: &work, events: &events, feeding: &feeding, width, job }.run();
            }
        };
        let feed = move |_: &rayon::ThreadPool| {
            let fed = feeder.feed(WorkQueue { work: work_tx, feeding: feeding_tx }, &done_rx);
            drop(done_rx);
            fed
        };
        let fed = pool.build_scoped(slot, feed).map_err(|error| PipelineError::Threads(error.to_string()));
        drop(ends);
        (fed, recorded.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let fed = fed?;
    recorded.map_err(PipelineError::Record)?;
    Ok(fed)
}

/// How a step ended, given how its feeder ended.
fn ended(job: &StepJob<'_>, total: Option<u64>, fed: Fed, mut end: StepEnd) -> StepEnd {
    let stats = &mut end.stats;
    stats.duration = job.started.elapsed();
    let Fed { read, exhausted } = fed;
    let read = match read {
        Ok(read) => read,
        Err(error) => {
            end.source_error = Some(error);
            stats.settled()
        }
    };
    // A truncated file has fewer rows than its footer promises.
    let promised = if exhausted { 0 } else { total.unwrap_or(0) };
    stats.total = promised.max(read).max(stats.settled());
    stats.skipped = stats.total - stats.settled();
    if let Some(most) = job.settings.failures.max_failures.filter(|most| most.is_passed(stats.failed, stats.total)) {
        // If the source was counted while it was read, this is known only now.
        end.failure.get_or_insert_with(|| too_many(most, stats));
    }
    end
}

fn out_of_time(job: &StepJob<'_>) -> Failure {
    step_timeout(job.settings.step_timeout.unwrap_or_default())
}
