//! What each slot is on, and since when: how a slow item is named while it runs.
//!
//! Lanes write, one cell each; the aggregator looks now and then. It is a hint for people and decides nothing.

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
    /// 0 where the slot is on no item, else its index plus 1.
    item: AtomicU64,
    /// Nanoseconds since `base`.
    since: AtomicU64,
}

impl CurrentItems {
    /// Cells for so many slots.
    pub fn new(slots: usize) -> Self {
        Self { base: Instant::now(), cells: (0..slots).map(|_| Cell::default()).collect() }
    }

    /// The slot is on the item with this index since that time.
    pub(super) fn on(&self, slot: usize, index: u64, since: Instant) {
        let Some(cell) = self.cells.get(slot) else { return };
        let since = since.saturating_duration_since(self.base).as_nanos();
        cell.since.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
        cell.item.store(index.saturating_add(1), Ordering::Release);
    }

    /// The slot is on no item.
    pub(super) fn off(&self, slot: usize) {
        if let Some(cell) = self.cells.get(slot) {
            cell.item.store(0, Ordering::Release);
        }
    }

    /// For each slot the index of the item that it is on, and for how long.
    pub fn look(&self) -> impl Iterator<Item = Option<(u64, Duration)>> + '_ {
        let now = self.base.elapsed();
        self.cells.iter().map(move |cell| {
            let index = cell.item.load(Ordering::Acquire).checked_sub(1)?;
            let since = Duration::from_nanos(cell.since.load(Ordering::Relaxed));
            Some((index, now.saturating_sub(since)))
        })
    }
}
