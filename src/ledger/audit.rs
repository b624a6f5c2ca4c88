//! Checks a run from its files alone: every item has exactly one outcome, and every result line is whole.

use super::error::LedgerError;
use super::folder::io_error;
use super::past::u64s;
use super::reader::{Reader, StepRecord};
use super::writer::GONE;
use crate::model::Status;
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// What was checked of a step, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// Items with a result.
    pub succeeded: u64,
    /// Items that failed.
    pub failed: u64,
    /// One line for each thing that is wrong.
    pub problems: Vec<String>,
}

/// The most problems that are named.
const MOST_PROBLEMS: usize = 20;

impl Reader {
    /// Audits a step.
    ///
    /// # Errors
    /// Where ledger or results file cannot be read at all.
    pub fn audit(&self, step: &StepRecord) -> Result<Audit, LedgerError> {
        let mut audit = Audit::default();
        let mut outcomes: HashMap<u64, u32> = HashMap::new();
        let path = self.folder().results(&step.name);
        for batch in self.batch_rows(step)? {
            let indexes: Vec<u64> = match &batch.indexes {
                Some(bytes) => u64s(bytes),
                None => (batch.first..batch.first + batch.count).collect(),
            };
            indexes.iter().filter(|index| **index != GONE).for_each(|index| *outcomes.entry(*index).or_default() += 1);
            let mut lines = vec![0; usize::try_from(batch.length).unwrap_or(usize::MAX)];
            let file = File::open(&path).map_err(|source| io_error("read", &path, source))?;
            if file.read_exact_at(&mut lines, batch.offset).is_err() {
                audit.problems.push(format!("results of the batch at item {} are cut short", batch.first));
                continue;
            }
            let whole = lines.is_empty() || lines.ends_with(b"\n");
            let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
            let json = lines.iter().all(|line| serde_json::from_slice::<IgnoredAny>(line).is_ok());
            if !whole || !json || !batch.list && lines.len() != indexes.len() {
                audit.problems.push(format!("results of the batch at item {} are no whole lines of JSON", batch.first));
            }
        }
        audit.succeeded = outcomes.len() as u64;
        for failure in self.failures(step)? {
            audit.failed += 1;
            *outcomes.entry(failure.index).or_default() += 1;
        }
        let mut double: Vec<u64> = outcomes.iter().filter(|(_, count)| **count > 1).map(|(index, _)| *index).collect();
        double.sort_unstable();
        audit
            .problems
            .extend(double.iter().take(MOST_PROBLEMS).map(|index| format!("item {index} has more than one outcome")));
        let stats = &step.stats;
        let ended = !matches!(step.status, Status::Running | Status::Interrupted);
        if ended && outcomes.len() as u64 + stats.skipped != stats.total {
            let found = outcomes.len();
            audit
                .problems
                .push(format!("{found} of {} items have an outcome, and {} were not run", stats.total, stats.skipped));
        }
        audit.problems.truncate(MOST_PROBLEMS);
        Ok(audit)
    }
}
