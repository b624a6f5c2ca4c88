//! Takes over the results of an earlier run into a new one, with their keys, fingerprints, failures and item files.
//!
//! Bytes are copied (by the kernel, and shared if the file system can), never linked: each run can be deleted, resumed or
//! damaged without affecting another. Rows keep their numbers, so the revision of an unchanged step stays the same, and
//! so do the steps that depend on it. If most of a file no longer belongs to any row, only the rest is copied.

use super::batches::{BatchRow, CARRIED, FileEnds};
use super::columns::integer;
use super::error::LedgerError;
use super::files::io_error;
use super::folder::RunFolder;
use super::ids::StepId;
use super::load;
use super::reader::Reader;
use super::run::Ledger;
use super::run_path::RunPath;
use super::schema::check_items_once;
use super::sqlite_file::name_for_sqlite;
use crate::model::StepName;
use rusqlite::{Connection, params};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

const STEP_COLUMNS: &str =
    "id, name, is_batch, status, moves, total, succeeded, failed, skipped, retried, duration_us, failure,
    started, finished, ledger_us, bad_rows, unchanged, fingerprint";
const FAILURE_COLUMNS: &str = "id, step, item_index, key, item, attempts, kind, type, message, detail, handler, duration_us, left_out, fingerprint";
const BATCH_COLUMNS: &str = "step, id, number, attempt, first, count, indexes, is_list, offset, length, keys_offset,
    duration_us, checksum, keys_run, form, fingerprint, keys_checksum";

/// Where the bytes of a row begin in the new files.
struct Moved {
    id: i64,
    offset: u64,
    keys_offset: u64,
    checksum: i64,
}

/// A step to take over.
struct Step {
    id: i64,
    name: StepName,
    /// Rows with results.
    rows: Vec<BatchRow>,
    /// Rows without results.
    lost: Vec<i64>,
}

impl Ledger {
    /// Records that this incremental run has nothing to take over. It is still a baseline from its start.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn carry_nothing(&mut self) -> Result<(), LedgerError> {
        self.database().run(|db| db.execute("UPDATE run SET baseline = ''", []).map(drop))
    }

    /// Takes over what an earlier run did in these steps. Call it before anything else is written.
    ///
    /// # Errors
    /// If the earlier run cannot be read, or this one not be written. Nothing was taken over then.
    pub fn carry(&mut self, from: &RunFolder, steps: &[StepName]) -> Result<(), LedgerError> {
        let reader = Reader::open(from.clone())?;
        reader.check_current()?;
        let mut taken = Vec::new();
        for record in reader.steps()?.into_iter().filter(|record| steps.contains(&record.name)) {
            let (id, name) = (record.id, record.name);
            check_items_once(reader.database())?;
            let loaded = load::load(reader.database(), StepId(id), from, &name)?;
            let keys = loaded.history.batches.iter().flat_map(|batch| batch.keys.iter());
            loaded.history.rows.save(keys, self.folder(), &name)?;
            let kept: HashSet<i64> = loaded.history.batches.iter().map(|batch| batch.row.id).collect();
            let rows = reader.database().run(|db| BatchRow::all(db, StepId(id)))?;
            let (rows, lost): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| kept.contains(&row.id));
            taken.push(Step { id, name, rows, lost: lost.into_iter().map(|row| row.id).collect() });
        }
        let folder = self.folder().clone();
        let mut moved = Vec::new();
        for step in &taken {
            moved.push(copy_files(step, from, &folder)?);
        }
        let database = name_for_sqlite(&from.database()).display().to_string();
        self.database().run(|db| db.execute("ATTACH DATABASE ?1 AS earlier", [database]).map(drop))?;
        let copied = self.database().transaction(|db| {
            db.execute("UPDATE main.run SET baseline = ?1", [&from.run.0])?;
            taken.iter().zip(&moved).try_for_each(|(step, moved)| copy_rows(db, step, moved))
        });
        self.database().run(|db| db.execute_batch("DETACH DATABASE earlier"))?;
        copied
    }
}

fn copy_rows(db: &Connection, step: &Step, moved: &[Moved]) -> rusqlite::Result<()> {
    let copy = |table: &str, columns: &str, column: &str| {
        let query = format!(
            "INSERT INTO main.{table} ({columns}) SELECT {columns} FROM earlier.{table} WHERE {column} = {}",
            step.id
        );
        db.execute(&query, []).map(drop)
    };
    copy("steps", STEP_COLUMNS, "id")?;
    copy("fingerprints", "id, step, version, parts", "step")?;
    copy("outputs", "step, written", "step")?;
    copy("item_files", "step, path, key, state", "step")?;
    // What the user has taken out of the earlier run is an item like any other of this one.
    let failures = "kind NOT IN ('cancelled', 'skipped')";
    for (table, columns, which) in [("failures", FAILURE_COLUMNS, failures), ("batches", BATCH_COLUMNS, "true")] {
        let query = format!(
            "INSERT INTO main.{table} ({columns}, execution) SELECT {columns}, {CARRIED} FROM earlier.{table}
             WHERE step = {} AND {which}",
            step.id
        );
        db.execute(&query, [])?;
    }
    for id in &step.lost {
        db.execute("DELETE FROM main.batches WHERE step = ?1 AND id = ?2", [step.id, *id])?;
    }
    let mut update =
        db.prepare("UPDATE main.batches SET offset = ?3, keys_offset = ?4, checksum = ?5 WHERE step = ?1 AND id = ?2")?;
    for Moved { id, offset, keys_offset, checksum } in moved {
        update.execute(params![step.id, id, integer(*offset), integer(*keys_offset), checksum])?;
    }
    Ok(())
}

/// Copies the results and keys of a step. Returns the rows whose bytes have moved.
fn copy_files(step: &Step, from: &RunFolder, to: &RunFolder) -> Result<Vec<Moved>, LedgerError> {
    let (mut ends, mut live) = (FileEnds::default(), 0);
    for row in &step.rows {
        ends.results = ends.results.max(row.offset + row.length);
        ends.keys = ends.keys.max(row.keys_offset + row.keys_size());
        live += row.length;
    }
    let (mut results, mut keys) = (Vec::new(), Vec::new());
    let mut moved = Vec::new();
    if live < ends.results / 2 {
        let (mut offset, mut keys_offset) = (0, 0);
        for row in &step.rows {
            push(&mut results, row.offset, row.length);
            push(&mut keys, row.keys_offset, row.keys_size());
            let checksum = row.checksum_at(keys_offset);
            moved.push(Moved { id: row.id, offset, keys_offset, checksum });
            offset += row.length;
            keys_offset += row.keys_size();
        }
    } else {
        results.push((0, ends.results));
        keys.push((0, ends.keys));
    }
    copy_ranges(&from.results(&step.name), &to.results(&step.name), &results)?;
    copy_ranges(&from.keys(&step.name), &to.keys(&step.name), &keys)?;
    Ok(moved)
}

/// Appends a range of bytes, to the last one if it follows it.
fn push(ranges: &mut Vec<(u64, u64)>, offset: u64, length: u64) {
    match ranges.last_mut() {
        Some((start, size)) if *start + *size == offset => *size += length,
        _ => ranges.push((offset, length)),
    }
}

/// Copies ranges of a file, given by offset and length, to a new one.
fn copy_ranges(from: &RunPath, to: &RunPath, ranges: &[(u64, u64)]) -> Result<(), LedgerError> {
    if ranges.iter().all(|(_, length)| *length == 0) {
        return Ok(());
    }
    let copy = |mut source: File, mut target: File| -> io::Result<()> {
        for (offset, length) in ranges {
            source.seek(SeekFrom::Start(*offset))?;
            let copied = io::copy(&mut (&source).take(*length), &mut target)?;
            if copied < *length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        target.sync_data()
    };
    let source = from.open()?.ok_or_else(|| io_error("read", from, io::ErrorKind::NotFound.into()))?;
    copy(source, to.append()?).map_err(|source| io_error("copy", from, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_follow_each_other_are_copied_in_one_piece() {
        let mut ranges = Vec::new();
        for (offset, length) in [(1, 2), (3, 1), (6, 2), (8, 1), (0, 1)] {
            push(&mut ranges, offset, length);
        }
        assert_eq!(ranges, [(1, 3), (6, 3), (0, 1)]);
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| RunPath::new(folder.path().join(name), 1);
        let (from, to) = (path("from"), path("to"));
        std::fs::write(&*from, "0123456789").unwrap();
        copy_ranges(&from, &to, &ranges).unwrap();
        assert_eq!(std::fs::read_to_string(&*to).unwrap(), "1236780");
        assert!(copy_ranges(&from, &path("short"), &[(8, 3)]).is_err());
    }
}
