//! Batches that wait for a retry.

use crate::model::Batch;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// The longest delay: 100 years. Later times may be more than the system can express.
const MOST: Duration = Duration::from_secs(36_500 * 86_400);

/// Batches by due time, then by number.
#[derive(Default)]
pub(super) struct DelayQueue(BinaryHeap<Reverse<Waiting>>);

struct Waiting {
    due: Instant,
    batch: Batch,
}

impl DelayQueue {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds batches that are due after this delay.
    pub(super) fn extend(&mut self, retries: Vec<(Batch, Duration)>) {
        let now = Instant::now();
        self.0.extend(retries.into_iter().map(|(batch, delay)| Reverse(Waiting { due: now + delay.min(MOST), batch })));
    }

    /// Makes the batch with an item due at once, as the user has taken the item out.
    pub(super) fn hasten(&mut self, index: u64) {
        let now = Instant::now();
        let mut waiting = std::mem::take(&mut self.0).into_vec();
        for Reverse(waiting) in &mut waiting {
            if waiting.batch.indexes.position(index).is_some() {
                waiting.due = now;
            }
        }
        self.0 = waiting.into();
    }

    /// When the first is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse(first)| first.due)
    }

    /// A batch that is due.
    pub(super) fn pop_due(&mut self) -> Option<Batch> {
        self.next_due().filter(|due| *due <= Instant::now())?;
        self.0.pop().map(|Reverse(waiting)| waiting.batch)
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.batch.number).cmp(&(other.due, other.batch.number))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}
