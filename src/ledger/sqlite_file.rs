//! Opens `run.db`. It may come from somebody else, like all of a run's folder, and a database is more than data: its views and
//! triggers are programs, and its journal names files.
//!
//! Always holds: SQLite opens regular files of the run alone, follows no link, and meets no SQL but that of the ledger's own tables.

use super::error::LedgerError;
use super::run_path::RunPath;
use super::seals::is_own_trigger;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How a database is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// For writing, or for reading of a WAL that a killed run has left.
    Write,
    /// For reading.
    Read,
    /// For reading, in a folder where SQLite can create no files.
    Immutable,
}

/// How the name of a rollback journal ends.
const JOURNAL: &str = "-journal";

/// The last bytes of a rollback journal that names another file, which SQLite would delete.
const NAMES_A_FILE: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// The longest path that SQLite opens, with room for the endings of its other files.
const MOST_PATH: usize = 500;

/// Words of SQL that compute something, or look elsewhere: no table or index of a ledger has them.
const COMPUTING: [&str; 9] =
    ["AS", "CHECK", "COLLATE", "GENERATED", "REFERENCES", "SELECT", "USING", "VIRTUAL", "WHERE"];

/// Opens the database at a path, after looking at its files, and looks at what is in it.
pub(super) fn connect(path: &RunPath, how: Open) -> Result<Connection, LedgerError> {
    check_files(path)?;
    let name = name_for_sqlite(path);
    let length = name.as_os_str().len();
    if length > MOST_PATH {
        return Err(LedgerError::LongPath { path: path.to_path_buf(), length, most: MOST_PATH });
    }
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let db = match how {
        Open::Write => Connection::open_with_flags(name, flags | OpenFlags::SQLITE_OPEN_READ_WRITE),
        Open::Read => Connection::open_with_flags(name, flags | OpenFlags::SQLITE_OPEN_READ_ONLY),
        Open::Immutable => {
            let name = format!("file:{}?immutable=1", percent_encode(name.as_os_str().as_bytes(), NON_ALPHANUMERIC));
            let flags = flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(name, flags)
        }
    };
    let sqlite = |source| LedgerError::sqlite(path, source);
    let db = db.map_err(sqlite)?;
    protect(&db).map_err(sqlite)?;
    Ok(db)
}

/// The database's path for SQLite, which follows no link at all: without those that lead to the state folder.
pub(super) fn name_for_sqlite(path: &RunPath) -> PathBuf {
    let state = path.state();
    let below = path.strip_prefix(state).unwrap_or(path);
    state.canonicalize().map_or_else(|_| path.to_path_buf(), |state| state.join(below))
}

/// Checks that all files of a database are regular ones, and that its journal is about this database alone.
fn check_files(path: &RunPath) -> Result<(), LedgerError> {
    if !path.check_files(&["", "-wal", "-shm", JOURNAL])?.contains(&JOURNAL) {
        return Ok(());
    }
    let journal = path.with_ending(JOURNAL);
    let Some(mut file) = journal.open()? else { return Ok(()) };
    let mut end = [0; NAMES_A_FILE.len()];
    let read = file
        .seek(SeekFrom::End(-16))
        .and_then(|_| file.seek(SeekFrom::Current(8)))
        .and_then(|_| file.read_exact(&mut end));
    if read.is_ok() && end == NAMES_A_FILE {
        let cause = format!("`{}` names another file, which SQLite would delete", journal.display());
        return Err(LedgerError::damaged(path.to_path_buf(), cause));
    }
    Ok(())
}

/// Takes from the database what it could do by itself.
fn protect(db: &Connection) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    db.execute_batch("PRAGMA cell_size_check = ON")
}

/// Checks that the database consists of plain tables and indexes, and of the triggers that keep checksums.
pub(super) fn check_objects(db: &Connection, path: &Path) -> Result<(), LedgerError> {
    let sqlite = |source| LedgerError::sqlite(path, source);
    let mut statement = db.prepare("SELECT type, name, coalesce(sql, '') FROM sqlite_schema").map_err(sqlite)?;
    let objects = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).map_err(sqlite)?;
    for object in objects {
        let (kind, name, sql): (String, String, String) = object.map_err(sqlite)?;
        let is_own = match kind.as_str() {
            "table" | "index" => is_plain(&sql),
            "trigger" => is_own_trigger(&sql),
            _ => false,
        };
        if !is_own {
            let cause = format!("batchmill never creates the {kind} `{name}` that is in it");
            return Err(LedgerError::damaged(path.to_path_buf(), cause));
        }
    }
    Ok(())
}

/// Whether the SQL of a table or an index only names columns and their types.
fn is_plain(sql: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (mut rest, mut last, mut opened) = (sql, "", false);
    while let Some(c) = rest.chars().next() {
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length.max(c.len_utf8()));
        match c {
            _ if is_word(c) => {
                if COMPUTING.iter().any(|computing| computing.eq_ignore_ascii_case(word)) {
                    return false;
                }
                last = word;
            }
            // What it opens is a list of columns, not an expression.
            '(' if !opened || ["KEY", "UNIQUE"].contains(&last) => opened = true,
            ')' | ',' | ' ' | '\n' | '\r' | '\t' => {}
            _ => return false,
        }
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lists_of_columns_are_plain() {
        let plain = [
            "",
            "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL DEFAULT 0,\n    UNIQUE (a, b)) WITHOUT ROWID",
            "CREATE INDEX i ON t (a, b)",
        ];
        plain.iter().for_each(|sql| assert!(is_plain(sql), "{sql}"));
        for sql in [
            "CREATE TABLE t (a, b AS (zeroblob(1000000000)))",
            "CREATE TABLE t (a, b generated always as (a))",
            "CREATE TABLE t (a DEFAULT (randomblob(9)))",
            "CREATE TABLE t (a CHECK (length(randomblob(9))))",
            "CREATE VIRTUAL TABLE t USING fts5(a)",
            "CREATE INDEX i ON t (abs(a))",
            "CREATE INDEX i ON t (a) WHERE a",
            "CREATE TABLE \"t\" (a)",
            "CREATE TABLE t (a) -- x",
            "CREATE TABLE ü (a)",
        ] {
            assert!(!is_plain(sql), "{sql}");
        }
    }
}
