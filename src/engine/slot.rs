//! One slot: takes frames until there are none, and tells the aggregator what became of each batch.
//!
//! Owns its lane, and with it the child process. Knows nothing of SQLite, terminals or other slots. Every batch taken ends
//! in exactly one `Finished`; each of its items is in exactly one place of that report.

use super::step::{Job, Work};
use crate::model::{Batch, BatchReport, Failure, FailureKind, Indexes, ItemFailure, Keys};
use crate::rows;
use crate::spec::OnBadRow;
use crate::task::{BatchOutcome, Frame, FrameOutcome, Lane, LogLine};
use crate::template::ErrorValue;
use crossbeam_channel::{Receiver, Sender};
use std::time::{Duration, Instant};

/// What a slot tells the aggregator.
#[derive(Debug)]
pub(super) enum SlotEvent {
    /// The batches of a frame ended: they become durable together.
    Finished(Vec<BatchReport>),
    /// Something was printed, on the item of that index in that attempt if it was about one.
    Log(Option<(u64, u32)>, LogLine),
    /// A message for the person in front of the screen.
    Notice(String),
    /// So many NaN or infinite numbers became null.
    Nulls(u64),
    /// The step cannot go on.
    Broken(Failure),
}

/// Works until the feeder hangs up. A send fails only when the aggregator is gone, which is a bug that its panic reports.
pub(super) fn run_slot(slot: usize, work: &Receiver<Work>, events: &Sender<SlotEvent>, job: &Job<'_>) {
    let _stops = StopOnPanic(job);
    let mut slot = Slot { lane: job.program.lane(&job.context, slot), handler: None, number: slot, events, job };
    for frame in work {
        slot.frame(&frame);
    }
    slot.finish();
}

/// A panic is a bug; it is passed on when the pool is joined, which needs the others to stop.
struct StopOnPanic<'a>(&'a Job<'a>);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.context.cancel.stop.fire();
        }
    }
}

struct Slot<'a> {
    lane: Box<dyn Lane>,
    handler: Option<Box<dyn Lane>>,
    number: usize,
    events: &'a Sender<SlotEvent>,
    job: &'a Job<'a>,
}

impl Slot<'_> {
    fn tell(&self, event: SlotEvent) {
        drop(self.events.send(event));
    }

    /// The step cannot go on. It is stopped here and not by the aggregator, so that this slot begins nothing more on its way there.
    fn give_up(&self, failure: Failure) {
        self.job.context.cancel.stop.fire();
        self.tell(SlotEvent::Broken(failure));
    }

    fn frame(&mut self, batches: &[Batch]) {
        let job = self.job;
        let attempt = batches.first().map_or(1, |batch| batch.attempt);
        let last_attempt = job.retry.delay_after(attempt).is_none() && !job.bisect;
        let frame = Frame { batches, halt_on_failure: !job.continue_on_error && last_attempt, error: None };
        let started = Instant::now();
        let outcome = match batches {
            // A file that cannot be read, as the source knows already; it travels alone.
            [Batch { file_error: Some(error), .. }] => {
                FrameOutcome { batches: vec![BatchOutcome::failed(0, error.clone())], fatal: None }
            }
            _ => self.lane.run(&frame),
        };
        outcome.fatal.into_iter().for_each(|failure| self.give_up(failure));
        let took = started.elapsed();
        let size = batches.first().map_or(0, |batch| batch.size);
        job.pace.learn(batches.iter().map(Batch::batches).sum(), size, took);
        let each = took / u32::try_from(batches.len().max(1)).unwrap_or(u32::MAX);
        let reports = batches.iter().zip(outcome.batches).map(|(batch, outcome)| self.report(batch, outcome, each));
        let reports = reports.collect();
        self.tell(SlotEvent::Finished(reports));
    }

    fn report(&mut self, batch: &Batch, outcome: BatchOutcome, duration: Duration) -> BatchReport {
        for log in outcome.logs {
            let item = log.position.map(|position| (batch.indexes.get(position), batch.attempt));
            self.tell(SlotEvent::Log(item, log));
        }
        if outcome.nulls > 0 {
            self.tell(SlotEvent::Nulls(outcome.nulls));
        }
        let (succeeded, keys) = succeeded(batch, &outcome.failures, &outcome.unrun);
        let (bad, failures): (Vec<_>, Vec<_>) =
            outcome.failures.into_iter().partition(|(_, failure)| failure.kind == FailureKind::BadRow);
        let (retry, mut failed) = self.sort_failures(batch, failures);
        // A file that cannot be read is more than a row, and is not left out.
        let left_out = if self.job.on_bad_row == OnBadRow::Skip && batch.file_error.is_none() {
            bad
        } else {
            failed.extend(bad);
            Vec::new()
        };
        failed.sort_by_key(|(position, _)| *position);
        if let (OnBadRow::Error, Some((_, failure))) =
            (self.job.on_bad_row, failed.iter().find(|(_, failure)| failure.kind == FailureKind::BadRow))
        {
            self.give_up(failure.clone());
        }
        if !self.job.continue_on_error && !failed.is_empty() {
            // Here and not by the aggregator, so that this slot begins nothing more on its way there.
            self.job.context.cancel.stop.fire();
        }
        let mut failed: Vec<ItemFailure> =
            failed.into_iter().map(|(position, failure)| self.settle(batch, position, failure)).collect();
        failed.extend(
            left_out.into_iter().map(|(position, failure)| ItemFailure {
                left_out: true,
                ..self.item_failure(batch, position, failure)
            }),
        );
        let files = outcome.files.into_iter().map(|(position, path)| (batch.keys.get(position), path)).collect();
        let again: u64 = retry.iter().map(|(batch, _, _)| batch.bytes).sum();
        BatchReport {
            files,
            number: batch.number,
            batches: batch.batches() as u64,
            attempt: batch.attempt,
            succeeded,
            keys,
            lines: outcome.lines,
            form: outcome.form,
            list: outcome.list || self.job.context.settings.batched,
            failed,
            retries: retry,
            skipped: outcome.unrun.len() as u64,
            // What is tried again has not ended.
            bytes: batch.bytes.saturating_sub(again),
            duration,
        }
    }

    /// What is to be tried again, and what failed for good.
    fn sort_failures(&self, batch: &Batch, failures: Vec<(usize, Failure)>) -> (Retries, Vec<(usize, Failure)>) {
        let whole = failures.len() == batch.items.len() && failures.len() > 1;
        if self.job.bisect && self.job.context.settings.batched && whole && may_halve(&failures[0].1) {
            return (halves(batch, failures), Vec::new());
        }
        let (retry, failed): (Vec<_>, _) =
            failures.into_iter().partition(|(_, failure)| self.may_retry(batch, failure));
        (self.retries(batch, &retry), failed)
    }

    fn may_retry(&self, batch: &Batch, failure: &Failure) -> bool {
        self.job.retry.covers(failure) && self.job.retry.delay_after(batch.attempt).is_some()
    }

    /// The failed items of each batch as one to come, due when the last of them may be tried again.
    fn retries(&self, batch: &Batch, failures: &[(usize, Failure)]) -> Retries {
        let of = |(position, _): &(usize, Failure)| batch.of_item(*position).0;
        let again = failures.chunk_by(|left, right| of(left) == of(right)).filter_map(|failures| {
            let asked = failures.iter().filter_map(|(_, failure)| failure.retry_after).max().unwrap_or_default();
            let delay = self.job.retry.with_jitter(self.job.retry.delay_after(batch.attempt)?, chance());
            let positions: Vec<usize> = failures.iter().map(|(position, _)| *position).collect();
            Some((batch.part(&positions, batch.attempt + 1), delay.max(asked), failures.first()?.1.clone()))
        });
        again.collect()
    }

    /// An item whose last attempt failed: runs `on_item_error`, whose own failure never hides the first.
    fn settle(&mut self, batch: &Batch, position: usize, failure: Failure) -> ItemFailure {
        let mut failed = self.item_failure(batch, position, failure);
        let error = ErrorValue { failure: failed.failure.clone(), attempts: failed.attempts };
        let (number, size) = batch.of_item(position);
        // A row has become JSON by now.
        let alone = Batch::of_one(failed.index, failed.key, &failed.item);
        failed.handler = self.handle(&Batch { number, size, attempt: batch.attempt, ..alone }, &error);
        failed
    }

    fn item_failure(&self, batch: &Batch, position: usize, failure: Failure) -> ItemFailure {
        let form = &self.job.context.forms[batch.form];
        ItemFailure {
            index: batch.indexes.get(position),
            key: batch.keys.get(position),
            item: rows::describe(form, &batch.items, position, batch.origin.as_ref()),
            attempts: batch.attempt,
            failure,
            handler: None,
            left_out: false,
        }
    }

    fn handle(&mut self, alone: &Batch, error: &ErrorValue) -> Option<Failure> {
        let program = self.job.handler?;
        let number = self.number;
        let lane = self.handler.get_or_insert_with(|| program.lane(&self.job.context.for_handler(), number));
        let frame = Frame { batches: std::slice::from_ref(alone), halt_on_failure: false, error: Some(error) };
        let FrameOutcome { batches, fatal } = lane.run(&frame);
        let outcome = batches.into_iter().next()?;
        for log in outcome.logs {
            self.tell(SlotEvent::Log(Some((alone.indexes.get(0), alone.attempt)), log));
        }
        if program.result_is_message() {
            outcome.lines.iter().for_each(|line| self.tell(SlotEvent::Notice(message(line))));
        }
        fatal.or_else(|| outcome.failures.into_iter().next().map(|(_, failure)| failure))
    }

    fn finish(&mut self) {
        let mut reports = vec![self.lane.finish()];
        reports.extend(self.handler.iter_mut().map(|handler| handler.finish()));
        for report in reports {
            report.logs.into_iter().for_each(|log| self.tell(SlotEvent::Log(None, log)));
            report.error.into_iter().for_each(|trouble| self.tell(SlotEvent::Notice(format!("warning: {trouble}"))));
        }
    }
}

/// Batches to be tried again, after what time, and why.
type Retries = Vec<(Batch, Duration, Failure)>;

/// Whether halving a batch that failed so can help: not where the workflow itself is wrong.
fn may_halve(failure: &Failure) -> bool {
    !matches!(failure.kind, FailureKind::Template | FailureKind::Cancelled | FailureKind::Limit)
}

/// A failed batch in two. Halving is no further attempt: attempts count for items that stand alone.
fn halves(batch: &Batch, failures: Vec<(usize, Failure)>) -> Retries {
    let (size, middle) = (batch.items.len(), batch.items.len() / 2);
    let half = |positions: std::ops::Range<usize>| batch.part(&positions.collect::<Vec<_>>(), batch.attempt);
    let (first, second) = (half(0..middle), half(middle..size));
    let Some((_, failure)) = failures.into_iter().next() else { return Vec::new() };
    vec![(first, Duration::ZERO, failure.clone()), (second, Duration::ZERO, failure)]
}

/// A number between 0 and 1 that is another one each time.
fn chance() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    // Each `RandomState` is seeded anew by the standard library, which is all the chance that a delay needs.
    (RandomState::new().hash_one(0) >> 11) as f64 / (1_u64 << 53) as f64
}

/// What `echo` says: a string as it is, any other value as JSON.
pub(super) fn message(json: &[u8]) -> String {
    match serde_json::from_slice(json) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::from_utf8_lossy(json).into_owned(),
    }
}

/// The indexes and keys of the items that neither failed nor were left out.
fn succeeded(batch: &Batch, failures: &[(usize, Failure)], unrun: &[usize]) -> (Indexes, Keys) {
    if failures.is_empty() && unrun.is_empty() {
        return (batch.indexes.clone(), batch.keys.clone());
    }
    let mut failed = failures.iter().map(|(position, _)| *position).peekable();
    let mut unrun = unrun.iter().copied().peekable();
    let good = (0..batch.items.len())
        .filter(|position| failed.next_if_eq(position).is_none() & unrun.next_if_eq(position).is_none());
    let (indexes, keys) = good.map(|position| (batch.indexes.get(position), batch.keys.get(position))).unzip();
    (Indexes::from_rising(indexes), Keys::from_list(keys))
}
