//! The writing side: one process, one thread, one connection.

use super::error::LedgerError;
use super::folder::{RunFolder, io_error, private_file};
use crate::model::{BatchReport, Indexes, RunStatus, StepName, StepReport};
use rusqlite::{Connection, params};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// The version of the tables.
pub(super) const SCHEMA: u32 = 1;

/// Batches point into the results files. `indexes` is null where `first` and `count` say it all, else the rising item
/// indexes as little-endian u64.
const TABLES: &str = "
CREATE TABLE run (id TEXT NOT NULL, workflow TEXT NOT NULL, path TEXT NOT NULL, folder TEXT NOT NULL, params TEXT NOT NULL,
    batchmill TEXT NOT NULL, status TEXT NOT NULL, started INTEGER NOT NULL, finished INTEGER);
CREATE TABLE executions (id INTEGER PRIMARY KEY, pid INTEGER NOT NULL, started INTEGER NOT NULL, finished INTEGER);
CREATE TABLE steps (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, is_batch INTEGER NOT NULL, status TEXT NOT NULL,
    total INTEGER, succeeded INTEGER, failed INTEGER, skipped INTEGER, retried INTEGER, duration_us INTEGER, failure TEXT,
    started INTEGER NOT NULL, finished INTEGER);
CREATE TABLE batches (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, number INTEGER NOT NULL, attempt INTEGER NOT NULL,
    first INTEGER NOT NULL, count INTEGER NOT NULL, indexes BLOB, is_list INTEGER NOT NULL, offset INTEGER NOT NULL,
    length INTEGER NOT NULL, duration_us INTEGER NOT NULL);
CREATE TABLE failures (step INTEGER NOT NULL, item_index INTEGER NOT NULL, key TEXT NOT NULL, item TEXT NOT NULL,
    attempts INTEGER NOT NULL, kind TEXT NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL, detail TEXT, handler TEXT,
    PRIMARY KEY (step, item_index)) WITHOUT ROWID;
";

/// What a run is, for the ledger.
#[derive(Debug, Clone)]
pub struct RunMeta {
    /// Name of the workflow.
    pub workflow: String,
    /// Path of the workflow file.
    pub path: PathBuf,
    /// The parameters as JSON, secrets masked.
    pub params: String,
}

/// A step's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepKey(i64);

/// A run's ledger, open for writing.
pub struct Ledger {
    db: Connection,
    folder: RunFolder,
    results: Option<(PathBuf, File, u64)>,
    logs: Option<(PathBuf, File)>,
    _lock: File,
}

impl Ledger {
    /// Opens the ledger of a new run.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn create(folder: RunFolder, meta: &RunMeta) -> Result<Self, LedgerError> {
        let lock = folder.lock()?;
        let path = folder.database();
        let sqlite = |source| LedgerError::Sqlite { path: path.clone(), source };
        // Made before SQLite opens it, so that it is private from its first byte on; the WAL inherits the mode.
        drop(private_file(&path)?);
        let db = Connection::open(&path).map_err(sqlite)?;
        // A rollback journal would cost two fsyncs before the tables exist; nothing is there to lose yet.
        db.execute_batch("PRAGMA synchronous = OFF; PRAGMA locking_mode = NORMAL;").map_err(sqlite)?;
        db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).map_err(sqlite)?;
        let started = now();
        db.execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version = {SCHEMA};")).map_err(sqlite)?;
        db.execute(
            "INSERT INTO run VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL)",
            params![
                folder.run.0,
                meta.workflow,
                meta.path.display().to_string(),
                std::env::current_dir().unwrap_or_default().display().to_string(),
                meta.params,
                env!("CARGO_PKG_VERSION"),
                word(&RunStatus::Running),
                started,
            ],
        )
        .map_err(sqlite)?;
        db.execute("INSERT INTO executions (pid, started) VALUES (?1, ?2)", params![std::process::id(), started])
            .map_err(sqlite)?;
        // In WAL mode NORMAL survives a killed process at any instant; a power cut may take the last commits, never order.
        db.execute_batch("COMMIT; PRAGMA synchronous = NORMAL;").map_err(sqlite)?;
        db.set_prepared_statement_cache_capacity(16);
        Ok(Self { db, folder, results: None, logs: None, _lock: lock })
    }

    /// The run's folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    fn sqlite(&self, source: rusqlite::Error) -> LedgerError {
        LedgerError::Sqlite { path: self.folder.database(), source }
    }

    /// Opens a step: its row and its results file.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn begin_step(&mut self, name: &StepName, is_batch: bool) -> Result<StepKey, LedgerError> {
        let path = self.folder.results(name);
        self.results = Some((path.clone(), private_file(&path)?, 0));
        self.logs = None;
        let inserted = self.db.execute(
            "INSERT INTO steps (name, is_batch, status, started) VALUES (?1, ?2, ?3, ?4)",
            params![name.as_str(), is_batch, word(&RunStatus::Running), now()],
        );
        inserted.map_err(|error| self.sqlite(error))?;
        Ok(StepKey(self.db.last_insert_rowid()))
    }

    /// Records batches: results first, then all rows in one transaction. When it returns, they are durable.
    ///
    /// # Errors
    /// Where they cannot be written; then none of them counts as done.
    pub fn record(&mut self, step: StepKey, reports: &[BatchReport]) -> Result<(), LedgerError> {
        let (path, file, end) = self.results.as_mut().expect("`begin_step` opened it");
        let start = *end;
        let bytes: Vec<&[u8]> = reports.iter().map(|report| report.lines.0.as_slice()).collect();
        let written = if let [one] = bytes.as_slice() { file.write_all(one) } else { file.write_all(&bytes.concat()) };
        written.map_err(|source| io_error("write", path, source))?;
        *end += bytes.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
        insert(&mut self.db, step, reports, start)
            .map_err(|source| LedgerError::Sqlite { path: self.folder.database(), source })
    }

    /// Appends a line of JSON to the step's log.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn log(&mut self, step: &StepName, line: &str) -> Result<(), LedgerError> {
        if self.logs.is_none() {
            let path = self.folder.logs().join(format!("{step}.log"));
            self.logs = Some((path.clone(), private_file(&path)?));
        }
        let (path, file) = self.logs.as_mut().expect("it was just opened");
        file.write_all(format!("{line}\n").as_bytes()).map_err(|source| io_error("write", path, source))
    }

    /// Closes a step.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub fn finish_step(&mut self, step: StepKey, report: &StepReport) -> Result<(), LedgerError> {
        let stats = &report.stats;
        let failure = report.failure.as_ref().and_then(|failure| serde_json::to_string(failure).ok());
        let updated = self.db.execute(
            "UPDATE steps SET status = ?2, total = ?3, succeeded = ?4, failed = ?5, skipped = ?6, retried = ?7,
             duration_us = ?8, failure = ?9, finished = ?10 WHERE id = ?1",
            params![
                step.0,
                word(&report.status),
                integer(stats.total),
                integer(stats.succeeded),
                integer(stats.failed),
                integer(stats.skipped),
                integer(stats.retried),
                integer(stats.duration.as_micros().try_into().unwrap_or(u64::MAX)),
                failure,
                now(),
            ],
        );
        updated.map(drop).map_err(|error| self.sqlite(error))
    }

    /// Closes the run.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub fn finish_run(&mut self, status: RunStatus) -> Result<(), LedgerError> {
        let finished = now();
        let run = self.db.execute("UPDATE run SET status = ?1, finished = ?2", params![word(&status), finished]);
        let executions = self.db.execute("UPDATE executions SET finished = ?1 WHERE finished IS NULL", [finished]);
        run.and(executions).map(drop).map_err(|error| self.sqlite(error))
    }
}

fn insert(db: &mut Connection, step: StepKey, reports: &[BatchReport], mut offset: u64) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    {
        let mut batches = transaction.prepare_cached(
            "INSERT INTO batches (step, number, attempt, first, count, indexes, is_list, offset, length, duration_us)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        for report in reports {
            let length = report.lines.0.len() as u64;
            if !report.succeeded.is_empty() {
                let indexes = match &report.succeeded {
                    Indexes::Range(_) => None,
                    Indexes::List(list) => Some(list.iter().flat_map(|index| index.to_le_bytes()).collect::<Vec<u8>>()),
                };
                batches.execute(params![
                    step.0,
                    integer(report.number),
                    report.attempt,
                    integer(report.succeeded.get(0)),
                    integer(report.succeeded.len() as u64),
                    indexes,
                    report.list,
                    integer(offset),
                    integer(length),
                    integer(report.duration.as_micros().try_into().unwrap_or(u64::MAX)),
                ])?;
            }
            offset += length;
        }
        let mut failures = transaction
            .prepare_cached("INSERT OR REPLACE INTO failures VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
        for failed in reports.iter().flat_map(|report| &report.failed) {
            let handler = failed.handler.as_ref().map(|failure| failure.message.clone());
            failures.execute(params![
                step.0,
                integer(failed.index),
                failed.key.to_string(),
                String::from_utf8_lossy(&failed.item),
                failed.attempts,
                word(&failed.failure.kind),
                failed.failure.class,
                failed.failure.message,
                failed.failure.detail,
                handler,
            ])?;
        }
    }
    transaction.commit()
}

/// SQLite's integers are signed; a count or offset of ours does not reach 2^63.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The word that serde writes for a unit variant.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Milliseconds since 1970, UTC.
fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
