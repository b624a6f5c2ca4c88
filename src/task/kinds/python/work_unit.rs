//! The units of work of a frame.

use crate::model::{Batch, LaneSettings};
use crate::task::lane::Frame;
use std::ops::Range;

/// One item, or one whole batch if the task is batched. A worker runs a unit in one call, and it succeeds or fails as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WorkUnit {
    /// Its batch, as a position in the frame.
    pub(super) batch: usize,
    /// Its first item, as a position in the batch.
    pub(super) position: usize,
    /// Its inputs, as a position in the inputs of the frame, if it has any.
    pub(super) input: usize,
}

/// What each unit of a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnitKind {
    Item,
    Batch,
}

impl UnitKind {
    /// What the units of this frame are. `on_item_error` always takes one item at a time.
    pub(super) fn of(settings: &LaneSettings, frame: &Frame<'_>) -> Self {
        if settings.batched && !frame.is_for_handler() { Self::Batch } else { Self::Item }
    }

    /// All units of a frame, in order.
    pub(super) fn units(self, frame: &Frame<'_>) -> Vec<WorkUnit> {
        let units = frame.batches.iter().enumerate().flat_map(|(batch, of)| {
            let count = self.units_in(of);
            (0..count).map(move |position| WorkUnit { batch, position, input: 0 })
        });
        units.collect()
    }

    /// The number of units in a batch.
    pub(super) fn units_in(self, batch: &Batch) -> usize {
        match self {
            Self::Item => batch.items.len(),
            Self::Batch => 1,
        }
    }

    /// The items of a unit, as positions in its batch of `size` items.
    pub(super) fn positions(self, unit: WorkUnit, size: usize) -> Range<usize> {
        match self {
            Self::Item => unit.position..unit.position + 1,
            Self::Batch => 0..size,
        }
    }
}
