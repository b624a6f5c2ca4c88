//! Which items have been running for so long that the user should know.

use crate::task::CurrentItems;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often to look.
const LOOK: Duration = Duration::from_millis(250);

/// An item is slow if it takes this many times the average: if all are slow, none is.
const TIMES_AVERAGE: u32 = 5;

/// Finds slow items. Names each once, then again whenever its time has doubled.
pub(super) struct SlowItems {
    current_items: Arc<CurrentItems>,
    after: Duration,
    looked: Instant,
    /// For each slot, the item that was named, and when to name it again.
    named: Vec<Option<(u64, Duration)>>,
}

impl SlowItems {
    pub(super) fn new(current_items: Arc<CurrentItems>, after: Duration) -> Self {
        Self { current_items, after, looked: Instant::now(), named: Vec::new() }
    }

    /// Whether it is time to look again.
    pub(super) fn is_due(&self) -> bool {
        self.looked.elapsed() >= LOOK
    }

    /// The items to name now, and how long they have been running; `average` is the average time per item so far.
    pub(super) fn look(&mut self, average: Duration) -> Vec<(u64, Duration)> {
        self.looked = Instant::now();
        let threshold = self.after.max(average.saturating_mul(TIMES_AVERAGE));
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
                slow.push((index, running));
            }
        }
        slow
    }
}
