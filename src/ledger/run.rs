//! A run, open for writing: its lock, its row, its executions.
//!
//! What happens in a step is written by its [`StepLedger`], over a connection of its own.

use super::batches;
use super::columns::{now, variant_name};
use super::database::Database;
use super::durability::Durability;
use super::error::LedgerError;
use super::execution::Execution;
use super::files::Place;
use super::folder::RunFolder;
use super::history::StepHistory;
use super::ids::StepId;
use super::load::not_comparable;
use super::new_database;
use super::path_column::PathColumn;
use super::run_meta::{RunMeta, working_folder};
use super::run_path::RunPath;
use super::schema::{self, check_integrity, check_schema};
use super::step::StepLedger;
use super::steps::{self, StepType};
use crate::model::{Status, StepName};
use rusqlite::params;
use std::fs;

/// A run's ledger, open for writing.
pub struct Ledger {
    db: Database,
    /// When the run was started, in milliseconds since 1970.
    started: i64,
    /// The database, its write-ahead log and the index of that.
    files: Vec<(Place, RunPath)>,
    execution: Execution,
}

impl Ledger {
    /// Creates the ledger of a new run.
    ///
    /// # Errors
    /// If the run's folder cannot be written.
    pub fn create(folder: RunFolder, meta: &RunMeta, durability: Durability) -> Result<Self, LedgerError> {
        let begun = folder.path.clone();
        let created = Self::create_in(folder, meta, durability);
        if created.is_err() {
            // The run has no results yet. Files are deleted one by one because listing a folder takes a descriptor, and there may be none left.
            for file in ["run.db", "run.db-wal", "run.db-shm", "lock"] {
                drop(fs::remove_file(begun.join(file)));
            }
            for folder in ["results", "logs", ""] {
                drop(fs::remove_dir(begun.join(folder)));
            }
        }
        created
    }

    /// The same, without deleting what was created if it fails.
    fn create_in(folder: RunFolder, meta: &RunMeta, durability: Durability) -> Result<Self, LedgerError> {
        let lock = folder.lock()?;
        let execution = new_database::create(&folder, meta, durability)?;
        // The run appears complete.
        let folder = folder.complete()?;
        if durability == Durability::Full {
            folder.sync_names()?;
        }
        let db = Database::open(folder.database(), durability)?;
        if durability == Durability::Normal {
            db.run(new_database::begin_log)?;
        }
        Self::new(db, Execution::new(execution, folder, durability, lock))
    }

    fn new(db: Database, execution: Execution) -> Result<Self, LedgerError> {
        // From the first query on, SQLite has the other files open as well.
        let started = db.run(|db| db.query_row("SELECT started FROM run", [], |row| row.get(0)))?;
        let files = database_files(&execution.folder.database());
        let files = files.map(|path| Ok((Place::at(&path)?, path))).into_iter().collect::<Result<_, LedgerError>>()?;
        Ok(Self { db, started, files, execution })
    }

    /// Opens the ledger of a run that has ended, or whose process was killed, to continue it with what is given now.
    ///
    /// # Errors
    /// If it cannot be written, is damaged, is in use by another process, or was written by a version whose runs this one
    /// cannot continue.
    pub fn reopen(folder: RunFolder, meta: &RunMeta, durability: Durability) -> Result<Self, LedgerError> {
        folder.check()?;
        let lock = folder.lock()?;
        let mut db = Database::open(folder.database(), durability)?;
        check_schema(&db.connection, db.path())?;
        // Writing to a damaged database would damage it further.
        check_integrity(&db.connection, db.path())?;
        // Before anything is changed, so that the version that made the run can still continue it.
        if db.run(schema::has_results_without_fingerprint)? {
            return Err(not_comparable(&db, &folder, 1));
        }
        schema::migrate(&mut db)?;
        let execution = db.run(|db| {
            let [python, state] = meta.given.paths();
            db.execute(
                "UPDATE run SET status = ?1, finished = NULL, path = ?2, folder = ?3, params = ?4, given = ?5, python = ?6,
                 state = ?7, params_hash = ?8",
                params![
                    variant_name(&Status::Running),
                    PathColumn(meta.path.clone()),
                    working_folder(),
                    meta.params,
                    meta.given.params,
                    python,
                    state,
                    meta.params_hash,
                ],
            )?;
            Execution::begin(db, (&meta.source, &meta.machine))
        })?;
        Self::new(db, Execution::new(execution, folder, durability, lock))
    }

    pub(super) fn database(&mut self) -> &mut Database {
        &mut self.db
    }

    pub(super) fn execution(&self) -> &Execution {
        &self.execution
    }

    /// The run's folder.
    pub fn folder(&self) -> &RunFolder {
        &self.execution.folder
    }

    /// When the run was started, in milliseconds since 1970.
    pub fn started(&self) -> i64 {
        self.started
    }

    /// Opens a step: its row and its files. Also returns what earlier executions of the run did in it. Several steps can
    /// be open at a time.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn begin_step(
        &mut self,
        name: &StepName,
        step_type: StepType,
    ) -> Result<(StepLedger, StepHistory), LedgerError> {
        StepLedger::begin(self.execution.clone(), name, step_type)
    }

    /// Forgets what earlier executions did in a step, so that it starts over.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn forget_step(&mut self, name: &StepName) -> Result<(), LedgerError> {
        self.db.transaction(|db| match steps::find(db, name)? {
            Some(step) => steps::forget(db, step),
            None => Ok(()),
        })
    }

    /// A text that changes whenever the results or failures of a step do; empty if it was not started.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn revision(&self, step: &StepName) -> Result<String, LedgerError> {
        self.db.run(|db| steps::revision(db, step))
    }

    /// Closes the run.
    ///
    /// # Errors
    /// If the database cannot be written, or if files of the run were deleted or changed while it was under way.
    pub fn finish_run(&mut self, status: Status) -> Result<(), LedgerError> {
        let finished = now();
        self.db.run(|db| {
            let run = db.execute("UPDATE run SET status = ?1, finished = ?2", params![variant_name(&status), finished]);
            let executions = db.execute("UPDATE executions SET finished = ?1 WHERE finished IS NULL", [finished]);
            run.and(executions).map(drop)
        })?;
        self.check_files()
    }

    /// Checks that all files are where readers will look for them. Deleted files can still be written to, so nothing else
    /// would notice.
    fn check_files(&self) -> Result<(), LedgerError> {
        self.files.iter().try_for_each(|(place, path)| place.check(path))?;
        let folder = self.folder();
        let steps = self.db.rows("SELECT id, name FROM steps", [], |row| Ok((StepId(row.get(0)?), row.get(1)?)))?;
        for (step, name) in steps {
            let name: String = name;
            let Some(name) = StepName::new(&name) else { continue };
            let ends = self.db.run(|db| batches::file_ends(db, step))?;
            for (path, end) in [(folder.results(&name), ends.results), (folder.keys(&name), ends.keys)] {
                let how = match path.metadata() {
                    Ok(file) if file.len() >= end => continue,
                    Ok(_) => "truncated",
                    Err(_) if end == 0 => continue,
                    Err(_) => "deleted",
                };
                return Err(LedgerError::Gone { path: path.to_path_buf(), how });
            }
        }
        Ok(())
    }
}

/// The database, and the files that SQLite keeps next to it during a run.
fn database_files(database: &RunPath) -> [RunPath; 3] {
    ["", "-wal", "-shm"].map(|end| database.with_ending(end))
}
