//! What is measured of a step while it runs: what its threads share for that, and what a slot measures of a frame.

use crate::measure::{Clock, FrameSpan, NotedItem, Threshold};
use crate::model::{Batch, BatchReport, ItemTime, WorkerTimes};
use crate::rows;
use crate::task::{BatchOutcome, StepContext};
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

/// How many bytes of an item's input travel to the aggregator. It masks secrets before it cuts them to [`MOST_INPUT`], so
/// that no part of a secret is left.
const MOST_SENT: usize = 8 << 10;

/// How many bytes of a noted item's input are kept.
pub(super) const MOST_INPUT: usize = 1000;

/// The most items that a frame notes.
const MOST_NOTED: usize = 20;

/// What feeder, slots and aggregator of a step share for measuring.
#[derive(Debug)]
pub(super) struct Gauges {
    pub(super) feeder: Clock<2>,
    pub(super) aggregator: Clock<3>,
    /// Frames that wait for a slot.
    pub(super) queued: AtomicU64,
    /// Batches that wait for a retry.
    pub(super) waiting: AtomicU64,
    /// What the slowest items exceed, in nanoseconds.
    pub(super) slow: Threshold,
    /// What the largest items exceed, in bytes.
    pub(super) large: Threshold,
}

impl Gauges {
    pub(super) fn new(origin: Instant) -> Self {
        Self {
            feeder: Clock::new(origin),
            aggregator: Clock::new(origin),
            queued: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            slow: Threshold::default(),
            large: Threshold::default(),
        }
    }
}

/// What a slot measured of a frame.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrameMeasures {
    /// When and where it ran.
    pub frame: FrameSpan,
    /// How long its items took.
    pub times: Vec<ItemTime>,
    /// How a worker spent its time on it.
    pub worker: WorkerTimes,
    /// Its slowest items, if they may be among those of the step.
    pub slow: Vec<NotedItem>,
    /// Its largest items, if they may be among those of the step.
    pub large: Vec<NotedItem>,
}

impl FrameMeasures {
    /// Notes the times of a batch, and which of its items stand out.
    pub(super) fn add(&mut self, batch: &Batch, outcome: &mut BatchOutcome, by: &Noting<'_>) {
        let is_alone = |time: &&ItemTime| time.count == 1 || by.context.settings.batched;
        let slow = outcome.times.iter().filter(is_alone).filter(|time| by.gauges.slow.admits(time.nanoseconds));
        let slow = slow.map(|time| (time.nanoseconds, time.first as usize, u64::from(time.count))).collect();
        self.slow.extend(by.note(batch, slow));
        if batch.attempt == 1 && by.context.settings.has_item {
            let sizes = (0..batch.items.len()).map(|position| (batch.items.range(position).len() as u64, position, 1));
            let large = sizes.filter(|(size, ..)| by.gauges.large.admits(*size)).collect();
            self.large.extend(by.note(batch, large));
        }
        self.times.append(&mut outcome.times);
    }

    /// Counts what became of a batch.
    pub(super) fn count(&mut self, report: &BatchReport) {
        if self.frame.batches == 0 {
            self.frame.batch = report.number;
        }
        self.frame.batches += report.batches;
        self.frame.succeeded += report.succeeded.len() as u64;
        self.frame.failed += report.failed.len() as u64;
        self.frame.retried += report.retries.iter().map(|(batch, _, _)| batch.items.len() as u64).sum::<u64>();
    }
}

/// What notes items.
pub(super) struct Noting<'a> {
    pub(super) context: &'a StepContext,
    pub(super) gauges: &'a Gauges,
}

impl Noting<'_> {
    /// Notes the items with the largest measures. Each comes with its position in the batch, and how many it stands for.
    fn note(&self, batch: &Batch, mut items: Vec<(u64, usize, u64)>) -> Vec<NotedItem> {
        items.sort_unstable_by(|left, right| right.cmp(left));
        items.truncate(MOST_NOTED);
        let note = |(measure, position, items)| NotedItem {
            index: batch.indexes.get(position),
            attempt: batch.attempt,
            items,
            measure,
            input: self.input(batch, position),
        };
        items.into_iter().map(note).collect()
    }

    /// The beginning of an item, as JSON text.
    fn input(&self, batch: &Batch, position: usize) -> String {
        if !self.context.settings.has_item {
            return String::new();
        }
        let form = &self.context.forms[batch.form];
        let item = rows::describe(form, &batch.items, position, batch.origin.as_ref());
        String::from_utf8_lossy(&item[..item.len().min(MOST_SENT)]).into_owned()
    }
}

/// Whole microseconds of a time.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
