//! What earlier executions of a run did in a step. Plain values; `load` reads them from disk.

use super::batches::{BatchRow, CARRIED, REMOVED_ITEM, present};
use super::ids::FingerprintId;
use super::row_hashes::RowHashes;
use super::row_ids::RowId;
use crate::model::{Fingerprint, Indexes, ItemKey, Keys, StepReport};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A batch that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoneBatch {
    /// The row that holds its results.
    pub row: RowId,
    /// The indexes that its items had when they were done, line by line.
    pub indexes: Indexes,
    /// The keys of its items.
    pub keys: Keys,
    /// Whether its results belong to the batch as a whole.
    pub list: bool,
    pub(super) fingerprint: FingerprintId,
}

/// An item that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedItem {
    pub(super) id: i64,
    /// Its index when it failed.
    pub index: u64,
    /// How many attempts it had.
    pub attempts: u32,
    /// The hash of its JSON text.
    pub text: u64,
}

impl FailedItem {
    /// The hash of an item's JSON text.
    pub fn hash_of(text: &[u8]) -> u64 {
        xxhash_rust::xxh3::xxh3_64(text)
    }

    /// It is at another index now.
    pub fn moved(self, index: u64) -> FailureChange {
        FailureChange { id: self.id, to: FailureMove::Index(index) }
    }

    /// It has another key now, because what it names has changed.
    pub fn renamed(self, key: ItemKey) -> FailureChange {
        FailureChange { id: self.id, to: FailureMove::Key(key) }
    }

    /// The workflow no longer has it.
    pub fn gone(self) -> FailureChange {
        FailureChange { id: self.id, to: FailureMove::Gone }
    }
}

/// Failed items by key. Equal items have one entry each.
pub type FailedItems = HashMap<ItemKey, Vec<FailedItem>>;

/// Where a failed item is now in the list of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureChange {
    pub(super) id: i64,
    pub(super) to: FailureMove,
}

impl FailureChange {
    pub(super) fn new_key(&self) -> Option<ItemKey> {
        match self.to {
            FailureMove::Key(key) => Some(key),
            FailureMove::Index(_) | FailureMove::Gone => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureMove {
    Index(u64),
    Key(ItemKey),
    Gone,
}

/// What was done in a step.
#[derive(Debug, Clone, Default)]
pub struct StepHistory {
    /// The batches that are done.
    pub batches: Vec<DoneBatch>,
    /// The items that failed.
    pub failed: FailedItems,
    /// How many attempts items that wait for a retry had, by key. Equal items have one entry each.
    pub attempts: HashMap<ItemKey, Vec<u32>>,
    /// Bad rows that were skipped.
    pub left_out: FailedItems,
    /// Items that the user has cancelled or skipped.
    pub cancelled: FailedItems,
    /// Items that the execution before this one was told to leave out, and had not come to.
    pub told: ToldItems,
    /// The hashes of rows that were read.
    pub rows: RowHashes,
    /// Items with missing or edited files, which therefore run again.
    pub spoiled: HashSet<ItemKey>,
    /// Whether the step was started before.
    pub begun: bool,
    /// How the step ended last time; none if it was killed.
    pub ended: Option<StepReport>,
    pub(super) lost: Vec<LostBatch>,
    /// What batches, failures and attempts were made with.
    pub(super) fingerprints: BTreeMap<FingerprintId, Fingerprint>,
}

#[cfg(test)]
impl DoneBatch {
    /// A batch of these items.
    pub fn of(indexes: Indexes, keys: Keys) -> Self {
        Self { row: RowId { execution: 1, id: 1 }, indexes, keys, list: false, fingerprint: FingerprintId(1) }
    }
}

impl StepHistory {
    /// Whether nothing was done.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
            && !self.has_failures()
            && self.left_out.is_empty()
            && self.cancelled.is_empty()
            && self.lost.is_empty()
    }

    /// What the done batch's results depend on.
    pub fn fingerprint_of(&self, batch: &DoneBatch) -> &Fingerprint {
        &self.fingerprints[&batch.fingerprint]
    }

    /// What any of it depends on, each once: results, failures and attempts.
    pub fn fingerprints(&self) -> impl Iterator<Item = &Fingerprint> {
        self.fingerprints.values()
    }

    /// Items that were done but have lost their results or keys.
    pub fn lost(&self) -> LostItems {
        let mut items = LostItems::default();
        self.lost.iter().for_each(|batch| items.add(batch));
        items
    }

    /// How many items were done but have no results any more.
    pub fn lost_items(&self) -> u64 {
        self.lost.iter().fold(0, |sum, batch| sum.saturating_add(batch.row.count))
    }

    fn has_failures(&self) -> bool {
        !self.failed.is_empty() || !self.attempts.is_empty()
    }

    /// The items with failures or attempts, which are void once the items have run again.
    pub(super) fn keys_with_failures(&self) -> HashSet<ItemKey> {
        self.failed.keys().chain(self.cancelled.keys()).chain(self.attempts.keys()).copied().collect()
    }
}

/// Items of a step that the execution before this one was told to leave out, and that have no outcome: it ended before it came
/// to them. And the number of items that the step had then, if it was known.
#[derive(Debug, Clone, Default)]
pub struct ToldItems {
    /// Their indexes.
    pub indexes: Vec<u64>,
    /// The number of items.
    pub total: Option<u64>,
}

/// A batch that was done, but has lost its results or keys.
#[derive(Debug, Clone)]
pub(super) struct LostBatch {
    pub(super) row: BatchRow,
    pub(super) keys: Option<Keys>,
}

/// Items that were done, but have lost their results or keys.
#[derive(Debug, Clone, Default)]
pub struct LostItems {
    results: HashMap<ItemKey, u64>,
    /// If the keys are lost, only the indexes are known: the first and last of neighbours.
    keys: BTreeMap<u64, u64>,
}

/// Why an item is no longer done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossReason {
    /// Its result is lost.
    Result,
    /// Its key is lost, so nothing tells which item the result belongs to.
    Key,
}

impl LostItems {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.results.is_empty() && self.keys.is_empty()
    }

    /// Removes an item, and says why it was lost. Equal items are removed one by one.
    pub fn take(&mut self, index: u64, key: ItemKey) -> Option<LossReason> {
        if let Some(count) = self.results.get_mut(&key).filter(|count| **count > 0) {
            *count -= 1;
            return Some(LossReason::Result);
        }
        let last = self.keys.range(..=index).next_back().map(|(_, last)| *last);
        last.is_some_and(|last| index <= last).then_some(LossReason::Key)
    }

    fn add(&mut self, LostBatch { row, keys }: &LostBatch) {
        // A row that claims more items than there can be is damaged, so it would take forever to go through them.
        let keys = keys.as_ref().filter(|_| !row.claims_too_many());
        match (keys, &row.indexes) {
            (Some(keys), _) => keys.iter().for_each(|key| *self.results.entry(key).or_default() += 1),
            (None, None) => drop(self.keys.insert(row.first, row.first.saturating_add(row.count).saturating_sub(1))),
            (None, Some(_)) => self.keys.extend(present(row.indexes()).map(|index| (index, index))),
        }
    }
}

/// New indexes for the items of a done batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    /// The row of the batch.
    pub row: RowId,
    pub(super) indexes: Vec<Option<u64>>,
}

impl RowChange {
    /// How many items the batch has then.
    pub fn left(&self) -> u64 {
        self.indexes.iter().flatten().count() as u64
    }
}

impl DoneBatch {
    /// Whether it was taken over from an earlier run.
    pub fn carried(&self) -> bool {
        self.row.execution == CARRIED
    }

    /// How many of its items the workflow still has.
    pub fn done(&self) -> u64 {
        match &self.indexes {
            Indexes::Range(range) => range.end - range.start,
            Indexes::List(list) => list.iter().filter(|index| **index != REMOVED_ITEM).count() as u64,
        }
    }

    /// The same batch with its items at other indexes; none for an item that no longer exists.
    pub fn moved(&self, indexes: Vec<Option<u64>>) -> RowChange {
        RowChange { row: self.row, indexes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_items_that_were_lost_are_taken_out_one_by_one() {
        let [twice, other, by_index] = [b"a", b"b", b"c"].map(|json| ItemKey::of(json));
        let mut lost = LostItems { results: HashMap::from([(twice, 2)]), keys: BTreeMap::from([(5, 6), (9, 9)]) };
        assert_eq!(
            [0, 1, 2].map(|index| lost.take(index, twice)),
            [Some(LossReason::Result), Some(LossReason::Result), None]
        );
        assert_eq!(lost.take(0, other), None);
        let lost = [4, 5, 6, 7, 9, 10].map(|index| lost.take(index, by_index).is_some());
        assert_eq!(lost, [false, true, true, false, true, false]);
    }
}
