//! The writing side: one process, one thread, one connection.

use super::error::LedgerError;
use super::folder::{RunFolder, io_error, private_file};
use super::growing::{Durability, Growing, sync_folder};
use super::health::{check_pages, check_schema};
use super::history::{self, RowChange, StepHistory};
use super::rows::{Rows, insert, kept};
use crate::model::{BatchReport, ItemKey, Status, StepName, StepReport};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// The version of the tables.
pub(super) const SCHEMA: u32 = 3;

/// Stands in `batches.indexes` for an item that the workflow does not name any more.
pub(super) const REMOVED_ITEM: u64 = u64::MAX;

/// Batches are numbered within their step, in the order in which they were written; with that as the key of the table itself, one
/// of them costs one page and no index. They point into the results files. `indexes` is null where `first` and `count` say it all, else the item index of
/// each line as little-endian u64, with [`REMOVED_ITEM`] for an item that the workflow does not name any more. `keys_offset` points
/// at the items' keys, 16 bytes each, in a file beside the results; `form` says whether the results are lines or a table; `checksum` knows the lines and the items again. `attempts` counts those of items that wait to be tried
/// again.
const TABLES: &str = "
CREATE TABLE run (id TEXT NOT NULL, workflow TEXT NOT NULL, path TEXT NOT NULL, folder TEXT NOT NULL, params TEXT NOT NULL,
    batchmill TEXT NOT NULL, status TEXT NOT NULL, started INTEGER NOT NULL, finished INTEGER, incremental TEXT);
CREATE TABLE executions (id INTEGER PRIMARY KEY, pid INTEGER NOT NULL, started INTEGER NOT NULL, finished INTEGER);
CREATE TABLE steps (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, is_batch INTEGER NOT NULL, status TEXT NOT NULL,
    fingerprint TEXT NOT NULL, moves INTEGER NOT NULL DEFAULT 0, total INTEGER, succeeded INTEGER, failed INTEGER, skipped INTEGER, retried INTEGER, duration_us INTEGER, failure TEXT,
    started INTEGER NOT NULL, finished INTEGER, ledger_us INTEGER, bad_rows INTEGER, unchanged INTEGER);
CREATE TABLE batches (step INTEGER NOT NULL, id INTEGER NOT NULL, number INTEGER NOT NULL, attempt INTEGER NOT NULL,
    first INTEGER NOT NULL, count INTEGER NOT NULL, indexes BLOB, is_list INTEGER NOT NULL, offset INTEGER NOT NULL,
    length INTEGER NOT NULL, keys_offset INTEGER NOT NULL, duration_us INTEGER NOT NULL, execution INTEGER NOT NULL,
    checksum INTEGER NOT NULL, keys_run INTEGER NOT NULL, form TEXT NOT NULL,
    PRIMARY KEY (step, id)) WITHOUT ROWID;
CREATE TABLE failures (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, item_index INTEGER NOT NULL, key TEXT NOT NULL,
    item TEXT NOT NULL, attempts INTEGER NOT NULL, kind TEXT NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL,
    detail TEXT, handler TEXT, execution INTEGER NOT NULL, duration_us INTEGER, left_out INTEGER NOT NULL DEFAULT 0);
CREATE INDEX failures_by_key ON failures (step, key);
CREATE TABLE attempts (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, key TEXT NOT NULL, attempts INTEGER NOT NULL);
CREATE INDEX attempts_by_key ON attempts (step, key);
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
    /// By what files are compared, where only what is new since the last good run is to be run.
    pub incremental: Option<&'static str>,
}

/// Something that a task printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// Index and attempt of the item, if it was about one.
    pub item: Option<(u64, u32)>,
    /// `stdout`, `stderr` or `worker`
    pub stream: String,
    /// The text.
    pub text: String,
}

/// A step's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepKey(pub(super) i64);

/// The log of the open step.
enum Log {
    Closed,
    Open(PathBuf, File),
    /// It could not be written, which was said once.
    GivenUp,
}

/// A run's ledger, open for writing.
pub struct Ledger {
    pub(super) db: Connection,
    folder: RunFolder,
    execution: i64,
    results: Option<Growing>,
    keys: Option<Growing>,
    /// What the next row of the open step in `batches` is numbered.
    next_batch: i64,
    /// Whether the open step has failures or attempts of an earlier execution that a success makes void.
    keys_with_failures: HashSet<ItemKey>,
    logs: Log,
    durability: Durability,
    _lock: File,
}

impl Ledger {
    /// Opens the ledger of a new run.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn create(folder: RunFolder, meta: &RunMeta, durability: Durability) -> Result<Self, LedgerError> {
        let lock = folder.lock()?;
        let path = folder.database();
        let sqlite = |source| LedgerError::sqlite(&path, source);
        // Made before SQLite opens it, so that it is private from its first byte on; the WAL inherits the mode.
        drop(private_file(&path)?);
        let db = Connection::open(&path).map_err(sqlite)?;
        match durability {
            // A rollback journal would cost two fsyncs before the tables exist; nothing is there to lose yet.
            Durability::Normal => db.execute_batch("PRAGMA synchronous = OFF").map_err(sqlite)?,
            Durability::Full => {
                db.execute_batch(durability.pragma()).map_err(sqlite)?;
                folder.sync_names()?;
            }
        }
        db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).map_err(sqlite)?;
        db.execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version = {SCHEMA};")).map_err(sqlite)?;
        db.execute(
            "INSERT INTO run VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL, ?9)",
            params![
                folder.run.0,
                meta.workflow,
                meta.path.display().to_string(),
                std::env::current_dir().unwrap_or_default().display().to_string(),
                meta.params,
                env!("CARGO_PKG_VERSION"),
                word(&Status::Running),
                now(),
                meta.incremental,
            ],
        )
        .map_err(sqlite)?;
        let execution = begin_execution(&db).map_err(sqlite)?;
        db.execute_batch("COMMIT").map_err(sqlite)?;
        Self::with(db, folder, execution, (durability, lock))
    }

    /// Opens the ledger of a run that ended, or whose process was killed, to go on with it.
    ///
    /// # Errors
    /// Where it cannot be written, is damaged, was written by a newer version, or another process has it.
    pub fn reopen(folder: RunFolder, durability: Durability) -> Result<Self, LedgerError> {
        let lock = folder.lock()?;
        let path = folder.database();
        let sqlite = |source| LedgerError::sqlite(&path, source);
        let db = Connection::open(&path).map_err(sqlite)?;
        check_schema(&db, &path)?;
        // To write into a damaged database would damage it further.
        check_pages(&db, &path)?;
        db.execute("UPDATE run SET status = ?1, finished = NULL", [word(&Status::Running)]).map_err(sqlite)?;
        let execution = begin_execution(&db).map_err(sqlite)?;
        Self::with(db, folder, execution, (durability, lock))
    }

    fn with(
        db: Connection,
        folder: RunFolder,
        execution: i64,
        (durability, lock): (Durability, File),
    ) -> Result<Self, LedgerError> {
        let set = db.execute_batch(durability.pragma());
        set.map_err(|source| LedgerError::sqlite(&folder.database(), source))?;
        db.set_prepared_statement_cache_capacity(16);
        Ok(Self {
            db,
            folder,
            execution,
            results: None,
            keys: None,
            next_batch: 1,
            keys_with_failures: HashSet::new(),
            logs: Log::Closed,
            durability,
            _lock: lock,
        })
    }

    /// The run's folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    pub(super) fn sqlite(&self, source: rusqlite::Error) -> LedgerError {
        LedgerError::sqlite(&self.folder.database(), source)
    }

    /// Commits what makes rows void before their bytes are cut off or written over. Should a power cut take that commit and
    /// leave the new bytes, the old rows would point at somebody else's results, so it is on the disk when this returns.
    fn surely(&mut self, commit: impl FnOnce(&mut Connection) -> rusqlite::Result<()>) -> Result<(), LedgerError> {
        let done = self.db.execute_batch(Durability::Full.pragma()).and_then(|()| commit(&mut self.db));
        let done = done.and_then(|()| self.db.execute_batch(self.durability.pragma()));
        done.map_err(|error| self.sqlite(error))
    }

    /// Opens a step: its row and its files. Gives what earlier executions of the run did of it.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn begin_step(&mut self, name: &StepName, is_batch: bool) -> Result<(StepKey, StepHistory), LedgerError> {
        let known =
            self.db.query_row("SELECT id FROM steps WHERE name = ?1", [name.as_str()], |row| row.get(0)).optional();
        let (step, past) = match known.map_err(|error| self.sqlite(error))? {
            Some(id) => self.reopen_step(StepKey(id), name, is_batch)?,
            None => {
                let inserted = self.db.execute(
                    "INSERT INTO steps (name, is_batch, status, fingerprint, started) VALUES (?1, ?2, ?3, '{}', ?4)",
                    params![name.as_str(), is_batch, word(&Status::Running), now()],
                );
                inserted.map_err(|error| self.sqlite(error))?;
                (StepKey(self.db.last_insert_rowid()), StepHistory::default())
            }
        };
        self.keys_with_failures = past.keys_with_failures();
        self.next_batch = history::last_batch(&self.db, step).map_err(|error| self.sqlite(error))? + 1;
        self.results = Some(Growing::open(self.folder.results(name), past.results_end)?);
        self.keys = Some(Growing::open(self.folder.keys(name), past.keys_end)?);
        if self.durability == Durability::Full {
            sync_folder(&self.folder.path.join("results"))?;
        }
        self.logs = Log::Closed;
        Ok((step, past))
    }

    fn reopen_step(
        &mut self,
        step: StepKey,
        name: &StepName,
        is_batch: bool,
    ) -> Result<(StepKey, StepHistory), LedgerError> {
        let past = history::load(&self.db, step, &self.folder, name)?;
        if past.shrinks || !past.void.is_empty() {
            self.surely(|db| history::reopen(db, step, is_batch, &past))?;
        } else {
            history::reopen(&mut self.db, step, is_batch, &past).map_err(|error| self.sqlite(error))?;
        }
        Ok((step, past))
    }

    /// Forgets what earlier executions did of a step, because it has to be done again.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub fn forget(&mut self, step: StepKey) -> Result<(), LedgerError> {
        self.keys_with_failures.clear();
        let id = step.0;
        let forget = format!(
            "BEGIN; DELETE FROM batches WHERE step = {id}; DELETE FROM failures WHERE step = {id};
             DELETE FROM attempts WHERE step = {id}; UPDATE steps SET moves = moves + 1 WHERE id = {id}; COMMIT"
        );
        if self.results.iter().chain(&self.keys).any(|file| file.end() > 0) {
            self.surely(|db| db.execute_batch(&forget))?;
        } else {
            self.db.execute_batch(&forget).map_err(|error| self.sqlite(error))?;
        }
        self.results.iter_mut().chain(&mut self.keys).try_for_each(Growing::clear)
    }

    /// Notes by what the step can be told from a changed one.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub fn note_fingerprint(&mut self, step: StepKey, fingerprint: &str) -> Result<(), LedgerError> {
        let noted = self.db.execute("UPDATE steps SET fingerprint = ?2 WHERE id = ?1", params![step.0, fingerprint]);
        noted.map(drop).map_err(|error| self.sqlite(error))
    }

    /// Notes where done items stand now, and forgets failures of items that the workflow does not name any more.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub fn move_past(&mut self, step: StepKey, changes: &[RowChange], gone: &[ItemKey]) -> Result<(), LedgerError> {
        history::settle(&mut self.db, step, changes, gone)
            .map_err(|source| LedgerError::sqlite(&self.folder.database(), source))
    }

    /// What changes whenever the results or failures of a step do; empty where it was not started.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn revision(&self, step: &StepName) -> Result<String, LedgerError> {
        history::revision(&self.db, step).map_err(|error| self.sqlite(error))
    }

    /// Records batches: results first, then all rows in one transaction. When it returns, they are durable.
    ///
    /// # Errors
    /// Where they cannot be written; then none of them counts as done.
    pub fn record(&mut self, step: StepKey, reports: &[BatchReport]) -> Result<(), LedgerError> {
        if reports.is_empty() {
            return Ok(());
        }
        let (results, keys) = self.results.as_mut().zip(self.keys.as_mut()).expect("`begin_step` opened them");
        let starts = (results.end(), keys.end());
        match reports {
            [one] => results.append(&one.lines.0)?,
            all => results.append(&all.iter().map(|report| report.lines.0.as_slice()).collect::<Vec<_>>().concat())?,
        }
        keys.append(
            &reports.iter().flat_map(|report| kept(&report.keys)).flat_map(ItemKey::to_bytes).collect::<Vec<_>>(),
        )?;
        if self.durability == Durability::Full {
            results.sync()?;
            keys.sync()?;
        }
        let rows = Rows {
            step,
            execution: self.execution,
            first: self.next_batch,
            starts,
            keys_with_failures: &self.keys_with_failures,
        };
        self.next_batch += i64::try_from(reports.len()).unwrap_or(i64::MAX);
        insert(&mut self.db, &rows, reports).map_err(|source| LedgerError::sqlite(&self.folder.database(), source))
    }

    /// Appends what was printed to the step's log. A log that cannot be written is given up: the error comes once a step.
    ///
    /// # Errors
    /// Where it cannot be written; that concerns the log alone.
    pub fn log(&mut self, step: &StepName, printed: &Printed) -> Result<(), LedgerError> {
        if matches!(self.logs, Log::Closed) {
            let path = self.folder.logs().join(format!("{step}.log"));
            self.logs = Log::GivenUp;
            self.logs = Log::Open(path.clone(), private_file(&path)?);
        }
        let Log::Open(path, file) = &mut self.logs else { return Ok(()) };
        let (index, attempt) = printed.item.unzip();
        let line = serde_json::json!({
            "index": index, "attempt": attempt, "execution": self.execution, "stream": printed.stream, "text": printed.text,
        });
        let written = file.write_all(format!("{line}\n").as_bytes()).map_err(|source| io_error("write", path, source));
        if written.is_err() {
            self.logs = Log::GivenUp;
        }
        written
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
             duration_us = ?8, failure = ?9, finished = ?10, ledger_us = ?11, bad_rows = ?12, unchanged = ?13 WHERE id = ?1",
            params![
                step.0,
                word(&report.status),
                integer(stats.total),
                integer(stats.succeeded),
                integer(stats.failed),
                integer(stats.skipped),
                integer(stats.retried),
                microseconds(stats.duration),
                failure,
                now(),
                microseconds(stats.ledger),
                integer(stats.bad_rows),
                integer(stats.unchanged),
            ],
        );
        updated.map(drop).map_err(|error| self.sqlite(error))
    }

    /// Closes the run.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub fn finish_run(&mut self, status: Status) -> Result<(), LedgerError> {
        let finished = now();
        let run = self.db.execute("UPDATE run SET status = ?1, finished = ?2", params![word(&status), finished]);
        let executions = self.db.execute("UPDATE executions SET finished = ?1 WHERE finished IS NULL", [finished]);
        run.and(executions).map(drop).map_err(|error| self.sqlite(error))
    }
}

fn begin_execution(db: &Connection) -> rusqlite::Result<i64> {
    db.execute("INSERT INTO executions (pid, started) VALUES (?1, ?2)", params![std::process::id(), now()])?;
    Ok(db.last_insert_rowid())
}

pub(super) fn microseconds(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// SQLite's integers are signed; a count or offset of ours does not reach 2^63.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The word that serde writes for a unit variant.
pub(super) fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Milliseconds since 1970, UTC.
fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
