//! Batches: the unit of work, commit and retry.

use super::{Failure, Items, Keys, LineNumbers, Origin};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// The indexes of the items of a batch in the source: a range, or single ones if failed items are retried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Indexes {
    /// Consecutive indexes
    Range(Range<u64>),
    /// Any indexes, in rising order
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

    /// The position of the item with this index in the batch, if it is in it.
    pub fn position(&self, index: u64) -> Option<usize> {
        match self {
            Self::Range(range) => range.contains(&index).then(|| usize::try_from(index - range.start).ok())?,
            Self::List(list) => list.binary_search(&index).ok(),
        }
    }

    /// The indexes in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len()).map(|position| self.get(position))
    }

    /// Collects rising indexes, as a range if they are consecutive.
    pub fn from_rising(list: Vec<u64>) -> Self {
        match (list.first(), list.last()) {
            (Some(first), Some(last)) if last - first + 1 == list.len() as u64 => Self::Range(*first..last + 1),
            _ => Self::List(list),
        }
    }
}

/// A batch: items that a slot takes together. If a task takes items one by one, consecutive batches may travel as one, so
/// that a batch of one item costs no more than its item. `size` tells where each begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its number in the step, from 1. A retry keeps the number.
    pub number: u64,
    /// Items per batch: less than the number of items if several batches travel as one.
    pub size: usize,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The indexes of the items in the source.
    pub indexes: Indexes,
    /// The items themselves.
    pub items: Items,
    /// The key of each item.
    pub keys: Keys,
    /// How to read the items: an index into the forms of the step's source.
    pub form: usize,
    /// Where they came from, if that is a file.
    pub origin: Option<Origin>,
    /// How many bytes of the source's files they cover; 0 if unknown.
    pub bytes: u64,
    /// Why there is nothing to run, if the source knows. The batch then has one item, which stands for a bad file.
    pub file_error: Option<Box<Failure>>,
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

    /// Some of its items, which must belong to one batch, as a separate batch. The positions must rise.
    pub fn part(&self, positions: &[usize], attempt: u32) -> Self {
        let items = self.items.part(positions);
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
    fn neighbours_become_a_range() {
        assert_eq!(Indexes::from_rising(vec![4, 5, 6]), Indexes::Range(4..7));
        assert_eq!(Indexes::from_rising(vec![4, 6]), Indexes::List(vec![4, 6]));
    }

    #[test]
    fn an_index_has_a_position_only_in_its_batch() {
        assert_eq!(Indexes::Range(4..7).position(5), Some(1));
        assert_eq!(Indexes::List(vec![2, 5, 9]).position(9), Some(2));
        assert_eq!((Indexes::Range(4..7).position(7), Indexes::List(vec![2, 5]).position(3)), (None, None));
    }

    #[test]
    fn a_part_of_a_batch_keeps_the_lines_of_its_rows() {
        let rows = ["a\n", "\"b\nb\"\r\n", "c\r", "d"];
        let mut items = Items::default();
        rows.iter().for_each(|row| items.push(row.as_bytes()));
        let lines = LineNumbers::From(10);
        let batch = Batch {
            size: rows.len(),
            indexes: Indexes::Range(0..4),
            keys: Keys::Run(crate::model::ItemKey::of(b"file"), 4),
            origin: Some(Origin { file: "f".into(), lines }),
            items,
            ..Batch::of_one(0, crate::model::ItemKey::of(b""), b"")
        };
        let part = batch.part(&[1, 2, 3], 2);
        assert_eq!(part.origin.as_ref().unwrap().lines, LineNumbers::Each(vec![11, 13, 14]));
        assert_eq!(part.part(&[2], 3).origin.unwrap().lines, LineNumbers::Each(vec![14]));
    }
}
