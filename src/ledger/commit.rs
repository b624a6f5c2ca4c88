//! The rows of a commit: batches, failures, attempts.

use super::batches::{BatchHeader, FileEnds, encode_indexes, hash_keys, hash_results};
use super::columns::{integer, microseconds, variant_name};
use super::database::Database;
use super::error::LedgerError;
use super::ids::{FingerprintId, StepId};
use super::steps;
use crate::model::{BatchReport, Indexes, ItemKey, Keys};
use rusqlite::{Connection, params};
use std::collections::HashSet;

/// The keys that are stored: of keys that follow each other, only the first.
pub(super) fn stored_keys(keys: &Keys) -> impl Iterator<Item = ItemKey> + '_ {
    keys.iter().take(if matches!(keys, Keys::Run(..)) { 1 } else { usize::MAX })
}

/// What the rows of a transaction have in common.
pub(super) struct Commit<'a> {
    pub(super) step: StepId,
    pub(super) execution: i64,
    /// What the results depend on.
    pub(super) fingerprint: FingerprintId,
    /// The number of the first report's row in `batches`.
    pub(super) first_batch: i64,
    /// Where results and keys of the first report begin.
    pub(super) ends: FileEnds,
    /// Items with failures or attempts of an earlier execution.
    pub(super) keys_with_failures: &'a HashSet<ItemKey>,
}

impl Commit<'_> {
    /// Inserts the rows of batches, and deletes what they make void.
    pub(super) fn write(&self, db: &mut Database, reports: &[BatchReport]) -> Result<(), LedgerError> {
        // A single row is a transaction of its own, which saves two statements. Most items that take a while come like this.
        if let [report] = reports
            && report.failed.is_empty()
            && report.retries.is_empty()
            && report.attempt == 1
            && self.keys_with_failures.is_empty()
            && !report.succeeded.is_empty()
        {
            return db.run(|db| self.insert_batch(db, self.first_batch, self.ends, report));
        }
        db.transaction(|db| {
            let mut ends = self.ends;
            for (id, report) in (self.first_batch..).zip(reports) {
                if !report.succeeded.is_empty() {
                    self.insert_batch(db, id, ends, report)?;
                }
                ends.results += report.lines.0.len() as u64;
                ends.keys += (stored_keys(&report.keys).count() * ItemKey::SIZE) as u64;
                if !self.keys_with_failures.is_empty() || report.attempt > 1 {
                    self.forget_items(db, report)?;
                }
                self.insert_failures(db, report)?;
            }
            Ok(())
        })
    }

    fn insert_batch(&self, db: &Connection, id: i64, ends: FileEnds, report: &BatchReport) -> rusqlite::Result<()> {
        let indexes = match &report.succeeded {
            Indexes::Range(_) => None,
            Indexes::List(list) => Some(encode_indexes(list.iter().copied())),
        };
        let (first, count) = (report.succeeded.get(0), report.succeeded.len() as u64);
        let header = BatchHeader {
            first,
            count,
            indexes: indexes.as_deref(),
            is_list: report.list,
            form: report.form,
            keys_offset: ends.keys,
            keys_are_run: matches!(report.keys, Keys::Run(..)),
            fingerprint: Some(self.fingerprint),
        };
        let keys: Vec<u8> = stored_keys(&report.keys).flat_map(ItemKey::to_bytes).collect();
        let checksum = header.checksum(hash_results(&report.lines.0));
        let mut statement = db.prepare_cached(
            "INSERT INTO batches (step, id, number, attempt, first, count, indexes, is_list, offset, length, keys_offset, duration_us,
             execution, checksum, keys_run, form, fingerprint, keys_checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        )?;
        statement.execute(params![
            self.step.0,
            id,
            integer(report.number),
            report.attempt,
            integer(first),
            integer(count),
            indexes,
            report.list,
            integer(ends.results),
            integer(report.lines.0.len() as u64),
            integer(ends.keys),
            microseconds(report.span.took),
            self.execution,
            checksum,
            header.keys_are_run,
            variant_name(&report.form),
            self.fingerprint,
            hash_keys(&keys),
        ])?;
        Ok(())
    }

    /// Deletes the failures and attempts of items that have now run. Equal items share a key, so only one row of a key is
    /// deleted: the one with the same index, if there is one.
    fn forget_items(&self, db: &Connection, report: &BatchReport) -> rusqlite::Result<()> {
        let mut failures = db.prepare_cached(
            "DELETE FROM failures WHERE id = (SELECT id FROM failures WHERE step = ?1 AND key = ?2 AND execution < ?3
             ORDER BY item_index = ?4 DESC, id LIMIT 1)",
        )?;
        let mut attempts = db.prepare_cached(
            "DELETE FROM attempts WHERE id = (SELECT id FROM attempts WHERE step = ?1 AND key = ?2 AND attempts = ?3 LIMIT 1)",
        )?;
        let retried = report.retries.iter().flat_map(|(batch, _, _)| batch.indexes.iter().zip(batch.keys.iter()));
        let failed = report.failed.iter().map(|failed| (failed.index, failed.key));
        let items = report.succeeded.iter().zip(report.keys.iter()).chain(failed).chain(retried);
        let mut deleted = 0;
        for (index, key) in items.filter(|(_, key)| report.attempt > 1 || self.keys_with_failures.contains(key)) {
            // Looks at all failures with this key, and equal items share one: only where an earlier execution left some.
            let has_failed_before = self.keys_with_failures.contains(&key);
            let key = key.to_string();
            if has_failed_before {
                deleted += failures.execute(params![self.step.0, key, self.execution, integer(index)])?;
            }
            attempts.execute(params![self.step.0, key, report.attempt - 1])?;
        }
        if deleted > 0 {
            // A failure that takes the place of the deleted one gets its number, so the numbers would not tell.
            steps::change_revision(db, self.step)?;
        }
        Ok(())
    }

    fn insert_failures(&self, db: &Connection, report: &BatchReport) -> rusqlite::Result<()> {
        let mut failures = db.prepare_cached(
            "INSERT INTO failures (step, item_index, key, item, attempts, kind, type, message, detail, handler, execution, duration_us,
             left_out, fingerprint) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?;
        for failed in &report.failed {
            let handler = failed.handler.as_ref().map(|failure| failure.message.clone());
            failures.execute(params![
                self.step.0,
                integer(failed.index),
                failed.key.to_string(),
                String::from_utf8_lossy(&failed.item),
                failed.attempts,
                variant_name(&failed.failure.kind),
                failed.failure.class,
                failed.failure.message,
                failed.failure.detail,
                handler,
                self.execution,
                failed.failure.took.map(microseconds),
                failed.left_out,
                self.fingerprint,
            ])?;
        }
        let mut attempts =
            db.prepare_cached("INSERT INTO attempts (step, key, attempts, fingerprint) VALUES (?1, ?2, ?3, ?4)")?;
        // Items without an attempt that counts, such as those of a halved batch, are as good as new.
        for (batch, _, _) in report.retries.iter().filter(|(batch, _, _)| batch.attempt > 1) {
            for key in batch.keys.iter() {
                attempts.execute(params![self.step.0, key.to_string(), batch.attempt - 1, self.fingerprint])?;
            }
        }
        Ok(())
    }
}
