//! Counts of rows: how many have something in common, and how many follow each other without a gap.

/// Rows that have something in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Occurrences {
    /// How many there are.
    pub rows: u64,
    /// The line of the first one, from 1; 0 if there is none.
    pub first_line: u64,
}

impl Occurrences {
    /// Counts a row, and finds its line if it is the first.
    pub(super) fn add(&mut self, line: impl FnOnce() -> u64) {
        if self.rows == 0 {
            self.first_line = line();
        }
        self.rows += 1;
    }
}

/// Rows as they follow each other: how many there are between two gaps, because a batch never spans one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowRuns {
    ended: Vec<u64>,
    last: u64,
    rows: u64,
}

impl RowRuns {
    /// If there are more gaps, the runs are not kept.
    const MOST: usize = 1 << 12;

    pub(super) fn row(&mut self) {
        self.last += 1;
        self.rows += 1;
    }

    pub(super) fn gap(&mut self) {
        if self.last > 0 && self.ended.len() <= Self::MOST {
            self.ended.push(std::mem::take(&mut self.last));
        }
    }

    /// All rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The lengths of the runs, unless there are too many of them.
    pub fn lengths(&self) -> Option<impl Iterator<Item = u64> + '_> {
        let all = self.ended.iter().copied().chain(std::iter::once(self.last)).filter(|run| *run > 0);
        (self.ended.len() <= Self::MOST).then_some(all)
    }
}
