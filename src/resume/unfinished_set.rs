//! Which items are left to run: one bit per item, and how many of them to read at a time.

use super::bits::Bits;
use crate::model::{ItemKey, Items};
use std::collections::HashMap;

/// Which items are left to run, by index.
#[derive(Debug, Default)]
pub(super) struct UnfinishedSet {
    bits: Bits,
    /// Two bytes of the key of each item, to check that what is read again is what was compared.
    marks: Vec<u16>,
    /// The next attempt of items that have had one.
    attempts: HashMap<u64, u32>,
    /// The indexes under which items run, if they differ from those in the source.
    indexes: HashMap<u64, u64>,
}

impl UnfinishedSet {
    /// Marks the item with this index to run, for the `attempt`th time.
    pub(super) fn add(&mut self, index: u64, attempt: u32) {
        self.bits.set(index);
        if attempt > 1 {
            self.attempts.insert(index, attempt);
        }
    }

    /// Marks the item at this place in the source to run under another index.
    pub(super) fn add_at(&mut self, place: u64, index: u64) {
        self.add(place, 1);
        if place != index {
            self.indexes.insert(place, index);
        }
    }

    /// The index under which the item at this place in the source runs.
    pub(super) fn index(&self, place: u64) -> u64 {
        self.indexes.get(&place).copied().unwrap_or(place)
    }

    /// Notes the next item of the source.
    pub(super) fn note(&mut self, key: ItemKey) {
        self.marks.push(key.mark());
    }

    /// Whether the item with this index has this key, as far as its mark tells.
    pub(super) fn knows(&self, index: u64, key: ItemKey) -> bool {
        let mark = usize::try_from(index).ok().and_then(|index| self.marks.get(index));
        mark == Some(&key.mark())
    }

    pub(super) fn has(&self, index: u64) -> bool {
        self.bits.has(index)
    }

    /// The attempt for which the item with this index runs.
    pub(super) fn attempt(&self, index: u64) -> u32 {
        self.attempts.get(&index).copied().unwrap_or(1)
    }

    /// Whether nothing is left to run from this index on.
    pub(super) fn ends_before(&self, index: u64) -> bool {
        index >= self.marks.len() as u64 || self.bits.ends_before(index)
    }
}

/// How many items to read at a time: many, but fewer if they are large, because they are held in memory.
pub(super) struct Portion(usize);

impl Portion {
    const MOST: usize = 4096;
    const BYTES: usize = 1 << 20;

    pub(super) fn new() -> Self {
        Self(16)
    }

    pub(super) fn items(&self) -> usize {
        self.0
    }

    /// Learns from what was read.
    pub(super) fn learn(&mut self, items: &Items) {
        let bytes = items.as_parts().0.len();
        if bytes > 4 * Self::BYTES {
            self.0 = (self.0 / 4).max(1);
        } else if bytes < Self::BYTES {
            self.0 = (self.0 * 2).min(Self::MOST);
        }
    }
}
