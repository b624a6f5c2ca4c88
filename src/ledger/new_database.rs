//! The database of a new run.

use super::columns::{integer, now, variant_name};
use super::durability::Durability;
use super::error::LedgerError;
use super::execution::Execution;
use super::files::io_error;
use super::folder::RunFolder;
use super::path_column::PathColumn;
use super::run_meta::{RunMeta, working_folder};
use super::run_path::RunPath;
use super::schema::{SCHEMA, TABLES};
use super::seals;
use crate::model::Status;
use rusqlite::{Connection, MAIN_DB, params};
use std::io::Write;
use std::ops::Range;

/// Where a database says which versions of the format it takes to write and to read it (https://www.sqlite.org/fileformat2.html,
/// 1.3.3).
const FORMAT_VERSIONS: Range<usize> = 18..20;

/// The version that has a write-ahead log.
const WITH_WAL: u8 = 2;

/// Creates the database of a run, with its row and that of its first execution, whose number is returned.
pub(super) fn create(folder: &RunFolder, meta: &RunMeta, durability: Durability) -> Result<i64, LedgerError> {
    let path = folder.database();
    let (image, execution) = image(folder, meta).map_err(|source| LedgerError::sqlite(&path, source))?;
    write(&path, &image, durability)?;
    Ok(execution)
}

/// Begins the write-ahead log. With its first commit, SQLite waits until the head of the log is on disk, because pages of an earlier log
/// may follow in the same file. Nothing follows in a new one: without its head it is empty.
pub(super) fn begin_log(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(&format!(
        "PRAGMA synchronous = OFF; PRAGMA user_version = {SCHEMA}; {}",
        Durability::Normal.pragma()
    ))
}

/// A database with the rows of the run and of its first execution, and the number of that.
///
/// It is made in memory: on disk, SQLite would write each page twice and lock and sync files that nobody else knows of yet.
fn image(folder: &RunFolder, meta: &RunMeta) -> rusqlite::Result<(Vec<u8>, i64)> {
    let mut db = Connection::open_in_memory()?;
    seals::add_hash_function(&db)?;
    let execution = create_tables(&db, folder, meta)?;
    let mut image = db.serialize(MAIN_DB)?.to_vec();
    image[FORMAT_VERSIONS].fill(WITH_WAL);
    Ok((image, execution))
}

/// Writes a new database. Only its owner may read it, and its other files get the same mode from SQLite.
fn write(path: &RunPath, image: &[u8], durability: Durability) -> Result<(), LedgerError> {
    let mut file = path.append()?;
    let written = file.write_all(image).and_then(|()| match durability {
        // There is nothing to lose yet.
        Durability::Normal => Ok(()),
        Durability::Full => file.sync_all(),
    });
    written.map_err(|source| io_error("write", path, source))
}

/// Creates the tables with the rows of the run and of its first execution, whose number is returned.
fn create_tables(db: &Connection, folder: &RunFolder, meta: &RunMeta) -> rusqlite::Result<i64> {
    db.execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version = {SCHEMA};"))?;
    let [python, state] = meta.given.paths();
    db.execute(
        "INSERT INTO run (id, workflow, path, folder, params, batchmill, status, started, incremental, given, python,
          state, params_hash, max_items)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            folder.run.0,
            meta.workflow,
            PathColumn(meta.path.clone()),
            working_folder(),
            meta.params,
            env!("CARGO_PKG_VERSION"),
            variant_name(&Status::Running),
            now(),
            meta.incremental,
            meta.given.params,
            python,
            state,
            meta.params_hash,
            meta.max_items.map(integer),
        ],
    )?;
    let execution = Execution::begin(db, (&meta.source, &meta.machine))?;
    seals::seal(db, &[&seals::RUN, &seals::EXECUTIONS])?;
    seals::add_triggers(db)?;
    db.execute_batch("COMMIT")?;
    Ok(execution)
}
