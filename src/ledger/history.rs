//! What earlier executions of a run did in a step. Plain values; `load` reads them from disk.

use super::baseline::BaselineKeys;
use super::batches::{BatchRow, present};
use super::ids::FingerprintId;
use crate::model::{Fingerprint, ItemKey, Keys};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A batch that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoneBatch {
    pub(super) id: i64,
    /// The indexes that its items had when they were done, line by line.
    pub indexes: Vec<u64>,
    /// The keys of its items.
    pub keys: Keys,
    /// Whether its results belong to the batch as a whole.
    pub list: bool,
    pub(super) fingerprint: FingerprintId,
}

/// What was done in a step.
#[derive(Debug, Clone, Default)]
pub struct StepHistory {
    /// The batches that are done.
    pub batches: Vec<DoneBatch>,
    /// How many attempts a failed item had, by key. Equal items have an entry each.
    pub failed: HashMap<ItemKey, Vec<u32>>,
    /// How many attempts an item had that waits to be tried again, by key. Equal items have an entry each.
    pub attempts: HashMap<ItemKey, Vec<u32>>,
    /// Bad rows that were left out.
    pub left_out: HashSet<ItemKey>,
    /// Items that the workflow's last good run did, if only new items are to run.
    pub known: BaselineKeys,
    pub(super) lost: Vec<LostBatch>,
    /// What batches, failures and attempts were made with.
    pub(super) fingerprints: BTreeMap<FingerprintId, Fingerprint>,
}

impl StepHistory {
    /// Whether nothing was done.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
            && !self.has_failures()
            && self.left_out.is_empty()
            && self.known.is_empty()
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

    /// The items that were done but whose results or keys are gone.
    pub fn lost(&self) -> LostItems {
        let mut items = LostItems::default();
        self.lost.iter().for_each(|batch| items.add(batch));
        items
    }

    fn has_failures(&self) -> bool {
        !self.failed.is_empty() || !self.attempts.is_empty()
    }

    /// The items with failures or attempts, which are void once the items have run again.
    pub(super) fn keys_with_failures(&self) -> HashSet<ItemKey> {
        self.failed.keys().chain(self.attempts.keys()).copied().collect()
    }
}

/// A batch that was done, but whose results or keys are gone.
#[derive(Debug, Clone)]
pub(super) struct LostBatch {
    pub(super) row: BatchRow,
    pub(super) keys: Option<Keys>,
}

/// Items that were done, but whose results or keys are gone.
#[derive(Debug, Clone, Default)]
pub struct LostItems {
    results: HashMap<ItemKey, u64>,
    /// If the keys are gone, only the indexes are known: the first and last of neighbours.
    keys: BTreeMap<u64, u64>,
}

/// Why an item is no longer done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossReason {
    /// Its result is gone.
    Result,
    /// Its key is gone, so nothing tells which item the result belongs to.
    Key,
}

impl LostItems {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.results.is_empty() && self.keys.is_empty()
    }

    /// Takes an item out, and says why it was lost. Equal items are taken out one by one.
    pub fn take(&mut self, index: u64, key: ItemKey) -> Option<LossReason> {
        if let Some(count) = self.results.get_mut(&key).filter(|count| **count > 0) {
            *count -= 1;
            return Some(LossReason::Result);
        }
        let last = self.keys.range(..=index).next_back().map(|(_, last)| *last);
        last.is_some_and(|last| index <= last).then_some(LossReason::Key)
    }

    fn add(&mut self, LostBatch { row, keys }: &LostBatch) {
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
    pub(super) id: i64,
    pub(super) indexes: Vec<Option<u64>>,
}

impl DoneBatch {
    /// The same batch with its items at other indexes; none for an item that is gone.
    pub fn moved(&self, indexes: Vec<Option<u64>>) -> RowChange {
        RowChange { id: self.id, indexes }
    }
}
