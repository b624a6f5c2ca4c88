//! Which items an execution of a run is to run.

use crate::ledger::{FailedItems, StepHistory};
use crate::model::ItemKey;
use std::collections::{BTreeSet, HashSet};

/// Which items an execution of a run is to run.
#[derive(Debug, Clone, Default)]
pub enum ItemSelection {
    /// All that have no result yet.
    #[default]
    Left,
    /// Those that failed.
    Failed,
    /// Those that failed and are named.
    Only(ItemNames),
    /// Those that the user has cancelled or skipped.
    Cancelled,
}

impl ItemSelection {
    /// The items that it selects from.
    pub fn among<'a>(&self, history: &'a StepHistory) -> &'a FailedItems {
        if matches!(self, Self::Cancelled) { &history.cancelled } else { &history.failed }
    }

    /// Whether it includes one of these items; the index is the one it had then.
    pub fn takes(&self, index: u64, key: ItemKey) -> bool {
        match self {
            Self::Left | Self::Failed | Self::Cancelled => true,
            Self::Only(names) => names.has(index, key),
        }
    }
}

/// Names of items: their indexes, or the beginnings of their keys. Looking an item up does not depend on how many there are.
#[derive(Debug, Clone, Default)]
pub struct ItemNames {
    indexes: HashSet<u64>,
    keys: HashSet<String>,
    /// The lengths of the beginnings.
    lengths: BTreeSet<usize>,
}

impl ItemNames {
    /// The fewest characters of a key that name an item.
    pub const LEAST_OF_KEY: usize = 4;

    fn has(&self, index: u64, key: ItemKey) -> bool {
        if self.indexes.contains(&index) || self.keys.is_empty() {
            return self.indexes.contains(&index);
        }
        let key = key.to_string();
        self.lengths.iter().any(|length| key.get(..*length).is_some_and(|beginning| self.keys.contains(beginning)))
    }
}

impl<S: AsRef<str>> FromIterator<S> for ItemNames {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut all = Self::default();
        for name in names {
            let name = name.as_ref();
            // Digits may be either.
            all.indexes.extend(name.parse::<u64>());
            if name.len() >= Self::LEAST_OF_KEY {
                all.lengths.insert(name.len());
                all.keys.insert(name.to_owned());
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_named_by_its_index_or_the_beginning_of_its_key() {
        let key = ItemKey::from(0x1234_5678 << 96);
        assert_eq!(&key.to_string()[..10], "1234567800");
        let takes = |names: &[&str], index| ItemSelection::Only(names.iter().collect()).takes(index, key);
        assert!(takes(&["7"], 7) && takes(&["8", "7"], 7) && takes(&["1234"], 7) && takes(&["0000", "123456780"], 7));
        assert!(takes(&["1234"], 1234), "digits may be an index too");
        assert!(!takes(&["123"], 7) && !takes(&["2345"], 7) && !takes(&[], 7) && !takes(&["é123"], 7));
        assert!(ItemSelection::Failed.takes(7, key));
    }
}
