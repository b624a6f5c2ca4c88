//! Loads what earlier executions did in a step.
//!
//! What the rows point at is compared with the files: a batch whose results or keys are gone does not count as done.

use super::batches::BatchRow;
use super::database::Database;
use super::error::LedgerError;
use super::folder::RunFolder;
use super::history::{DoneBatch, StepHistory};
use super::step_files::StepFiles;
use super::steps::{self, StepId};
use crate::model::{ItemKey, StepName};
use rusqlite::Connection;
use std::collections::HashMap;

/// What was loaded.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) history: StepHistory,
    /// Rows whose results or keys are gone.
    pub(super) void: Vec<i64>,
    /// How many bytes of the results file count.
    pub(super) results_end: u64,
    /// How many bytes of the keys file count.
    pub(super) keys_end: u64,
    /// Whether a file is longer than that.
    pub(super) files_shrink: bool,
}

/// Loads a step.
pub(super) fn load(db: &Database, step: StepId, folder: &RunFolder, name: &StepName) -> Result<Loaded, LedgerError> {
    let fingerprint: String =
        db.run(|db| db.query_row("SELECT fingerprint FROM steps WHERE id = ?1", [step.0], |row| row.get(0)))?;
    let mut loaded = Loaded::default();
    let history = &mut loaded.history;
    history.fingerprint = serde_json::from_str(&fingerprint).unwrap_or_default();
    let files = StepFiles::open(folder, name)?;
    let mut results = Vec::new();
    for row in db.run(|db| BatchRow::all(db, step))? {
        let damage = files.results(&row, &mut results)?;
        match files.keys(&row)? {
            Some(keys) if damage.is_none() => {
                loaded.results_end = loaded.results_end.max(row.offset + row.length);
                loaded.keys_end = loaded.keys_end.max(row.keys_offset + row.keys_size());
                history.batches.push(DoneBatch { id: row.id, indexes: row.indexes(), keys, list: row.is_list });
            }
            keys => {
                loaded.void.push(row.id);
                history.lost.add(&row, keys);
            }
        }
    }
    loaded.files_shrink = files.are_longer_than(loaded.results_end, loaded.keys_end);
    db.run(|db| {
        history.failed = by_key(db, step, "SELECT key, attempts FROM failures WHERE step = ?1 AND NOT left_out")?;
        let left_out = by_key(db, step, "SELECT key, attempts FROM failures WHERE step = ?1 AND left_out")?;
        history.left_out = left_out.into_keys().collect();
        history.attempts = by_key(db, step, "SELECT key, attempts FROM attempts WHERE step = ?1")?;
        Ok(())
    })?;
    Ok(loaded)
}

/// Deletes rows whose results or keys are gone.
pub(super) fn delete_void(db: &Connection, step: StepId, void: &[i64]) -> rusqlite::Result<()> {
    if void.is_empty() {
        return Ok(());
    }
    for id in void {
        db.execute("DELETE FROM batches WHERE step = ?1 AND id = ?2", [step.0, *id])?;
    }
    steps::change_revision(db, step)
}

fn by_key(db: &Connection, step: StepId, query: &str) -> rusqlite::Result<HashMap<ItemKey, Vec<u32>>> {
    let mut statement = db.prepare(query)?;
    let rows = statement.query_map([step.0], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?)))?;
    let mut items: HashMap<ItemKey, Vec<u32>> = HashMap::new();
    for row in rows {
        let (key, attempts) = row?;
        if let Ok(key) = u128::from_str_radix(&key, 16) {
            items.entry(ItemKey::from(key)).or_default().push(attempts);
        }
    }
    Ok(items)
}
