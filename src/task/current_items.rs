//! The item that each slot is running, and since when. The aggregator uses it to report slow items while they run.
//!
//! Each lane writes its own cell; the aggregator reads all of them now and then. Nothing is decided by it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A cell for each slot.
#[derive(Debug)]
pub struct CurrentItems {
    base: Instant,
    cells: Vec<Cell>,
}

#[derive(Debug, Default)]
struct Cell {
    /// The index of the item plus 1; 0 if the slot is running no item.
    item: AtomicU64,
    /// Nanoseconds since `base`.
    since: AtomicU64,
}

impl CurrentItems {
    /// A cell for each of `slots` slots.
    pub fn new(slots: usize) -> Self {
        Self { base: Instant::now(), cells: (0..slots).map(|_| Cell::default()).collect() }
    }

    /// Notes that the slot has been running the item with this index since then.
    pub(super) fn on(&self, slot: usize, index: u64, since: Instant) {
        let Some(cell) = self.cells.get(slot) else { return };
        let since = since.saturating_duration_since(self.base).as_nanos();
        cell.since.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
        cell.item.store(index.saturating_add(1), Ordering::Release);
    }

    /// Notes that the slot is running no item.
    pub(super) fn off(&self, slot: usize) {
        if let Some(cell) = self.cells.get(slot) {
            cell.item.store(0, Ordering::Release);
        }
    }

    /// The index of the item that each slot is running, and for how long.
    pub fn look(&self) -> impl Iterator<Item = Option<(u64, Duration)>> + '_ {
        let now = self.base.elapsed();
        self.cells.iter().map(move |cell| {
            let index = cell.item.load(Ordering::Acquire).checked_sub(1)?;
            let since = Duration::from_nanos(cell.since.load(Ordering::Relaxed));
            Some((index, now.saturating_sub(since)))
        })
    }
}
