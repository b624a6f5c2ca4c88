//! Loads what earlier executions did in a step.
//!
//! The rows are compared with the files: a batch that has lost its results or keys does not count as done. A step whose
//! results cannot be compared with the current workflow is refused.

use super::batches::{BatchRow, FileEnds};
use super::columns::unsigned;
use super::database::Database;
use super::error::LedgerError;
use super::fingerprints;
use super::folder::RunFolder;
use super::history::{DoneBatch, FailedItem, FailedItems, LostBatch, StepHistory};
use super::ids::{FingerprintId, StepId};
use super::row_hashes::RowHashes;
use super::row_ids::RowId;
use super::schema::{check_rows_of, fingerprint_column};
use super::seals::{ATTEMPTS, FAILURES, FINGERPRINTS};
use super::step_files::StepFiles;
use super::steps;
use crate::model::{Fingerprint, ItemKey, StepName};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What was loaded.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) history: StepHistory,
    /// How much of the files counts.
    pub(super) ends: FileEnds,
    /// Whether a file is longer than that.
    pub(super) files_shrink: bool,
}

/// Loads a step. Whoever opened the run has checked that no row was moved to another step.
pub(super) fn load(db: &Database, step: StepId, folder: &RunFolder, name: &StepName) -> Result<Loaded, LedgerError> {
    let mut loaded = Loaded::default();
    let history = &mut loaded.history;
    let files = StepFiles::open(folder, name)?;
    db.run(|db| check_rows_of(db, step, &[&FINGERPRINTS, &FAILURES, &ATTEMPTS]))?;
    let rows = db.run(|db| BatchRow::all(db, step))?;
    let mut used = used_by_failures(db, step)?;
    used.extend(rows.iter().map(|row| row.fingerprint));
    history.fingerprints = check_fingerprints(db, step, folder, &used)?;
    let (ends, mut results) = (&mut loaded.ends, Vec::new());
    for row in rows {
        let damage = files.results(&row, &mut results)?;
        match (files.keys(&row)?, row.fingerprint) {
            (Ok(keys), Some(fingerprint)) if damage.is_none() => {
                ends.results = ends.results.max(row.offset + row.length);
                ends.keys = ends.keys.max(row.keys_offset + row.keys_size());
                let (indexes, list) = (row.packed_indexes(), row.is_list);
                let row = RowId { execution: row.execution, id: row.id };
                history.batches.push(DoneBatch { row, indexes, keys, list, fingerprint });
            }
            (keys, _) => history.lost.push(LostBatch { row, keys: keys.ok() }),
        }
    }
    (history.begun, history.ended) = (true, db.run(|db| steps::ended(db, step))?);
    history.rows = RowHashes::load(folder, name)?;
    loaded.files_shrink = files.are_longer_than(*ends);
    load_failures(db, step, history)?;
    Ok(loaded)
}

/// Loads failures and attempts.
pub(super) fn load_failures(db: &Database, step: StepId, history: &mut StepHistory) -> Result<(), LedgerError> {
    db.run(|db| {
        history.failed = failed_items(db, step, "NOT left_out")?;
        history.left_out = failed_items(db, step, "left_out AND kind NOT IN ('cancelled', 'skipped')")?;
        history.cancelled = failed_items(db, step, "kind IN ('cancelled', 'skipped')")?;
        history.attempts = by_key(db, step, "SELECT key, attempts FROM attempts WHERE step = ?1")?;
        Ok(())
    })
}

/// The fingerprints of failures and attempts; none stands for those that were recorded without one.
fn used_by_failures(db: &Database, step: StepId) -> Result<BTreeSet<Option<FingerprintId>>, LedgerError> {
    db.run(|db| {
        let column = fingerprint_column(db)?;
        let query = format!(
            "SELECT {column} FROM failures WHERE step = ?1 UNION SELECT {column} FROM attempts WHERE step = ?1"
        );
        db.prepare(&query)?.query_map([step.0], |row| row.get(0))?.collect()
    })
}

/// The fingerprints that a step's rows use. Refuses those that this version does not compute.
fn check_fingerprints(
    db: &Database,
    step: StepId,
    folder: &RunFolder,
    used: &BTreeSet<Option<FingerprintId>>,
) -> Result<BTreeMap<FingerprintId, Fingerprint>, LedgerError> {
    if used.is_empty() {
        return Ok(BTreeMap::new());
    }
    if used.contains(&None) {
        return Err(not_comparable(db, folder, 1));
    }
    let mut fingerprints = db.run(|db| fingerprints::all(db, step))?;
    fingerprints.retain(|id, _| used.contains(&Some(*id)));
    if fingerprints.len() < used.len() {
        let cause = "a fingerprint that results depend on is missing".to_owned();
        return Err(LedgerError::damaged(db.path().to_path_buf(), cause));
    }
    match fingerprints.values().find(|fingerprint| fingerprint.version != Fingerprint::VERSION) {
        Some(other) => Err(not_comparable(db, folder, other.version)),
        None => Ok(fingerprints),
    }
}

/// The error for a run whose results have fingerprints of another version.
pub(super) fn not_comparable(db: &Database, folder: &RunFolder, version: u32) -> LedgerError {
    let made_by = db.run(|db| db.query_row("SELECT batchmill FROM run", [], |row| row.get(0)));
    match made_by {
        Ok(made_by) => LedgerError::OtherFingerprints { run: folder.run.clone(), made_by, version },
        Err(error) => error,
    }
}

/// Deletes rows that have lost their results or keys.
pub(super) fn delete_lost(db: &Connection, step: StepId, lost: &[LostBatch]) -> rusqlite::Result<()> {
    if lost.is_empty() {
        return Ok(());
    }
    for batch in lost {
        db.execute("DELETE FROM batches WHERE step = ?1 AND id = ?2", [step.0, batch.row.id])?;
    }
    steps::change_revision(db, step)
}

/// The failures for which a condition holds, in the order of their items.
fn failed_items(db: &Connection, step: StepId, condition: &str) -> rusqlite::Result<FailedItems> {
    let query = format!(
        "SELECT key, id, item_index, attempts, item FROM failures WHERE step = ?1 AND {condition} ORDER BY item_index"
    );
    let mut statement = db.prepare(&query)?;
    let rows = statement.query_map([step.0], |row| {
        let failed = FailedItem {
            id: row.get(1)?,
            index: unsigned(row.get(2)?).unwrap_or(0),
            attempts: row.get(3)?,
            text: FailedItem::hash_of(row.get_ref(4)?.as_bytes()?),
        };
        Ok((row.get::<_, String>(0)?, failed))
    })?;
    let mut items = FailedItems::new();
    for row in rows {
        let (key, failed) = row?;
        if let Ok(key) = u128::from_str_radix(&key, 16) {
            // Most have one, and a list that grows begins with room for four.
            items.entry(ItemKey::from(key)).or_insert_with(|| Vec::with_capacity(1)).push(failed);
        }
    }
    Ok(items)
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
