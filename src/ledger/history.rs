//! What earlier executions of a run did of a step, loaded when the run goes on.

use super::baseline::BaselineKeys;
use super::batches::{BatchRow, Files, Owner, present};
use super::error::LedgerError;
use super::folder::RunFolder;
use super::writer::{REMOVED_ITEM, StepKey};
use crate::model::{ItemKey, Keys, StepName};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A batch that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoneBatch {
    id: i64,
    /// The items' indexes at that time, line by line.
    pub indexes: Vec<u64>,
    /// What the items are known by.
    pub keys: Keys,
    /// Whether its results are those of the batch as a whole.
    pub list: bool,
}

/// What was done of a step.
#[derive(Debug, Clone, Default)]
pub struct StepHistory {
    /// By what the step could be told from a changed one: names and hashes.
    pub fingerprint: BTreeMap<String, String>,
    /// The batches that are done.
    pub batches: Vec<DoneBatch>,
    /// Attempts of items whose last attempt failed, by key: one entry for each of those that are alike.
    pub failed: HashMap<ItemKey, Vec<u32>>,
    /// Attempts of items that waited to be tried again, likewise.
    pub attempts: HashMap<ItemKey, Vec<u32>>,
    /// Bad rows that were left out.
    pub left_out: HashSet<ItemKey>,
    /// Items that the last good run of the workflow has done, where only what is new is to be run.
    pub known: BaselineKeys,
    /// Items that were done, and are not any more.
    pub lost: LostItems,
    /// Rows whose results or keys are gone.
    pub(super) void: Vec<i64>,
    /// Whether the files go on behind what counts of them.
    pub(super) shrinks: bool,
    /// Bytes of the results file that count.
    pub(super) results_end: u64,
    /// Bytes of the keys file that count.
    pub(super) keys_end: u64,
}

impl StepHistory {
    /// Whether nothing was done.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
            && !self.has_failures()
            && self.left_out.is_empty()
            && self.known.is_empty()
            && self.lost.is_empty()
    }

    fn has_failures(&self) -> bool {
        !self.failed.is_empty() || !self.attempts.is_empty()
    }

    /// The items of which there are failures or attempts that are void once they are run again.
    pub(super) fn keys_with_failures(&self) -> HashSet<ItemKey> {
        self.failed.keys().chain(self.attempts.keys()).copied().collect()
    }
}

/// Items that were done, but whose results somebody or something took away.
#[derive(Debug, Clone, Default)]
pub struct LostItems {
    results: HashMap<ItemKey, u64>,
    /// Where the keys are gone, only the places of items are known: first and last of neighbours.
    keys: BTreeMap<u64, u64>,
}

/// Why a done item is not done any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossReason {
    /// Its result is gone.
    Result,
    /// What tells whose result it is is gone.
    Key,
}

impl LostItems {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.results.is_empty() && self.keys.is_empty()
    }

    /// Strikes an item out, and says why it was in here. Items that are alike are struck out one by one.
    pub fn take(&mut self, index: u64, key: ItemKey) -> Option<LossReason> {
        if let Some(count) = self.results.get_mut(&key).filter(|count| **count > 0) {
            *count -= 1;
            return Some(LossReason::Result);
        }
        let last = self.keys.range(..=index).next_back().map(|(_, last)| *last);
        last.is_some_and(|last| index <= last).then_some(LossReason::Key)
    }

    fn add(&mut self, row: &BatchRow, keys: Option<Keys>) {
        match (keys, &row.indexes) {
            (Some(keys), _) => keys.iter().for_each(|key| *self.results.entry(key).or_default() += 1),
            (None, None) => drop(self.keys.insert(row.first, row.first.saturating_add(row.count).saturating_sub(1))),
            (None, Some(_)) => self.keys.extend(present(row.indexes()).map(|index| (index, index))),
        }
    }
}

/// Where the items of a done batch stand now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    id: i64,
    indexes: Vec<Option<u64>>,
}

impl DoneBatch {
    /// The same batch with its items at other places; none stands for an item that is gone.
    pub fn moved(&self, indexes: Vec<Option<u64>>) -> RowChange {
        RowChange { id: self.id, indexes }
    }
}

/// What was done of a step. What its rows point at is compared with the files: a batch whose lines or keys are gone was not
/// done.
pub(super) fn load(
    db: &Connection,
    step: StepKey,
    folder: &RunFolder,
    name: &StepName,
) -> Result<StepHistory, LedgerError> {
    let sqlite = |source| LedgerError::sqlite(&folder.database(), source);
    let fingerprint = db.query_row("SELECT fingerprint FROM steps WHERE id = ?1", [step.0], |row| row.get(0));
    let fingerprint: String = fingerprint.map_err(sqlite)?;
    let mut past =
        StepHistory { fingerprint: serde_json::from_str(&fingerprint).unwrap_or_default(), ..StepHistory::default() };
    let files = Files::open(folder, name)?;
    let mut lines = Vec::new();
    for row in BatchRow::all(db, step.0).map_err(sqlite)? {
        let gone = files.lines(&row, &mut lines)?;
        let keys = files.keys(&row)?;
        match keys {
            Some(keys) if gone.is_none() => {
                past.results_end = past.results_end.max(row.offset + row.length);
                past.keys_end = past.keys_end.max(row.keys_offset + row.keys_size());
                past.batches.push(DoneBatch { id: row.id, indexes: row.indexes(), keys, list: row.list });
            }
            keys => {
                past.void.push(row.id);
                past.lost.add(&row, keys);
            }
        }
    }
    past.shrinks = files.go_on(past.results_end, past.keys_end);
    past.failed =
        by_key(db, "SELECT key, attempts FROM failures WHERE step = ?1 AND NOT left_out", step).map_err(sqlite)?;
    let left_out =
        by_key(db, "SELECT key, attempts FROM failures WHERE step = ?1 AND left_out", step).map_err(sqlite)?;
    past.left_out = left_out.into_keys().collect();
    past.attempts = by_key(db, "SELECT key, attempts FROM attempts WHERE step = ?1", step).map_err(sqlite)?;
    Ok(past)
}

/// Opens the row of a step again. Rows whose results are gone are forgotten.
pub(super) fn reopen(db: &mut Connection, step: StepKey, is_batch: bool, past: &StepHistory) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    transaction.execute(
        "UPDATE steps SET status = 'running', finished = NULL, total = NULL, succeeded = NULL, failed = NULL,
         is_batch = ?2, moves = moves + ?3 WHERE id = ?1",
        params![step.0, is_batch, !past.void.is_empty()],
    )?;
    for id in &past.void {
        transaction.execute("DELETE FROM batches WHERE step = ?1 AND id = ?2", [step.0, *id])?;
    }
    transaction.commit()
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
            transaction.execute("DELETE FROM batches WHERE step = ?1 AND id = ?2", [step.0, change.id])?;
            continue;
        };
        let bytes: Vec<u8> =
            change.indexes.iter().flat_map(|index| index.unwrap_or(REMOVED_ITEM).to_le_bytes()).collect();
        let row = BatchRow::one(&transaction, (step.0, change.id))?;
        let (first, count) = (*first, kept.len() as u64);
        let (list, form, keys_offset, run) = (row.list, row.form, row.keys_offset, row.run);
        let owner = Owner { first, count, indexes: Some(&bytes), list, form, keys_offset, run };
        let (first, count) = (i64::try_from(first).unwrap_or(0), i64::try_from(count).unwrap_or(0));
        transaction.execute(
            "UPDATE batches SET first = ?2, count = ?3, indexes = ?4, checksum = ?5 WHERE step = ?6 AND id = ?1",
            params![change.id, first, count, bytes, owner.seal(row.lines_hash()), step.0],
        )?;
    }
    transaction.commit()
}

/// The number of the row in `batches` that was written last for a step; 0 where there is none.
pub(super) fn last_batch(db: &Connection, step: StepKey) -> rusqlite::Result<i64> {
    db.query_row("SELECT coalesce(max(id), 0) FROM batches WHERE step = ?1", [step.0], |row| row.get(0))
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
