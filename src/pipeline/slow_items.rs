//! Which items have been running for so long that the user should know.

use crate::model::ItemTime;
use crate::task::CurrentItems;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often to look.
const LOOK: Duration = Duration::from_millis(250);

/// An item is slow if it takes this many times the average of those that have finished: if all are slow, none is.
const TIMES_AVERAGE: u32 = 5;

/// Finds slow items. Names each once, then again whenever its time has doubled.
pub(super) struct SlowItems {
    current_items: Arc<CurrentItems>,
    after: Duration,
    looked: Instant,
    /// The time of finished items, in nanoseconds, and how many these are. A batch that a task takes as a whole counts as one item,
    /// as it does while it runs.
    finished: (u128, u64),
    /// For each slot, the item that was named, and when to name it again.
    named: Vec<Option<(u64, Duration)>>,
}

impl SlowItems {
    pub(super) fn new(current_items: Arc<CurrentItems>, after: Duration) -> Self {
        Self { current_items, after, looked: Instant::now(), finished: (0, 0), named: Vec::new() }
    }

    /// Learns how long items took. `batched` tells whether those of a batch run as one.
    pub(super) fn learn(&mut self, times: &[(usize, ItemTime)], batched: bool) {
        for (_, time) in times {
            self.finished.0 += u128::from(time.nanoseconds);
            self.finished.1 += if batched { 1 } else { u64::from(time.count) };
        }
    }

    /// How long finished items took on average; nothing if none has finished.
    fn average(&self) -> Duration {
        let (nanoseconds, count) = self.finished;
        Duration::from_nanos(u64::try_from(nanoseconds / u128::from(count.max(1))).unwrap_or(u64::MAX))
    }

    /// Whether it is time to look again.
    pub(super) fn is_due(&self) -> bool {
        self.looked.elapsed() >= LOOK
    }

    /// The items to name now: the slot and the index of each, and how long it has been running.
    pub(super) fn look(&mut self) -> Vec<(usize, u64, Duration)> {
        self.looked = Instant::now();
        let threshold = self.after.max(self.average().saturating_mul(TIMES_AVERAGE));
        let mut slow = Vec::new();
        for (slot, on) in self.current_items.look().enumerate() {
            if self.named.len() <= slot {
                self.named.push(None);
            }
            let Some((index, running)) = on else {
                self.named[slot] = None;
                continue;
            };
            let again = self.named[slot].filter(|(named, _)| *named == index).map_or(threshold, |(_, again)| again);
            if running >= again {
                self.named[slot] = Some((index, running * 2));
                slow.push((slot, index, running));
            }
        }
        slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finished_items_make_the_average() {
        let time = |count, nanoseconds| (0, ItemTime { first: 0, count, nanoseconds });
        let mut slow = SlowItems::new(Arc::new(CurrentItems::new(1)), Duration::ZERO);
        assert_eq!(slow.average(), Duration::ZERO);
        slow.learn(&[time(1, 100), time(3, 60)], false);
        assert_eq!(slow.average(), Duration::from_nanos(40));
        let mut batches = SlowItems::new(Arc::new(CurrentItems::new(1)), Duration::ZERO);
        batches.learn(&[time(10, 500), time(10, 300)], true);
        assert_eq!(batches.average(), Duration::from_nanos(400));
    }
}
