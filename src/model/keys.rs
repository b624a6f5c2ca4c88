//! Keys, which identify items.

use std::fmt;

/// Identifies an item by its content, not by its position: the XXH3-128 hash of its JSON text. If the item names a file,
/// the hash includes the size and modification time of the file. For a row, it is the key of the row's file with the
/// number of the row in the lowest bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemKey(u128);

/// The bits of a row's number in its key: a file may have 10^12 rows.
const ROW_BITS: u32 = 40;

impl ItemKey {
    /// Bytes of a key.
    pub const SIZE: usize = 16;

    /// The key of an item's JSON text.
    pub fn of(json: &[u8]) -> Self {
        Self(xxhash_rust::xxh3::xxh3_128(json))
    }

    /// The key of an item that names a file of this size and modification time (nanoseconds since 1970).
    pub fn of_file(json: &[u8], size: u64, changed: i128) -> Self {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        hash.update(json);
        hash.update(&size.to_le_bytes());
        hash.update(&changed.to_le_bytes());
        Self(hash.digest128())
    }

    /// The key of row `row` (from 0) of the file with this key. Consecutive rows have consecutive keys.
    pub fn of_row(file: Self, row: u64) -> Self {
        Self(file.0 >> ROW_BITS << ROW_BITS | u128::from(row & ((1 << ROW_BITS) - 1)))
    }

    /// What the keys of all rows of a file have in common, if this is the key of a row.
    pub fn file_of_row(self) -> Self {
        Self(self.0 >> ROW_BITS << ROW_BITS)
    }

    /// The key `distance` after this one.
    pub fn nth(self, distance: usize) -> Self {
        Self(self.0.wrapping_add(distance as u128))
    }

    /// Its distance from `first`, if it is one of the `count` keys from there on.
    pub fn within(self, first: Self, count: usize) -> Option<usize> {
        let distance = self.0.checked_sub(first.0)?;
        usize::try_from(distance).ok().filter(|distance| *distance < count)
    }

    /// Two bytes of it that differ for keys of all kinds.
    pub fn mark(self) -> u16 {
        ((self.0 >> 112) ^ self.0) as u16
    }

    /// As bytes.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        self.0.to_le_bytes()
    }

    /// From bytes.
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        Self(u128::from_le_bytes(bytes))
    }
}

impl From<u128> for ItemKey {
    fn from(key: u128) -> Self {
        Self(key)
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The keys of some items, in order. Consecutive rows of a file need only one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// Any keys.
    List(Vec<ItemKey>),
    /// The first of consecutive keys, and how many there are.
    Run(ItemKey, usize),
}

impl Default for Keys {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Keys {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Run(_, count) => *count,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key at `position`.
    pub fn get(&self, position: usize) -> ItemKey {
        match self {
            Self::List(list) => list[position],
            Self::Run(first, _) => first.nth(position),
        }
    }

    /// The keys in order.
    pub fn iter(&self) -> impl Iterator<Item = ItemKey> + '_ {
        (0..self.len()).map(|position| self.get(position))
    }

    /// Collects keys, as a run if they are consecutive.
    pub fn from_list(list: Vec<ItemKey>) -> Self {
        match list.first() {
            Some(first) if list.len() > 1 && list.iter().enumerate().all(|(at, key)| first.nth(at) == *key) => {
                Self::Run(*first, list.len())
            }
            _ => Self::List(list),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_follow_each_other_are_a_run() {
        let file = ItemKey::of(b"a.csv");
        let list: Vec<ItemKey> = (5..8).map(|row| ItemKey::of_row(file, row)).collect();
        let run = Keys::from_list(list.clone());
        assert_eq!(run, Keys::Run(ItemKey::of_row(file, 5), 3));
        assert!(run.iter().eq(list.iter().copied()));
        assert_eq!(ItemKey::of_row(file, 7).within(list[0], 3), Some(2));
        assert_eq!(ItemKey::of_row(file, 8).within(list[0], 3), None);
        assert_ne!(ItemKey::of_row(ItemKey::of(b"b.csv"), 5), list[0]);
        assert_eq!(Keys::from_list(vec![list[1], list[0]]).len(), 2);
    }
}
