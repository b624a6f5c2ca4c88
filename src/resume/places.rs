//! Where the items of a done batch are in the current list.

use super::bits::Bits;
use crate::ledger::DoneBatch;

/// Stands for an item that is not in the list.
const NOWHERE: u64 = u64::MAX;

/// The current indexes of the items of a batch. An item that is where it was takes one bit.
pub(super) struct Places<'a> {
    batch: &'a DoneBatch,
    at_home: Bits,
    /// The indexes of the others, once there is one.
    elsewhere: Vec<u64>,
}

impl<'a> Places<'a> {
    /// A batch whose items were not found yet.
    pub(super) fn new(batch: &'a DoneBatch) -> Self {
        Self { batch, at_home: Bits::default(), elsewhere: Vec::new() }
    }

    /// The item at `position` is at this index.
    pub(super) fn set(&mut self, position: usize, index: u64) {
        if self.batch.indexes.get(position) == index {
            self.at_home.set(position as u64);
            return;
        }
        if self.elsewhere.is_empty() {
            self.elsewhere = vec![NOWHERE; self.batch.keys.len()];
        }
        self.elsewhere[position] = index;
    }

    /// The item at `position` does not count as done any more.
    pub(super) fn clear(&mut self, position: usize) {
        self.at_home.clear(position as u64);
        if let Some(index) = self.elsewhere.get_mut(position) {
            *index = NOWHERE;
        }
    }

    /// The index of the item at `position`, if it is in the list.
    pub(super) fn get(&self, position: usize) -> Option<u64> {
        if self.at_home.has(position as u64) {
            return Some(self.batch.indexes.get(position));
        }
        self.elsewhere.get(position).copied().filter(|index| *index != NOWHERE)
    }

    /// How many of the items are in the list.
    pub(super) fn found(&self) -> u64 {
        self.at_home.count() + self.elsewhere.iter().filter(|index| **index != NOWHERE).count() as u64
    }

    /// Whether every item is where it was.
    pub(super) fn are_unchanged(&self) -> bool {
        self.at_home.count() == self.batch.keys.len() as u64
    }

    /// All of them, in the order of the batch.
    pub(super) fn to_vec(&self) -> Vec<Option<u64>> {
        (0..self.batch.keys.len()).map(|position| self.get(position)).collect()
    }
}
