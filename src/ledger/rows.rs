//! The rows of a commit: batches, failures, attempts.

use super::batches::{Owner, lines_hash};
use super::writer::{StepKey, integer, microseconds, word};
use crate::model::{BatchReport, Indexes, ItemKey, Keys};
use rusqlite::{Connection, params};
use std::collections::HashSet;

/// The keys that are kept: of those that follow each other, the first.
pub(super) fn kept(keys: &Keys) -> impl Iterator<Item = ItemKey> + '_ {
    keys.iter().take(if matches!(keys, Keys::Run(..)) { 1 } else { usize::MAX })
}

/// What the rows of a transaction have in common.
pub(super) struct Rows<'a> {
    pub(super) step: StepKey,
    pub(super) execution: i64,
    /// What the first report's row in `batches` is numbered.
    pub(super) first: i64,
    /// Where results and keys of the first report begin.
    pub(super) starts: (u64, u64),
    /// Items of which there are failures or attempts of an earlier execution.
    pub(super) keys_with_failures: &'a HashSet<ItemKey>,
}

/// Inserts the rows of batches, and settles what was known of their items.
pub(super) fn insert(db: &mut Connection, rows: &Rows<'_>, reports: &[BatchReport]) -> rusqlite::Result<()> {
    // A row alone is a transaction of its own, and spares two statements. Most items that take a while come so.
    if let [report] = reports
        && report.failed.is_empty()
        && report.retries.is_empty()
        && report.attempt == 1
        && rows.keys_with_failures.is_empty()
        && !report.succeeded.is_empty()
    {
        return insert_batch(db, rows, (rows.first, report), rows.starts);
    }
    let transaction = db.transaction()?;
    let (mut offset, mut keys_offset) = rows.starts;
    for (id, report) in (rows.first..).zip(reports) {
        if !report.succeeded.is_empty() {
            insert_batch(&transaction, rows, (id, report), (offset, keys_offset))?;
        }
        offset += report.lines.0.len() as u64;
        keys_offset += (kept(&report.keys).count() * ItemKey::SIZE) as u64;
        if !rows.keys_with_failures.is_empty() || report.attempt > 1 {
            forget_items(&transaction, rows, report)?;
        }
        insert_failures(&transaction, rows, report)?;
    }
    transaction.commit()
}

fn insert_batch(
    db: &Connection,
    rows: &Rows<'_>,
    (id, report): (i64, &BatchReport),
    (offset, keys_offset): (u64, u64),
) -> rusqlite::Result<()> {
    let indexes = match &report.succeeded {
        Indexes::Range(_) => None,
        Indexes::List(list) => Some(list.iter().flat_map(|index| index.to_le_bytes()).collect::<Vec<u8>>()),
    };
    let (first, count) = (report.succeeded.get(0), report.succeeded.len() as u64);
    let run = matches!(report.keys, Keys::Run(..));
    let owner =
        Owner { first, count, indexes: indexes.as_deref(), list: report.list, form: report.form, keys_offset, run };
    let checksum = owner.seal(lines_hash(&report.lines.0));
    let mut statement = db.prepare_cached(
        "INSERT INTO batches (step, id, number, attempt, first, count, indexes, is_list, offset, length, keys_offset, duration_us,
         execution, checksum, keys_run, form) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?;
    statement.execute(params![
        rows.step.0,
        id,
        integer(report.number),
        report.attempt,
        integer(first),
        integer(count),
        indexes,
        report.list,
        integer(offset),
        integer(report.lines.0.len() as u64),
        integer(keys_offset),
        microseconds(report.span.took),
        rows.execution,
        checksum,
        run,
        word(&report.form),
    ])?;
    Ok(())
}

/// What was known of items that were run now is void. Items that are alike share a key, so only one row is meant.
fn forget_items(db: &Connection, rows: &Rows<'_>, report: &BatchReport) -> rusqlite::Result<()> {
    let mut failures = db.prepare_cached(
        "DELETE FROM failures WHERE id =
         (SELECT id FROM failures WHERE step = ?1 AND key = ?2 AND execution < ?3 ORDER BY id LIMIT 1)",
    )?;
    let mut attempts = db.prepare_cached(
        "DELETE FROM attempts WHERE id = (SELECT id FROM attempts WHERE step = ?1 AND key = ?2 AND attempts = ?3 LIMIT 1)",
    )?;
    let retried = report.retries.iter().flat_map(|(batch, _, _)| batch.keys.iter());
    let keys = report.keys.iter().chain(report.failed.iter().map(|failed| failed.key)).chain(retried);
    for key in keys.filter(|key| report.attempt > 1 || rows.keys_with_failures.contains(key)) {
        let key = key.to_string();
        failures.execute(params![rows.step.0, key, rows.execution])?;
        attempts.execute(params![rows.step.0, key, report.attempt - 1])?;
    }
    Ok(())
}

fn insert_failures(db: &Connection, rows: &Rows<'_>, report: &BatchReport) -> rusqlite::Result<()> {
    let mut failures = db.prepare_cached(
        "INSERT INTO failures (step, item_index, key, item, attempts, kind, type, message, detail, handler, execution, duration_us,
         left_out) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    for failed in &report.failed {
        let handler = failed.handler.as_ref().map(|failure| failure.message.clone());
        failures.execute(params![
            rows.step.0,
            integer(failed.index),
            failed.key.to_string(),
            String::from_utf8_lossy(&failed.item),
            failed.attempts,
            word(&failed.failure.kind),
            failed.failure.class,
            failed.failure.message,
            failed.failure.detail,
            handler,
            rows.execution,
            failed.failure.took.map(microseconds),
            failed.left_out,
        ])?;
    }
    let mut attempts = db.prepare_cached("INSERT INTO attempts (step, key, attempts) VALUES (?1, ?2, ?3)")?;
    // What has had no attempt that counts, as the halves of a batch, is as new.
    for (batch, _, _) in report.retries.iter().filter(|(batch, _, _)| batch.attempt > 1) {
        for key in batch.keys.iter() {
            attempts.execute(params![rows.step.0, key.to_string(), batch.attempt - 1])?;
        }
    }
    Ok(())
}
