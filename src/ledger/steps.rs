//! Rows of `steps`.

use super::batches::BatchRow;
use super::columns::{from_variant_name, integer, microseconds, now, unsigned, variant_name};
use super::ids::{FingerprintId, StepId};
use crate::model::{Stats, Status, StepName, StepReport};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

/// Whether a step runs its task once or for each item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepType {
    /// Once.
    Single,
    /// For each item.
    Batch,
}

/// The step of this name, if it was started.
pub(super) fn find(db: &Connection, name: &StepName) -> rusqlite::Result<Option<StepId>> {
    let found = db.query_row("SELECT id FROM steps WHERE name = ?1", [name.as_str()], |row| row.get(0).map(StepId));
    found.optional()
}

/// Adds a step.
pub(super) fn insert(db: &Connection, name: &StepName, step_type: StepType) -> rusqlite::Result<StepId> {
    db.execute(
        "INSERT INTO steps (name, is_batch, status, started) VALUES (?1, ?2, ?3, ?4)",
        params![name.as_str(), step_type == StepType::Batch, variant_name(&Status::Running), now()],
    )?;
    Ok(StepId(db.last_insert_rowid()))
}

/// Marks a step of an earlier execution as running again.
pub(super) fn restart(db: &Connection, step: StepId, step_type: StepType) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE steps SET status = ?3, finished = NULL, total = NULL, succeeded = NULL, failed = NULL, is_batch = ?2,
         started = ?4 WHERE id = ?1",
        params![step.0, step_type == StepType::Batch, variant_name(&Status::Running), now()],
    )?;
    Ok(())
}

/// How a step ended the last time; none if it is under way, or its process was killed.
pub(super) fn ended(db: &Connection, step: StepId) -> rusqlite::Result<Option<StepReport>> {
    let query =
        "SELECT name, status, total, succeeded, failed, skipped, retried, duration_us, ledger_us, bad_rows, unchanged,
        failure, (SELECT count(*) FROM failures WHERE step = steps.id AND kind IN ('cancelled', 'skipped'))
        FROM steps WHERE id = ?1 AND finished IS NOT NULL AND total IS NOT NULL";
    let report = db.query_row(query, [step.0], |row| {
        let count = |at: usize| row.get(at).map(|value| unsigned(value).unwrap_or(0));
        Ok(StepReport {
            name: StepName::new(&row.get::<_, String>(0)?).ok_or(rusqlite::Error::InvalidQuery)?,
            status: from_variant_name(&row.get::<_, String>(1)?).unwrap_or(Status::Interrupted),
            stats: Stats {
                total: count(2)?,
                succeeded: count(3)?,
                failed: count(4)?,
                skipped: count(5)?,
                retried: count(6)?,
                duration: Duration::from_micros(count(7)?),
                ledger: Duration::from_micros(count(8)?),
                bad_rows: count(9)?,
                unchanged: count(10)?,
                cancelled: count(12)?,
                bytes_done: 0,
                kept: 0,
            },
            failure: row.get::<_, Option<String>>(11)?.and_then(|json| serde_json::from_str(&json).ok()),
        })
    });
    report.optional()
}

/// Notes how a step ended.
pub(super) fn finish(db: &Connection, step: StepId, report: &StepReport) -> rusqlite::Result<()> {
    let stats = &report.stats;
    let failure = report.failure.as_ref().and_then(|failure| serde_json::to_string(failure).ok());
    db.execute(
        "UPDATE steps SET status = ?2, total = ?3, succeeded = ?4, failed = ?5, skipped = ?6, retried = ?7,
         duration_us = ?8, failure = ?9, finished = ?10, ledger_us = ?11, bad_rows = ?12, unchanged = ?13 WHERE id = ?1",
        params![
            step.0,
            variant_name(&report.status),
            integer(stats.total),
            integer(stats.succeeded),
            integer(stats.failed),
            integer(stats.skipped),
            integer(stats.retried),
            microseconds(stats.duration),
            failure,
            now(),
            microseconds(stats.ledger),
            integer(stats.bad_rows),
            integer(stats.unchanged),
        ],
    )?;
    Ok(())
}

/// Notes how many items a step has that is under way.
pub(super) fn expect(db: &Connection, step: StepId, total: u64) -> rusqlite::Result<()> {
    db.execute("UPDATE steps SET total = ?2 WHERE id = ?1", params![step.0, integer(total)]).map(drop)
}

/// Forgets what was done in a step.
pub(super) fn forget(db: &Connection, step: StepId) -> rusqlite::Result<()> {
    db.execute("DELETE FROM batches WHERE step = ?1", [step.0])?;
    db.execute("DELETE FROM failures WHERE step = ?1", [step.0])?;
    db.execute("DELETE FROM attempts WHERE step = ?1", [step.0])?;
    change_revision(db, step)
}

/// Forgets what was done in a step with another fingerprint than this.
pub(super) fn forget_others(db: &Connection, step: StepId, fingerprint: FingerprintId) -> rusqlite::Result<()> {
    for table in ["batches", "failures", "attempts"] {
        let query = format!("DELETE FROM {table} WHERE step = ?1 AND fingerprint IS NOT ?2");
        db.execute(&query, params![step.0, fingerprint])?;
    }
    change_revision(db, step)
}

/// Gives a step a new revision, for changes that would not change it otherwise.
pub(super) fn change_revision(db: &Connection, step: StepId) -> rusqlite::Result<()> {
    db.execute("UPDATE steps SET moves = moves + 1 WHERE id = ?1", [step.0]).map(drop)
}

/// A text that changes whenever the results or failures of a step do; empty if it was not started.
///
/// The revision of a plain step is a hash of its result: if it returns the same result again, the steps that read it see
/// no change.
pub(super) fn revision(db: &Connection, step: &StepName) -> rusqlite::Result<String> {
    let is_plain = "SELECT id FROM steps WHERE name = ?1 AND NOT is_batch";
    if let Some(id) = db.query_row(is_plain, [step.as_str()], |row| row.get(0).map(StepId)).optional()? {
        let rows = BatchRow::all(db, id)?;
        if let [row] = &rows[..] {
            return Ok(format!("value-{:016x}", row.results_hash()));
        }
    }
    let query = "SELECT moves, (SELECT coalesce(max(id), 0) FROM batches WHERE step = steps.id),
        (SELECT coalesce(max(id), 0) FROM failures WHERE step = steps.id),
        (SELECT count(*) FROM failures WHERE step = steps.id) FROM steps WHERE name = ?1";
    let numbers = db.query_row(query, [step.as_str()], |row| {
        let number = |at: usize| row.get::<_, i64>(at);
        Ok(format!("{}-{}-{}-{}", number(0)?, number(1)?, number(2)?, number(3)?))
    });
    numbers.optional().map(Option::unwrap_or_default)
}

/// The number of the row in `batches` that was written last for a step; 0 if there is none.
pub(super) fn last_batch(db: &Connection, step: StepId) -> rusqlite::Result<i64> {
    db.query_row("SELECT coalesce(max(id), 0) FROM batches WHERE step = ?1", [step.0], |row| row.get(0))
}
