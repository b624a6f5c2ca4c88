//! The tables of `run.db`, and whether a database is one that this version can trust.
//!
//! What its rows point at is checked in `batches`.

use super::error::LedgerError;
use rusqlite::Connection;
use std::path::Path;

/// The version of the tables.
pub(super) const SCHEMA: u32 = 3;

/// The tables.
///
/// A batch has one row, numbered within its step in the order in which batches were written. The number is part of the primary
/// key of the table itself, so a row costs one page and no index. `indexes` is null if `first` and `count` say it all;
/// otherwise it holds the item index of each line as a little-endian u64, and `REMOVED_ITEM` for an item that the workflow no
/// longer has. `offset` and `length` point into the step's results file, `keys_offset` into its keys file (16 bytes an item);
/// `form` says whether the results are lines or a table. `attempts` counts attempts of items that wait to be tried again.
pub(super) const TABLES: &str = include_str!("schema.sql");

/// Refuses a ledger that a newer or a much older version wrote, or whose creation never finished.
pub(super) fn check_schema(db: &Connection, path: &Path) -> Result<(), LedgerError> {
    let found: Result<u32, _> = db.query_row("PRAGMA user_version", [], |row| row.get(0));
    match found.map_err(|source| LedgerError::sqlite(path, source))? {
        0 => Err(LedgerError::damaged(path.to_path_buf(), "it was never finished being made".to_owned())),
        found if found < SCHEMA => Err(LedgerError::SchemaTooOld { path: path.to_path_buf(), found, known: SCHEMA }),
        found if found > SCHEMA => Err(LedgerError::SchemaTooNew { path: path.to_path_buf(), found, known: SCHEMA }),
        _ => Ok(()),
    }
}

/// Has SQLite check its pages and indexes: otherwise rows that are missing because of damage would go unnoticed. The quick
/// check does not compare indexes, so a step could have lost its rows.
pub(super) fn check_integrity(db: &Connection, path: &Path) -> Result<(), LedgerError> {
    let found: Result<String, _> = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
    let found = found.map_err(|source| LedgerError::sqlite(path, source))?;
    if found == "ok" {
        return Ok(());
    }
    // The first line only names the database.
    let cause = found.lines().find(|line| !line.starts_with("***")).unwrap_or("SQLite says no more").to_owned();
    Err(LedgerError::damaged(path.to_path_buf(), cause))
}
