//! What earlier executions of a run did of a step, loaded when the run goes on.

use super::error::LedgerError;
use super::writer::{GONE, SCHEMA, StepKey};
use crate::model::{ItemKey, StepName};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A batch that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastBatch {
    id: i64,
    /// The items' indexes at that time, line by line.
    pub indexes: Vec<u64>,
    /// What the items are known by.
    pub keys: Vec<ItemKey>,
    /// Whether its results are those of the batch as a whole.
    pub list: bool,
}

/// What was done of a step.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// By what the step could be told from a changed one: names and hashes.
    pub fingerprint: BTreeMap<String, String>,
    /// The batches that are done.
    pub batches: Vec<PastBatch>,
    /// Attempts of items whose last attempt failed, by key: one entry for each of those that are alike.
    pub failed: HashMap<ItemKey, Vec<u32>>,
    /// Attempts of items that waited to be tried again, likewise.
    pub attempts: HashMap<ItemKey, Vec<u32>>,
    /// Bytes of the results file that count.
    pub(super) results_end: u64,
    /// Bytes of the keys file that count.
    pub(super) keys_end: u64,
}

impl Past {
    /// Whether nothing was done.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty() && !self.has_failures()
    }

    pub(super) fn has_failures(&self) -> bool {
        !self.failed.is_empty() || !self.attempts.is_empty()
    }
}

/// Where the items of a done batch stand now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    id: i64,
    indexes: Vec<Option<u64>>,
}

impl PastBatch {
    /// The same batch with its items at other places; none stands for an item that is gone.
    pub fn moved(&self, indexes: Vec<Option<u64>>) -> RowChange {
        RowChange { id: self.id, indexes }
    }
}

/// Why the past cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum PastError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What an older ledger lacks, by the schema that added it.
const ADDED: [(u32, &str); 1] =
    [(2, "ALTER TABLE failures ADD COLUMN duration_us INTEGER; ALTER TABLE steps ADD COLUMN ledger_us INTEGER;")];

/// Refuses a ledger that a newer version wrote, and adds to one of an older version what it lacks.
pub(super) fn check_schema(db: &Connection, path: &Path) -> Result<(), LedgerError> {
    let found: Result<u32, _> = db.query_row("PRAGMA user_version", [], |row| row.get(0));
    let found = found.map_err(|source| LedgerError::Sqlite { path: path.to_path_buf(), source })?;
    if found > SCHEMA {
        return Err(LedgerError::SchemaTooNew { path: path.to_path_buf(), found, known: SCHEMA });
    }
    // A file without tables is version 0, and is left to fail where it is read.
    let missing = ADDED.iter().filter(|(version, _)| found > 0 && found < *version);
    let missing: String = missing.map(|(_, add)| *add).collect();
    if !missing.is_empty() {
        let added = db.execute_batch(&format!("BEGIN; {missing} PRAGMA user_version = {SCHEMA}; COMMIT"));
        added.map_err(|source| LedgerError::Sqlite { path: path.to_path_buf(), source })?;
    }
    Ok(())
}

pub(super) fn load(db: &Connection, step: StepKey, keys: &Path) -> Result<Past, PastError> {
    let fingerprint: String =
        db.query_row("SELECT fingerprint FROM steps WHERE id = ?1", [step.0], |row| row.get(0))?;
    let mut past = Past { fingerprint: serde_json::from_str(&fingerprint).unwrap_or_default(), ..Past::default() };
    let file = File::options().create(true).truncate(false).read(true).write(true).open(keys)?;
    let mut statement = db.prepare(
        "SELECT id, first, count, indexes, is_list, offset, length, keys_offset FROM batches WHERE step = ?1 ORDER BY id",
    )?;
    let mut rows = statement.query([step.0])?;
    while let Some(row) = rows.next()? {
        let number = |at: usize| row.get::<_, i64>(at).map(|value| u64::try_from(value).unwrap_or(0));
        let (first, count) = (number(1)?, number(2)?);
        let indexes: Vec<u64> = match row.get::<_, Option<Vec<u8>>>(3)? {
            Some(bytes) => u64s(&bytes),
            None => (first..first + count).collect(),
        };
        let mut bytes = vec![0; indexes.len() * ItemKey::SIZE];
        file.read_exact_at(&mut bytes, number(7)?)?;
        let keys = bytes.chunks_exact(ItemKey::SIZE).map(|key| ItemKey::from_bytes(key.try_into().expect("16 bytes")));
        past.results_end = past.results_end.max(number(5)? + number(6)?);
        past.keys_end = past.keys_end.max(number(7)? + bytes.len() as u64);
        past.batches.push(PastBatch { id: row.get(0)?, indexes, keys: keys.collect(), list: row.get(4)? });
    }
    past.failed = by_key(db, "SELECT key, attempts FROM failures WHERE step = ?1", step)?;
    past.attempts = by_key(db, "SELECT key, attempts FROM attempts WHERE step = ?1", step)?;
    Ok(past)
}

pub(super) fn u64s(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes"))).collect()
}

fn by_key(db: &Connection, query: &str, step: StepKey) -> rusqlite::Result<HashMap<ItemKey, Vec<u32>>> {
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

/// Writes where done items stand now. A batch that lost all its items is forgotten.
pub(super) fn settle(
    db: &mut Connection,
    step: StepKey,
    changes: &[RowChange],
    gone: &[ItemKey],
) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    if !changes.is_empty() || !gone.is_empty() {
        transaction.execute("UPDATE steps SET moves = moves + 1 WHERE id = ?1", [step.0])?;
    }
    for key in gone {
        transaction.execute(
            "DELETE FROM failures WHERE id = (SELECT id FROM failures WHERE step = ?1 AND key = ?2 ORDER BY id LIMIT 1)",
            params![step.0, key.to_string()],
        )?;
    }
    for change in changes {
        let kept: Vec<u64> = change.indexes.iter().copied().flatten().collect();
        let Some(first) = kept.iter().min() else {
            transaction.execute("DELETE FROM batches WHERE id = ?1", [change.id])?;
            continue;
        };
        let bytes: Vec<u8> = change.indexes.iter().flat_map(|index| index.unwrap_or(GONE).to_le_bytes()).collect();
        let (first, count) = (i64::try_from(*first).unwrap_or(0), i64::try_from(kept.len()).unwrap_or(0));
        transaction.execute(
            "UPDATE batches SET first = ?2, count = ?3, indexes = ?4 WHERE id = ?1",
            params![change.id, first, count, bytes],
        )?;
    }
    transaction.commit()
}

/// What changes whenever the results or failures of a step do; empty where it was not started.
pub(super) fn revision(db: &Connection, step: &StepName) -> rusqlite::Result<String> {
    let query = "SELECT moves, (SELECT coalesce(max(id), 0) FROM batches WHERE step = steps.id),
        (SELECT coalesce(max(id), 0) FROM failures WHERE step = steps.id),
        (SELECT count(*) FROM failures WHERE step = steps.id) FROM steps WHERE name = ?1";
    let numbers = db.query_row(query, [step.as_str()], |row| {
        let number = |at: usize| row.get::<_, i64>(at);
        Ok(format!("{}-{}-{}-{}", number(0)?, number(1)?, number(2)?, number(3)?))
    });
    numbers.optional().map(Option::unwrap_or_default)
}
