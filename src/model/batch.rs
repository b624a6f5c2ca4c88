//! Items and batches: the unit of input, and the unit of work, commit and retry.

use super::{Failure, Keys, LineNumbers, Origin};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// Items packed one behind the other, each as JSON text without raw newlines.
///
/// One buffer for many items: a batch of a thousand numbers is two allocations, and travels with two copies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Items {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Items {
    /// Appends one item, given as JSON text.
    pub fn push(&mut self, json: &[u8]) {
        self.bytes.extend_from_slice(json);
        self.close();
    }

    /// Appends one item that `write` puts at the end of the buffer as JSON text.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.close();
    }

    fn close(&mut self) {
        let end = u32::try_from(self.bytes.len()).expect("a batch stays under 4 GiB: sources cut at `Items::is_full`");
        self.ends.push(end);
    }

    /// Appends items that stand one behind the other in `bytes`, each up to one of the `ends`.
    pub fn extend(&mut self, bytes: &[u8], ends: &[usize]) {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let end = |end: &usize| {
            u32::try_from(before + end).expect("a batch stays under 4 GiB: sources cut at `Items::is_full`")
        };
        self.ends.extend(ends.iter().map(end));
    }

    /// Whether it holds so many bytes that the next item belongs into another batch (1 GiB).
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= 1 << 30
    }

    /// How many items it holds.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it holds no item.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The JSON text of the item at `position`.
    pub fn get(&self, position: usize) -> &[u8] {
        &self.bytes[self.range(position)]
    }

    /// Where the item at `position` stands in the bytes of [`Self::as_parts`].
    pub fn range(&self, position: usize) -> Range<usize> {
        let start = if position == 0 { 0 } else { self.ends[position - 1] as usize };
        start..self.ends[position] as usize
    }

    /// The items in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|position| self.get(position))
    }

    /// The packed bytes and the end offset of each item.
    pub fn as_parts(&self) -> (&[u8], &[u32]) {
        (&self.bytes, &self.ends)
    }

    /// Puts packed parts together again. `ends` must not fall and must end at the length of `bytes`.
    pub fn from_parts(bytes: Vec<u8>, ends: Vec<u32>) -> Option<Self> {
        let ordered = ends.is_sorted() && ends.last().map_or(0, |end| *end as usize) == bytes.len();
        ordered.then_some(Self { bytes, ends })
    }
}

/// Where the items of a batch stand in the source: a run of neighbours, or single ones when failed items are tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Indexes {
    /// Neighbours
    Range(Range<u64>),
    /// Any, in rising order
    List(Vec<u64>),
}

impl Indexes {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Range(range) => usize::try_from(range.end - range.start).expect("a batch fits into memory"),
            Self::List(list) => list.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The index of the item at `position` of the batch.
    pub fn get(&self, position: usize) -> u64 {
        match self {
            Self::Range(range) => range.start + position as u64,
            Self::List(list) => list[position],
        }
    }

    /// The indexes in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len()).map(|position| self.get(position))
    }

    /// Collects rising indexes, as a range where they are neighbours.
    pub fn from_rising(list: Vec<u64>) -> Self {
        match (list.first(), list.last()) {
            (Some(first), Some(last)) if last - first + 1 == list.len() as u64 => Self::Range(*first..last + 1),
            _ => Self::List(list),
        }
    }
}

/// A batch: some items that a slot takes together. Where a task takes items one by one, batches that follow each other may
/// travel as one, so that a batch of one item costs no more than its item: `size` tells where each begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its number in the step, from 1. A retry keeps the number.
    pub number: u64,
    /// How many items a batch has: fewer than there are where several travel as one.
    pub size: usize,
    /// Which try at these items this is, from 1.
    pub attempt: u32,
    /// Where the items stand in the source.
    pub indexes: Indexes,
    /// The items themselves.
    pub items: Items,
    /// What each of them is known by.
    pub keys: Keys,
    /// How the items are to be read: a place in the forms of the step's source.
    pub form: usize,
    /// Where they came from, where that is a file.
    pub origin: Option<Origin>,
    /// How much of the source's files they come to, in bytes on the disk; 0 where that is not known.
    pub bytes: u64,
    /// Why there is nothing to run, where the source knows: the batch has one item then, which stands for a bad file.
    pub file_error: Option<Failure>,
}

impl Batch {
    /// One item, given as JSON text.
    pub fn of_one(index: u64, key: super::ItemKey, json: &[u8]) -> Self {
        let mut items = Items::default();
        items.push(json);
        Self {
            number: 1,
            size: 1,
            attempt: 1,
            indexes: Indexes::Range(index..index + 1),
            items,
            keys: Keys::List(vec![key]),
            form: 0,
            origin: None,
            bytes: 0,
            file_error: None,
        }
    }

    /// How many batches travel in it.
    pub fn batches(&self) -> usize {
        self.items.len().div_ceil(self.size.max(1))
    }

    /// Number and size of the batch that the item at `position` belongs to.
    pub fn of_item(&self, position: usize) -> (u64, usize) {
        let before = position / self.size.max(1);
        let left = self.items.len() - before * self.size;
        (self.number + before as u64, if self.batches() == 1 { self.size } else { left.min(self.size) })
    }

    /// Some of its items, all of one batch, as a batch of that number. The positions must rise.
    pub fn part(&self, positions: &[usize], attempt: u32) -> Self {
        let mut items = Items::default();
        positions.iter().for_each(|position| items.push(self.items.get(*position)));
        let line = |origin: &Origin| positions.iter().map(|position| origin.line(&self.items, 0, *position)).collect();
        let origin = self
            .origin
            .as_ref()
            .map(|origin| Origin { file: Arc::clone(&origin.file), lines: LineNumbers::Each(line(origin)) });
        Self {
            number: positions.first().map_or(self.number, |first| self.of_item(*first).0),
            size: positions.len(),
            attempt,
            indexes: Indexes::from_rising(positions.iter().map(|position| self.indexes.get(*position)).collect()),
            items,
            keys: Keys::from_list(positions.iter().map(|position| self.keys.get(*position)).collect()),
            form: self.form,
            origin,
            bytes: self.bytes * positions.len() as u64 / (self.items.len() as u64).max(1),
            file_error: self.file_error.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_as_they_were_packed() {
        let mut items = Items::default();
        items.push(b"1");
        items.push(b"");
        items.push_with(|bytes| bytes.extend_from_slice(b"\"x\""));
        assert_eq!(items.iter().collect::<Vec<_>>(), [b"1".as_slice(), b"", b"\"x\""]);
        let (bytes, ends) = items.as_parts();
        assert_eq!(Items::from_parts(bytes.to_vec(), ends.to_vec()), Some(items.clone()));
        assert_eq!(Items::from_parts(bytes.to_vec(), vec![3, 1, 4]), None);
    }

    #[test]
    fn neighbours_become_a_range() {
        assert_eq!(Indexes::from_rising(vec![4, 5, 6]), Indexes::Range(4..7));
        assert_eq!(Indexes::from_rising(vec![4, 6]), Indexes::List(vec![4, 6]));
    }
}
