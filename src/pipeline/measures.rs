//! What is measured of a step while it runs: what its threads share for that, and what a slot measures of a frame.

use crate::measure::{Clock, FrameSpan, NotedItem, Threshold};
use crate::model::{Batch, BatchReport, HostName, ItemTime, RequestTimes, WorkerTimes};
use crate::rows;
use crate::task::StepContext;
use crate::text::CUT;
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
    /// Where it ran, if not here.
    pub host: Option<HostName>,
    /// How long its items took, each with the place of its batch in the frame.
    pub times: Vec<(usize, ItemTime)>,
    /// How a worker spent its time on it.
    pub worker: WorkerTimes,
    /// How its requests spent their time.
    pub request: RequestTimes,
    /// Its slowest items, if they may be among those of the step.
    pub slow: Vec<NotedItem>,
    /// Its largest items, if they may be among those of the step.
    pub large: Vec<NotedItem>,
}

impl FrameMeasures {
    /// Notes the items of a frame that stand out. Only of these are the inputs copied.
    pub(super) fn note(&mut self, times: &[(usize, ItemTime)], batches: &[Batch], by: &Noting<'_>) {
        let note = |found: Candidate| by.note(found, &batches[found.batch]);
        self.slow = by.slow(times).into_iter().map(note).collect();
        if by.context.settings.has_item {
            self.large = by.large(batches).into_iter().map(note).collect();
        }
    }

    /// Counts the outcomes of a batch.
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

/// Finds the items of a frame that stand out.
pub(super) struct Noting<'a> {
    pub(super) context: &'a StepContext,
    pub(super) gauges: &'a Gauges,
}

/// An item that may stand out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    measure: u64,
    /// Its batch, as a position in the frame.
    batch: usize,
    /// Its position in the batch.
    position: usize,
    /// How many items it stands for.
    items: u64,
}

impl Noting<'_> {
    fn slow(&self, times: &[(usize, ItemTime)]) -> Vec<Candidate> {
        let mut found = Vec::new();
        for (batch, time) in times.iter().filter(|(_, time)| self.gauges.slow.admits(time.nanoseconds)) {
            if time.count == 1 || self.context.settings.batched {
                let (measure, position, items) = (time.nanoseconds, time.first as usize, u64::from(time.count));
                found.push(Candidate { measure, batch: *batch, position, items });
            }
        }
        most(found)
    }

    fn large(&self, batches: &[Batch]) -> Vec<Candidate> {
        let mut found = Vec::new();
        for (at, batch) in batches.iter().enumerate().filter(|(_, batch)| batch.attempt == 1) {
            for position in 0..batch.items.len() {
                let measure = batch.items.range(position).len() as u64;
                if self.gauges.large.admits(measure) {
                    found.push(Candidate { measure, batch: at, position, items: 1 });
                }
            }
        }
        most(found)
    }

    fn note(&self, found: Candidate, batch: &Batch) -> NotedItem {
        let Candidate { measure, position, items, .. } = found;
        let (index, attempt) = (batch.indexes.get(position), batch.attempt);
        NotedItem { index, attempt, items, measure, input: self.input(batch, position) }
    }

    /// The beginning of an item, as JSON text.
    fn input(&self, batch: &Batch, position: usize) -> String {
        if !self.context.settings.has_item {
            return String::new();
        }
        let form = &self.context.forms[batch.form];
        let item = rows::describe(form, &batch.items, position, batch.origin.as_ref());
        let cut = if item.len() > MOST_SENT { CUT } else { "" };
        String::from_utf8_lossy(&item[..item.len().min(MOST_SENT)]).into_owned() + cut
    }
}

/// Those with the largest measures.
fn most(mut found: Vec<Candidate>) -> Vec<Candidate> {
    found.sort_unstable_by(|left, right| right.cmp(left));
    found.truncate(MOST_NOTED);
    found
}

/// Whole microseconds of a time.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
