//! Whether a database is one that this version can trust. What its rows point at is checked in `batches`.

use super::error::LedgerError;
use super::writer::SCHEMA;
use rusqlite::Connection;
use std::path::Path;

/// Refuses a ledger that a newer or a much older version wrote, or that was never finished being made.
pub(super) fn check_schema(db: &Connection, path: &Path) -> Result<(), LedgerError> {
    let found: Result<u32, _> = db.query_row("PRAGMA user_version", [], |row| row.get(0));
    match found.map_err(|source| LedgerError::sqlite(path, source))? {
        0 => Err(LedgerError::damaged(path.to_path_buf(), "it was never finished being made".to_owned())),
        found if found < SCHEMA => Err(LedgerError::SchemaTooOld { path: path.to_path_buf(), found, known: SCHEMA }),
        found if found > SCHEMA => Err(LedgerError::SchemaTooNew { path: path.to_path_buf(), found, known: SCHEMA }),
        _ => Ok(()),
    }
}

/// Has SQLite look over its pages and indexes: what is damaged where no query looks would otherwise be missing without a word.
/// The quick check does not compare indexes, so a step could have lost its rows.
pub(super) fn check_pages(db: &Connection, path: &Path) -> Result<(), LedgerError> {
    let found: Result<String, _> = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
    let found = found.map_err(|source| LedgerError::sqlite(path, source))?;
    if found == "ok" {
        return Ok(());
    }
    // The first line only names the database.
    let cause = found.lines().find(|line| !line.starts_with("***")).unwrap_or("SQLite says no more").to_owned();
    Err(LedgerError::damaged(path.to_path_buf(), cause))
}
