//! The items that are done, by key.

use crate::ledger::DoneBatch;
use crate::model::{ItemKey, Keys};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// The items that are done, to be struck out one by one.
pub(super) struct DoneItems {
    listed: HashMap<ItemKey, VecDeque<(usize, usize)>>,
    /// Batches whose keys follow each other, by the first: the batch and how many.
    runs: BTreeMap<ItemKey, (usize, usize)>,
}

impl DoneItems {
    pub(super) fn new(batches: &[DoneBatch]) -> Self {
        let mut done = Self { listed: HashMap::new(), runs: BTreeMap::new() };
        for (number, batch) in batches.iter().enumerate() {
            match &batch.keys {
                Keys::Run(first, count) => drop(done.runs.insert(*first, (number, *count))),
                Keys::List(keys) => keys.iter().enumerate().for_each(|(position, key)| {
                    done.listed.entry(*key).or_default().push_back((number, position));
                }),
            }
        }
        done
    }

    /// The batch, and the position in it, of a done item with this key.
    pub(super) fn take(&mut self, key: ItemKey) -> Option<(usize, usize)> {
        if let Some((first, (batch, count))) = self.runs.range(..=key).next_back()
            && let Some(position) = key.within(*first, *count)
        {
            return Some((*batch, position));
        }
        self.listed.get_mut(&key).and_then(VecDeque::pop_front)
    }
}
