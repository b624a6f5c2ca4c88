//! The items that are done, by key.

use super::bits::Bits;
use crate::ledger::DoneBatch;
use crate::model::{Indexes, ItemKey, Keys};
use std::collections::{BTreeMap, HashMap};

/// An item of a done batch: the batch, and the position in it.
pub(super) type Place = (usize, usize);

/// The items that are done, struck out one by one. Equal items have equal keys, with one entry each.
///
/// As long as each item of the list is where it was, it is found by its index. The maps of keys are made when the first one is
/// elsewhere, and hold only what is left by then: a list of millions that has not changed needs none.
pub(super) struct DoneItems<'a> {
    batches: &'a [DoneBatch],
    /// Batches that share no range of indexes with another, by the index of the first item. Empty once the maps are made.
    spans: BTreeMap<u64, usize>,
    /// Indexes that were struck out by these, a bit for each.
    by_index: Bits,
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
        let mut done = Self {
            batches,
            spans: spans(batches),
            by_index: Bits::default(),
            listed: HashMap::new(),
            runs: BTreeMap::new(),
            struck: HashMap::new(),
            longest: 0,
        };
        for (number, batch) in batches.iter().enumerate() {
            match &batch.keys {
                Keys::List(_) if done.is_span(number) => {}
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

    /// Whether the items of this batch are found by their indexes.
    fn is_span(&self, number: usize) -> bool {
        let first = self.batches[number].indexes.iter().next();
        first.is_some_and(|first| self.spans.get(&first) == Some(&number))
    }

    /// Finds an item where it was, as long as all were.
    fn at_home(&self, key: ItemKey, index: u64) -> Option<Place> {
        let (_, number) = self.spans.range(..=index).next_back()?;
        let DoneBatch { indexes, keys, .. } = &self.batches[*number];
        let position = indexes.position(index)?;
        (position < keys.len() && keys.get(position) == key).then_some((*number, position))
    }

    /// Makes the maps of what is left.
    fn list_spans(&mut self) {
        for number in std::mem::take(&mut self.spans).into_values() {
            let DoneBatch { indexes, keys, .. } = &self.batches[number];
            for (position, (key, index)) in keys.iter().zip(indexes.iter()).enumerate() {
                if !self.by_index.has(index) {
                    self.list(key, (number, position));
                }
            }
        }
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

    /// Strikes out the item with this key that was done at this index, if it is among those that are listed.
    fn take_listed_at(&mut self, key: ItemKey, index: u64) -> Option<Place> {
        match self.listed.get_mut(&key)? {
            Listed::One((batch, position)) => {
                let place = (*batch, *position);
                (self.index(place) == index).then(|| self.listed.remove(&key)).map(|_| place)
            }
            Listed::Several(several) => several.remove(&index),
        }
    }

    /// Whether an item with this key is among those that are listed.
    fn has_listed(&self, key: ItemKey) -> bool {
        match self.listed.get(&key) {
            Some(Listed::One(_)) => true,
            Some(Listed::Several(several)) => !several.is_empty(),
            None => false,
        }
    }

    /// The index that an item had when it was done.
    pub(super) fn index(&self, (batch, position): Place) -> u64 {
        self.batches[batch].indexes.get(position)
    }

    /// Looks for the item with this key at this index.
    pub(super) fn find(&mut self, key: ItemKey, index: u64) -> Found {
        if let Some(place) = self.at_home(key, index) {
            self.by_index.set(index);
            return Found::Taken(place);
        }
        if let Some(place) = self.take_listed_at(key, index) {
            return Found::Taken(place);
        }
        self.list_spans();
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
        self.list_spans();
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

    /// Whether an item with this key is done and not struck out; it is at this index now.
    pub(super) fn has(&mut self, key: ItemKey, index: u64) -> bool {
        if self.at_home(key, index).is_some() || self.has_listed(key) {
            return true;
        }
        self.list_spans();
        self.has_listed(key) || !self.places_in_runs(key).is_empty()
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

/// Batches with a list of keys and rising indexes, by the first of them. None begins before another one ends.
fn spans(batches: &[DoneBatch]) -> BTreeMap<u64, usize> {
    let (mut ranges, mut lists) = (Vec::new(), Vec::new());
    for (number, batch) in batches.iter().enumerate() {
        let Keys::List(keys) = &batch.keys else { continue };
        match &batch.indexes {
            Indexes::Range(range) if !keys.is_empty() && range.end - range.start == keys.len() as u64 => {
                ranges.push((range.clone(), number));
            }
            Indexes::List(list) if list.len() == keys.len() && batch.done() == keys.len() as u64 => {
                if let (Some(first), Some(last), true) = (list.first(), list.last(), list.is_sorted_by(|a, b| a < b)) {
                    lists.push((*first..last + 1, number));
                }
            }
            Indexes::Range(_) | Indexes::List(_) => {}
        }
    }
    ranges.sort_unstable_by_key(|(range, _)| range.start);
    if ranges.iter().zip(ranges.iter().skip(1)).any(|((range, _), (next, _))| next.start < range.end) {
        // Rows of a damaged ledger.
        return BTreeMap::new();
    }
    let mut spans: BTreeMap<u64, (u64, usize)> =
        ranges.into_iter().map(|(range, number)| (range.start, (range.end, number))).collect();
    // What was retried has indexes between those of its batch.
    for (range, number) in lists {
        let before = spans.range(..range.end).next_back();
        if before.is_none_or(|(_, (end, _))| *end <= range.start) {
            spans.insert(range.start, (range.end, number));
        }
    }
    spans.into_iter().map(|(first, (_, number))| (first, number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(batches: &[(&str, &[u64])]) -> Vec<DoneBatch> {
        let batch = |(items, indexes): &(&str, &[u64])| {
            let keys = items.bytes().map(|item| ItemKey::of(&[item])).collect();
            DoneBatch::of(Indexes::from_rising(indexes.to_vec()), Keys::List(keys))
        };
        batches.iter().map(batch).collect()
    }

    /// Where each of these items is found, in order: `batch.position`, `?` or `-`.
    fn found(batches: &[DoneBatch], items: &str) -> String {
        let mut done = DoneItems::new(batches);
        let mut undecided = Vec::new();
        let mut found: Vec<String> = Vec::new();
        for (index, item) in (0..).zip(items.bytes()) {
            let key = ItemKey::of(&[item]);
            found.push(match done.find(key, index) {
                Found::Taken((batch, position)) => format!("{batch}.{position}"),
                Found::Nothing => "-".to_owned(),
                Found::Several => {
                    undecided.push((found.len(), key));
                    "?".to_owned()
                }
            });
        }
        for (at, key) in undecided {
            found[at] = done.take_any(key).map_or("-".to_owned(), |(batch, position)| format!("{batch}.{position}?"));
        }
        found.join(" ")
    }

    #[test]
    fn items_are_found_where_they_were_and_elsewhere() {
        let batches = done(&[("ab", &[0, 1]), ("ef", &[4, 5]), ("cd", &[2, 3]), ("hj", &[7, 9])]);
        assert_eq!(found(&batches, "abcdefghij"), "0.0 0.1 2.0 2.1 1.0 1.1 - 3.0 - 3.1");
        assert_eq!(DoneItems::new(&batches).spans.len(), 4);
        assert_eq!(found(&batches, "abxcdefa"), "0.0 0.1 - 2.0 2.1 1.0 1.1 -");
        assert_eq!(found(&batches, "fedcbah"), "1.1 1.0 2.1 2.0 0.1 0.0 3.0");
        assert!(
            DoneItems::new(&batches).has(ItemKey::of(b"c"), 2) && DoneItems::new(&batches).has(ItemKey::of(b"c"), 7)
        );
        assert!(!DoneItems::new(&batches).has(ItemKey::of(b"x"), 2));
    }

    #[test]
    fn items_that_were_retried_between_others_leave_the_rest_to_its_indexes() {
        let batches = done(&[("abcd", &[0, 1, 2, 3]), ("eg", &[4, 6]), ("hij", &[7, 8, 9]), ("f", &[5])]);
        let mut items = DoneItems::new(&batches);
        for (index, item) in (0..).zip(b"abcdefghij") {
            assert!(items.has(ItemKey::of(&[*item]), index));
            assert!(matches!(items.find(ItemKey::of(&[*item]), index), Found::Taken(_)), "{index}");
            let listed = usize::from(index < 4) + usize::from(index < 6);
            assert_eq!((items.spans.len(), items.listed.len()), (3, listed));
        }
    }

    #[test]
    fn equal_items_are_struck_out_one_by_one() {
        let batches = done(&[("aab", &[0, 1, 2]), ("a", &[4])]);
        assert_eq!(found(&batches, "aabxaa"), "0.0 0.1 0.2 - 1.0 -");
        assert_eq!(found(&batches, "xaaa"), "- 0.1 0.0? 1.0?");
        let overlapping = done(&[("ab", &[0, 1]), ("cd", &[1, 2])]);
        assert_eq!(found(&overlapping, "acbd"), "0.0 1.0 0.1 1.1");
        let interleaved = done(&[("ac", &[0, 2]), ("bd", &[1, 3])]);
        assert_eq!(found(&interleaved, "abcdx"), "0.0 1.0 0.1 1.1 -");
        let scattered = done(&[("ab", &[0, 2]), ("cd", &[3, 7])]);
        assert_eq!(found(&scattered, "axbcxxxd"), "0.0 - 0.1 1.0 - - - 1.1");
        assert_eq!(found(&scattered, "ba"), "0.1 0.0");
    }
}
