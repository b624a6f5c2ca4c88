//! The items that are done, by key.

use crate::ledger::DoneBatch;
use crate::model::{ItemKey, Keys};
use std::collections::{BTreeMap, HashMap};

/// An item of a done batch: the batch, and the position in it.
pub(super) type Place = (usize, usize);

/// The items that are done, struck out one by one. Equal items have equal keys, with one entry each.
pub(super) struct DoneItems<'a> {
    batches: &'a [DoneBatch],
    listed: HashMap<ItemKey, Listed>,
    /// Batches with consecutive keys, by the first key.
    runs: BTreeMap<ItemKey, Vec<usize>>,
    /// Positions of such batches that were struck out, by batch.
    struck: HashMap<usize, Vec<bool>>,
    /// The number of keys in the longest of them.
    longest: usize,
}

/// Where the items with a key are.
enum Listed {
    One(Place),
    /// By index. There may be as many as there are items, so they are never iterated over.
    Several(BTreeMap<u64, Place>),
}

/// What was found for an item.
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// The item itself, or the only equal one. It is struck out.
    Taken(Place),
    /// Several equal items, all done at other indexes. The choice is made once the whole list is known.
    Several,
}

impl<'a> DoneItems<'a> {
    pub(super) fn new(batches: &'a [DoneBatch]) -> Self {
        let mut done =
            Self { batches, listed: HashMap::new(), runs: BTreeMap::new(), struck: HashMap::new(), longest: 0 };
        for (number, batch) in batches.iter().enumerate() {
            match &batch.keys {
                Keys::Run(first, count) => {
                    done.runs.entry(*first).or_default().push(number);
                    done.longest = done.longest.max(*count);
                }
                Keys::List(keys) => {
                    keys.iter().enumerate().for_each(|(position, key)| done.list(*key, (number, position)));
                }
            }
        }
        done
    }

    fn list(&mut self, key: ItemKey, place: Place) {
        let index = self.index(place);
        match self.listed.remove(&key) {
            None => drop(self.listed.insert(key, Listed::One(place))),
            Some(Listed::One(first)) => {
                let several = BTreeMap::from([(self.index(first), first), (index, place)]);
                self.listed.insert(key, Listed::Several(several));
            }
            Some(Listed::Several(mut several)) => {
                several.insert(index, place);
                self.listed.insert(key, Listed::Several(several));
            }
        }
    }

    /// The index that an item had when it was done.
    pub(super) fn index(&self, (batch, position): Place) -> u64 {
        self.batches[batch].indexes[position]
    }

    /// Looks for the item with this key at this index.
    pub(super) fn find(&mut self, key: ItemKey, index: u64) -> Found {
        match self.listed.get_mut(&key) {
            Some(Listed::One(place)) => {
                let place = *place;
                self.listed.remove(&key);
                return Found::Taken(place);
            }
            Some(Listed::Several(several)) => match several.remove(&index) {
                Some(place) => return Found::Taken(place),
                None if !several.is_empty() => return Found::Several,
                None => {}
            },
            None => {}
        }
        let places = self.places_in_runs(key);
        let same = places.iter().find(|place| self.index(**place) == index);
        match (same, &places[..]) {
            (Some(place), _) | (None, [place]) => {
                let place = *place;
                self.strike(place);
                Found::Taken(place)
            }
            (None, []) => Found::Nothing,
            (None, _) => Found::Several,
        }
    }

    /// Strikes out any item with this key.
    pub(super) fn take_any(&mut self, key: ItemKey) -> Option<Place> {
        if let Some(Listed::Several(several)) = self.listed.get_mut(&key)
            && let Some((_, place)) = several.pop_first()
        {
            return Some(place);
        }
        if let Some(Listed::One(place)) = self.listed.remove(&key) {
            return Some(place);
        }
        let place = self.places_in_runs(key).first().copied()?;
        self.strike(place);
        Some(place)
    }

    /// Whether an item with this key is done and not struck out.
    pub(super) fn has(&self, key: ItemKey) -> bool {
        let listed = match self.listed.get(&key) {
            Some(Listed::One(_)) => true,
            Some(Listed::Several(several)) => !several.is_empty(),
            None => false,
        };
        listed || !self.places_in_runs(key).is_empty()
    }

    /// The items with this key in batches with consecutive keys. A key is in several if a file is listed twice.
    fn places_in_runs(&self, key: ItemKey) -> Vec<Place> {
        let mut places = Vec::new();
        for (first, numbers) in self.runs.range(..=key).rev() {
            // Batches that begin this far before the key cannot reach it.
            if key.within(*first, self.longest).is_none() {
                break;
            }
            for number in numbers {
                let position = key.within(*first, self.batches[*number].keys.len());
                let is_struck = |position: &usize| self.struck.get(number).is_some_and(|struck| struck[*position]);
                places.extend(position.filter(|position| !is_struck(position)).map(|position| (*number, position)));
            }
        }
        places
    }

    fn strike(&mut self, (batch, position): Place) {
        let count = self.batches[batch].keys.len();
        self.struck.entry(batch).or_insert_with(|| vec![false; count])[position] = true;
    }
}
