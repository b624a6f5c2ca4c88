//! What earlier executions of a run did in a step. Plain values; `load` reads them from disk.

use super::baseline::BaselineKeys;
use super::batches::{BatchRow, present};
use crate::model::{ItemKey, Keys};
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
}

/// What was done in a step.
#[derive(Debug, Clone, Default)]
pub struct StepHistory {
    /// What its results depend on: names and hashes.
    pub fingerprint: BTreeMap<String, String>,
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
    /// Items that were done but whose results or keys are gone.
    pub lost: LostItems,
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

    fn has_failures(&self) -> bool {
        !self.failed.is_empty() || !self.attempts.is_empty()
    }

    /// The items with failures or attempts, which are void once the items have run again.
    pub(super) fn keys_with_failures(&self) -> HashSet<ItemKey> {
        self.failed.keys().chain(self.attempts.keys()).copied().collect()
    }
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

    pub(super) fn add(&mut self, row: &BatchRow, keys: Option<Keys>) {
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
