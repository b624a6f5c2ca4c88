//! Checks a step from its files alone: every item has exactly one outcome, and every result is intact.

use super::batches::{BatchRow, present};
use super::error::LedgerError;
use super::schema::leaves_unchanged_out;
use super::step_files::StepFiles;
use super::step_reader::StepReader;
use crate::model::{ResultForm, Stats, Status};
use serde::de::IgnoredAny;
use std::collections::BTreeSet;
use std::ops::Range;

/// What the check of a step found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// Items with a result.
    pub succeeded: u64,
    /// Items that failed.
    pub failed: u64,
    /// Items that the user has cancelled or skipped.
    pub cancelled: u64,
    /// One line for each problem.
    pub problems: Vec<String>,
}

/// How many problems are listed at most.
const MAX_PROBLEMS: usize = 20;

impl StepReader<'_> {
    /// Checks the step.
    ///
    /// # Errors
    /// If the ledger or the results file cannot be read at all.
    pub fn audit(&self) -> Result<Audit, LedgerError> {
        let mut audit = Audit::default();
        let mut outcomes = Vec::new();
        let files = StepFiles::open(self.folder, &self.record.name)?;
        let mut results = Vec::new();
        let mut checked = Ok(());
        self.each_row(&mut |row| {
            if checked.is_ok() {
                checked = audit.check(&row, &files, (&mut results, &mut outcomes));
            }
        })?;
        checked?;
        audit.succeeded = Coverage::of(&mut outcomes).items;
        let failures = self.failure_keys()?;
        audit.failed = failures.len() as u64;
        let cancelled = self.cancelled()?;
        audit.cancelled = cancelled.len() as u64;
        let without_result = failures.into_iter().map(|(index, _)| index).chain(cancelled);
        outcomes.extend(without_result.map(|index| index..index.saturating_add(1)));
        let Coverage { items, repeated } = Coverage::of(&mut outcomes);
        audit.problems.extend(repeated.iter().map(|index| format!("item {index} has more than one outcome")));
        let Stats { total, skipped, mut unchanged, .. } = self.record.stats;
        if !self.db.run(leaves_unchanged_out)? {
            unchanged = 0;
        }
        let ended = !matches!(self.record.status, Status::Running | Status::Interrupted);
        if ended && items.saturating_add(skipped).saturating_add(unchanged) != total {
            audit.problems.push(format!("{items} of {total} items have an outcome, {skipped} were skipped"));
        }
        audit.problems.truncate(MAX_PROBLEMS);
        Ok(audit)
    }
}

impl Audit {
    /// Checks the keys and the results of a row. If they are intact, its items are added to the outcomes.
    fn check(
        &mut self,
        row: &BatchRow,
        files: &StepFiles,
        (results, outcomes): (&mut Vec<u8>, &mut Vec<Range<u64>>),
    ) -> Result<(), LedgerError> {
        if let Err(why) = files.keys(row)? {
            self.problems.push(format!("batch at item {}: keys {why}", row.first));
        }
        match files.results(row, results)? {
            Some(why) => {
                let why = if is_torn(row, results) { "are not complete lines of JSON" } else { why };
                self.problems.push(format!("batch at item {}: results {why}", row.first));
            }
            // Only now is it certain that the number of items is the one that was written.
            None => outcomes.extend(item_ranges(row)),
        }
        Ok(())
    }
}

/// Whether the results of a batch are not even JSON Lines.
fn is_torn(row: &BatchRow, results: &[u8]) -> bool {
    let is_json = |line: &[u8]| serde_json::from_slice::<IgnoredAny>(line).is_ok();
    let mut lines = results.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    row.form == ResultForm::Lines && !results.is_empty() && !(results.ends_with(b"\n") && lines.all(is_json))
}

/// The indexes of a batch's items.
fn item_ranges(row: &BatchRow) -> Vec<Range<u64>> {
    let range = |first: u64, count| first..first.saturating_add(count);
    match &row.indexes {
        None => Vec::from([range(row.first, row.count)]),
        Some(_) => present(row.indexes()).map(|index| range(index, 1)).collect(),
    }
}

/// The items in some ranges.
struct Coverage {
    /// How many items they have, each counted once.
    items: u64,
    /// Items that are in more than one; not more than are listed.
    repeated: BTreeSet<u64>,
}

impl Coverage {
    /// Sorts the ranges, and counts.
    fn of(ranges: &mut [Range<u64>]) -> Self {
        ranges.sort_unstable_by_key(|range| range.start);
        let (mut items, mut end, mut repeated) = (0, 0, BTreeSet::new());
        for range in ranges {
            repeated.extend((range.start..range.end.min(end)).take(MAX_PROBLEMS.saturating_sub(repeated.len())));
            items += range.end.saturating_sub(range.start.max(end));
            end = end.max(range.end);
        }
        Self { items, repeated }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_counted_once_and_repeated_ones_are_named() {
        let Coverage { items, repeated } = Coverage::of(&mut [8..10, 0..5, 3..4, 9..12, 4..6]);
        assert_eq!((items, repeated.into_iter().collect()), (10, vec![3, 4, 9]));
    }
}
