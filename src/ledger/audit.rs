//! Checks a step from its files alone: every item has exactly one outcome, and every result is intact.

use super::batches::present;
use super::error::LedgerError;
use super::step_files::StepFiles;
use super::step_reader::StepReader;
use crate::model::{ResultForm, Status};
use serde::de::IgnoredAny;
use std::collections::HashMap;

/// What the check of a step found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// Items with a result.
    pub succeeded: u64,
    /// Items that failed.
    pub failed: u64,
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
        let step = &self.record;
        let mut audit = Audit::default();
        let mut outcomes: HashMap<u64, u32> = HashMap::new();
        let files = StepFiles::open(self.folder, &step.name)?;
        let mut lines = Vec::new();
        for batch in self.batch_rows()? {
            let first = batch.first;
            if files.keys(&batch)?.is_none() {
                audit.problems.push(format!("batch at item {first}: keys are missing"));
            }
            let why = files.results(&batch, &mut lines)?;
            let broken = |line: &[u8]| serde_json::from_slice::<IgnoredAny>(line).is_err();
            let mut parts = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            match why {
                Some(_)
                    if batch.form == ResultForm::Lines
                        && !lines.is_empty()
                        && (!lines.ends_with(b"\n") || parts.any(broken)) =>
                {
                    audit.problems.push(format!("batch at item {first}: results are not complete lines of JSON"));
                }
                Some(why) => audit.problems.push(format!("batch at item {first}: results {why}")),
                // Only now is it certain that we wrote the number of its items.
                None => present(batch.indexes()).for_each(|index| *outcomes.entry(index).or_default() += 1),
            }
        }
        audit.succeeded = outcomes.len() as u64;
        for failure in self.failures()? {
            audit.failed += 1;
            *outcomes.entry(failure.index).or_default() += 1;
        }
        let mut double: Vec<u64> = outcomes.iter().filter(|(_, count)| **count > 1).map(|(index, _)| *index).collect();
        double.sort_unstable();
        audit
            .problems
            .extend(double.iter().take(MAX_PROBLEMS).map(|index| format!("item {index} has more than one outcome")));
        let stats = &step.stats;
        let ended = !matches!(step.status, Status::Running | Status::Interrupted);
        if ended && (outcomes.len() as u64).saturating_add(stats.skipped).saturating_add(stats.unchanged) != stats.total
        {
            let found = outcomes.len();
            audit
                .problems
                .push(format!("{found} of {} items have an outcome, {} were skipped", stats.total, stats.skipped));
        }
        audit.problems.truncate(MAX_PROBLEMS);
        Ok(audit)
    }
}
