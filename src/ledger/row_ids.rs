//! What identifies a row of `batches` for ever, and sets of such rows as text, for whoever notes elsewhere what he has taken.
//!
//! The number of a row alone may be given again when rows were deleted, but not in the execution that wrote the row: within
//! one, numbers only grow, and executions are never deleted.

use std::collections::BTreeMap;
use std::fmt;

/// A row with results of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId {
    /// The execution that wrote it; 0 if it was taken over from an earlier run.
    pub execution: i64,
    /// Its number.
    pub id: i64,
}

/// Rows of a step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowIds {
    /// The first and the last of neighbours.
    ranges: BTreeMap<RowId, i64>,
}

impl RowIds {
    /// Reads what [`fmt::Display`] writes; what is not a row is left out.
    pub fn parse(text: &str) -> Self {
        let mut all = Self::default();
        for part in text.split(',') {
            let range = part.split_once(':').and_then(|(execution, rows)| {
                let (first, last) = rows.split_once('-').unwrap_or((rows, rows));
                Some((execution.parse().ok()?, first.parse().ok()?, last.parse::<i64>().ok()?))
            });
            if let Some((execution, id, last)) = range.filter(|(_, first, last)| first <= last) {
                all.ranges.insert(RowId { execution, id }, last);
            }
        }
        all
    }

    /// Adds a row that is not in it.
    pub fn insert(&mut self, row: RowId) {
        let RowId { execution, id } = row;
        let before = self.ranges.range(..row).next_back().map(|(first, last)| (*first, *last));
        let before = before.filter(|(first, last)| first.execution == execution && last + 1 == id);
        let after = self.ranges.remove(&RowId { execution, id: id + 1 });
        let first = before.map_or(row, |(first, _)| first);
        self.ranges.insert(first, after.unwrap_or(id));
    }

    /// Whether a row is in it.
    pub fn contains(&self, row: RowId) -> bool {
        let last = self.ranges.range(..=row).next_back();
        last.is_some_and(|(first, last)| first.execution == row.execution && row.id <= *last)
    }

    /// Adds all rows of another set.
    pub fn extend(&mut self, other: &Self) {
        self.ranges.extend(&other.ranges);
    }

    /// The first row of neighbours, and the number of the last.
    pub fn ranges(&self) -> impl Iterator<Item = (RowId, i64)> + '_ {
        self.ranges.iter().map(|(first, last)| (*first, *last))
    }

    /// How many rows there are.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| last.abs_diff(first.id) + 1).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

/// `EXECUTION:FIRST-LAST`, with commas.
impl fmt::Display for RowIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (RowId { execution, id }, last)) in self.ranges.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let end = if last == id { String::new() } else { format!("-{last}") };
            write!(f, "{comma}{execution}:{id}{end}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_written_as_ranges_and_read_again() {
        let row = |(execution, id)| RowId { execution, id };
        let mut ids = RowIds::default();
        let rows = [(1, 3), (1, 1), (2, 2), (1, 2), (1, 7), (2, 3), (10, 4)];
        rows.into_iter().for_each(|one| ids.insert(row(one)));
        assert_eq!(ids.to_string(), "1:1-3,1:7,2:2-3,10:4");
        assert_eq!(ids.len(), 7);
        assert!(rows.into_iter().all(|one| ids.contains(row(one))));
        assert!([(1, 0), (1, 4), (2, 1), (2, 4), (3, 4), (0, 3)].into_iter().all(|one| !ids.contains(row(one))));
        assert_eq!(RowIds::parse(&ids.to_string()), ids);
        assert!(RowIds::parse("").is_empty() && RowIds::parse("x,1:,3-1,1:3-1").is_empty());
    }
}
