//! A run, open for reading: while it is written, and afterwards.

use super::columns::{from_variant_name, unsigned};
use super::database::Database;
use super::error::LedgerError;
use super::folder::RunFolder;
use super::ids::StepId;
use super::load::not_comparable;
use super::path_column::PathColumn;
use super::records::{ExecutionRecord, RunRecord, StepRecord};
use super::run_path::RunPath;
use super::schema::{
    check_integrity, check_rows, check_rows_of, check_schema, given_columns, has_measurements, is_current,
};
use super::seals::{RUN, STEPS};
use super::sqlite_file::{self, Open};
use super::step_reader::StepReader;
use super::steps;
use crate::model::{Stats, Status, StepName};
use rusqlite::{Connection, Params, Row};
use std::path::Path;
use std::time::Duration;

/// A run's ledger, open for reading.
pub struct Reader {
    db: Database,
    folder: RunFolder,
}

/// Steps with their counts. Those of a step that is under way come from its rows.
const SELECT_STEPS: &str = "SELECT id, name, is_batch, status, failure, duration_us,
    coalesce(succeeded, (SELECT coalesce(sum(count), 0) FROM batches WHERE step = steps.id)),
    coalesce(failed, (SELECT count(*) FROM failures WHERE step = steps.id AND NOT left_out)),
    total, skipped, retried, ledger_us,
    coalesce(bad_rows, (SELECT count(*) FROM failures WHERE step = steps.id AND left_out
        AND kind NOT IN ('cancelled', 'skipped'))), unchanged, started,
    (SELECT count(*) FROM failures WHERE step = steps.id AND kind IN ('cancelled', 'skipped')) FROM steps";

impl Reader {
    /// Opens the ledger of a run.
    ///
    /// # Errors
    /// If it cannot be read, or was written by a newer version.
    pub fn open(folder: RunFolder) -> Result<Self, LedgerError> {
        let path = folder.database();
        let db = connect(&path).or_else(|error| match error {
            LedgerError::Sqlite { .. } | LedgerError::Io { .. } if !has_wal(&path) => {
                connect_immutable(&path).map_err(|_| error)
            }
            error => Err(error),
        })?;
        Ok(Self { db: Database::new(db, path)?, folder })
    }

    pub(super) fn database(&self) -> &Database {
        &self.db
    }

    /// Refuses a run with tables of another version.
    pub(super) fn check_current(&self) -> Result<(), LedgerError> {
        if self.db.run(is_current)? { Ok(()) } else { Err(not_comparable(&self.db, &self.folder, 1)) }
    }

    /// The run's folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Has SQLite check the whole database. Reading alone finds only the damage it happens to meet: rows may be missing without
    /// a trace.
    ///
    /// # Errors
    /// If it is damaged, or cannot be read.
    pub fn check(&self) -> Result<(), LedgerError> {
        check_integrity(&self.db.connection, self.db.path())
    }

    /// The run.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn run(&self) -> Result<RunRecord, LedgerError> {
        let given = self.db.run(given_columns)?;
        let query =
            format!("SELECT workflow, path, status, started, finished, folder, params, incremental, {given} FROM run");
        let locked = self.folder.is_locked();
        self.db.run(|db| check_rows(db, &[&RUN]))?;
        let mut runs = self.db.rows(&query, [], |row| {
            Ok(RunRecord {
                workflow: row.get(0)?,
                path: row.get::<_, PathColumn>(1)?.0,
                status: from_variant_name(&row.get::<_, String>(2)?).unwrap_or(Status::Interrupted),
                started: row.get(3)?,
                finished: row.get(4)?,
                folder: row.get::<_, PathColumn>(5)?.0,
                params: row.get(6)?,
                incremental: row.get(7)?,
                given: row.get(8)?,
                python: row.get::<_, Option<PathColumn>>(9)?.map(|path| path.0),
                state: row.get::<_, Option<PathColumn>>(10)?.map(|path| path.0),
                params_hash: row.get(11)?,
                max_items: row.get(12).map(unsigned)?,
                baseline: row.get(13)?,
            })
        })?;
        let missing = || LedgerError::sqlite(self.db.path(), rusqlite::Error::QueryReturnedNoRows);
        let mut run = runs.pop().ok_or_else(missing)?;
        if run.status == Status::Running && !locked {
            run.status = Status::Interrupted;
        }
        Ok(run)
    }

    /// The starts and resumes of the run, in order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn executions(&self) -> Result<Vec<ExecutionRecord>, LedgerError> {
        let about = if self.db.run(has_measurements)? { "source, machine" } else { "NULL, NULL" };
        self.db.rows(&format!("SELECT id, started, finished, {about} FROM executions ORDER BY id"), [], |row| {
            Ok(ExecutionRecord {
                number: row.get(0)?,
                started: row.get(1)?,
                finished: row.get(2)?,
                source: row.get(3)?,
                machine: row.get(4)?,
            })
        })
    }

    /// The steps that were started, in order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn steps(&self) -> Result<Vec<StepRecord>, LedgerError> {
        self.records(&format!("{SELECT_STEPS} ORDER BY id"), [], None)
    }

    /// The step of this name, if it was started.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn step(&self, name: &StepName) -> Result<Option<StepReader<'_>>, LedgerError> {
        let found = self.db.run(|db| steps::find(db, name))?;
        let mut records = self.records(&format!("{SELECT_STEPS} WHERE name = ?1"), [name.as_str()], found)?;
        Ok(records.pop().map(|record| self.open_step(record)))
    }

    /// A step of [`Reader::steps`], for what is recorded of its items.
    pub fn open_step(&self, record: StepRecord) -> StepReader<'_> {
        StepReader::new(&self.db, &self.folder, record)
    }

    /// A text that changes whenever the results or failures of a step do; empty if it was not started.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn revision(&self, step: &StepName) -> Result<String, LedgerError> {
        self.db.run(|db| steps::revision(db, step))
    }

    /// What a query returns, after its rows were checked: that of a step, or all of them.
    fn records(
        &self,
        query: &str,
        parameters: impl Params,
        step: Option<StepId>,
    ) -> Result<Vec<StepRecord>, LedgerError> {
        // Looked at first: a run that ends right now must not look as if it had been killed.
        let locked = self.folder.is_locked();
        self.db.run(|db| match step {
            Some(step) => check_rows_of(db, step, &[&STEPS]),
            None => check_rows(db, &[&STEPS]),
        })?;
        let mut records = self.db.rows(query, parameters, step_record)?;
        if !locked {
            let running = records.iter_mut().filter(|record| record.status == Status::Running);
            running.for_each(|record| record.status = Status::Interrupted);
        }
        Ok(records)
    }
}

fn step_record(row: &Row<'_>) -> rusqlite::Result<StepRecord> {
    let count = |at: usize| row.get(at).map(unsigned);
    let (succeeded, failed) = (count(6)?.unwrap_or(0), count(7)?.unwrap_or(0));
    Ok(StepRecord {
        id: row.get(0)?,
        name: StepName::new(&row.get::<_, String>(1)?).ok_or(rusqlite::Error::InvalidQuery)?,
        is_batch: row.get(2)?,
        status: from_variant_name(&row.get::<_, String>(3)?).unwrap_or(Status::Interrupted),
        started: row.get(14)?,
        failure: row.get::<_, Option<String>>(4)?.and_then(|json| serde_json::from_str(&json).ok()),
        stats: Stats {
            total: count(8)?.unwrap_or(succeeded.saturating_add(failed)),
            succeeded,
            failed,
            bad_rows: count(12)?.unwrap_or(0),
            unchanged: count(13)?.unwrap_or(0),
            cancelled: count(15)?.unwrap_or(0),
            skipped: count(9)?.unwrap_or(0),
            retried: count(10)?.unwrap_or(0),
            // Only known while the step runs.
            bytes_done: 0,
            kept: 0,
            duration: Duration::from_micros(count(5)?.unwrap_or(0)),
            ledger: Duration::from_micros(count(11)?.unwrap_or(0)),
        },
    })
}

fn connect(path: &RunPath) -> Result<Connection, LedgerError> {
    // Read-write if possible: the next reader of a killed run checkpoints its WAL.
    let db = sqlite_file::connect(path, Open::Write).or_else(|error| match error {
        LedgerError::Refused { .. } | LedgerError::Damaged { .. } => Err(error),
        _ => sqlite_file::connect(path, Open::Read),
    })?;
    db.busy_timeout(Duration::from_secs(5)).map_err(|source| LedgerError::sqlite(path, source))?;
    check_schema(&db, path)?;
    Ok(db)
}

/// For a folder that is read-only or full: even to read a database in WAL mode, SQLite creates files next to it, unless it is
/// told that nobody changes the database, which is true if there is no WAL.
fn connect_immutable(path: &RunPath) -> Result<Connection, LedgerError> {
    let db = sqlite_file::connect(path, Open::Immutable)?;
    check_schema(&db, path)?;
    Ok(db)
}

fn has_wal(database: &Path) -> bool {
    database.with_file_name("run.db-wal").metadata().is_ok_and(|wal| wal.len() > 0)
}
