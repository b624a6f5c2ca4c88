//! A step, open for writing: its row, its results, keys and log.
//!
//! Each has its own connection to the run's database, so steps that run in parallel record independently. Opening one
//! takes a fifth of a millisecond. A shared one would need a lock around every commit, and would keep a step from moving
//! to another thread.

use super::append_file::AppendFile;
use super::batches::{self, FileEnds};
use super::columns::{integer, unsigned};
use super::commit::{Commit, stored_keys};
use super::database::Database;
use super::durability::Durability;
use super::error::LedgerError;
use super::execution::Execution;
use super::files::sync_directory;
use super::fingerprints;
use super::history::{FailureChange, RowChange, StepHistory};
use super::ids::{FingerprintId, StepId};
use super::load::{self, Loaded};
use super::log::StepLog;
use super::measurements::MeasurementWriter;
use super::moves;
use super::steps::{self, StepType};
use super::told;
use crate::measure::Measurements;
use crate::model::{BatchReport, Fingerprint, ItemKey, LogEntry, StepName, StepReport};
use rusqlite::{Transaction, params};
use std::collections::HashSet;

/// A step's part of the ledger, open for writing.
pub struct StepLedger {
    pub(super) db: Database,
    pub(super) step: StepId,
    name: StepName,
    execution: Execution,
    results: AppendFile,
    keys: AppendFile,
    /// The number of the next row in `batches`.
    next_batch: i64,
    /// Items with failures or attempts of earlier executions, which are void once the items have run again.
    keys_with_failures: HashSet<ItemKey>,
    /// What its results depend on, once that is known.
    fingerprint: Option<FingerprintId>,
    log: StepLog,
    measurements: MeasurementWriter,
}

impl StepLedger {
    /// Opens a step, and gives what earlier executions did in it.
    pub(super) fn begin(
        execution: Execution,
        name: &StepName,
        step_type: StepType,
    ) -> Result<(Self, StepHistory), LedgerError> {
        let folder = &execution.folder;
        let mut db = Database::open(folder.database(), execution.durability)?;
        let (step, loaded) = match db.run(|db| steps::find(db, name))? {
            Some(step) => {
                let mut loaded = load::load(&db, step, folder, name)?;
                loaded.history.told = db.run(|db| told::load(db, (step, name), execution.id))?;
                reopen(&mut db, step, step_type, &loaded)?;
                (step, loaded)
            }
            None => (db.run(|db| steps::insert(db, name, step_type))?, Loaded::default()),
        };
        let Loaded { history, ends, .. } = loaded;
        let results = AppendFile::open(folder.results(name), ends.results)?;
        let keys = AppendFile::open(folder.keys(name), ends.keys)?;
        if execution.durability == Durability::Full {
            sync_directory(&folder.path.join("results"))?;
        }
        let next_batch = db.run(|db| steps::last_batch(db, step))? + 1;
        let log = StepLog::NotOpened(folder.log(name));
        let opened = Self {
            db,
            step,
            name: name.clone(),
            execution,
            results,
            keys,
            next_batch,
            keys_with_failures: history.keys_with_failures(),
            fingerprint: None,
            log,
            measurements: MeasurementWriter::default(),
        };
        Ok((opened, history))
    }

    /// The step's name.
    pub fn name(&self) -> &StepName {
        &self.name
    }

    /// Records what results depend on from now on. Call it before anything is recorded.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn use_fingerprint(&mut self, fingerprint: &Fingerprint) -> Result<(), LedgerError> {
        let step = self.step;
        self.fingerprint = Some(self.db.transaction(|db| fingerprints::set(db, step, fingerprint))?);
        Ok(())
    }

    /// Notes how many items the step has, for those who watch it.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn expect_items(&mut self, total: u64) -> Result<(), LedgerError> {
        self.db.run(|db| steps::expect(db, self.step, total))
    }

    /// The fingerprint in use.
    fn fingerprint(&self) -> FingerprintId {
        self.fingerprint.expect("`use_fingerprint` is called before anything is recorded")
    }

    /// Forgets what earlier executions did with another fingerprint than the one in use, here and in the `history`.
    ///
    /// # Errors
    /// If the database or the files cannot be written.
    pub fn forget_where_fingerprint_differs(&mut self, history: &mut StepHistory) -> Result<(), LedgerError> {
        let (step, current) = (self.step, self.fingerprint());
        let forget = |db: &Transaction<'_>| {
            steps::forget_others(db, step, current)?;
            batches::file_ends(db, step)
        };
        let has_bytes = self.results.end() > 0 || self.keys.end() > 0;
        let ends = if has_bytes { self.db.durable_transaction(forget)? } else { self.db.transaction(forget)? };
        self.results.truncate(ends.results)?;
        self.keys.truncate(ends.keys)?;
        history.batches.retain(|batch| batch.fingerprint == current);
        history.lost.retain(|batch| batch.row.fingerprint == Some(current));
        history.fingerprints.retain(|fingerprint, _| *fingerprint == current);
        load::load_failures(&self.db, step, history)?;
        self.keys_with_failures = history.keys_with_failures();
        Ok(())
    }

    /// Notes where done and failed items are now in the list of items, and forgets those that the workflow no longer has.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn move_items(&mut self, changes: &[RowChange], failures: &[FailureChange]) -> Result<(), LedgerError> {
        if changes.is_empty() && failures.is_empty() {
            return Ok(());
        }
        let step = self.step;
        self.keys_with_failures.extend(failures.iter().filter_map(FailureChange::new_key));
        self.db.transaction(|db| moves::apply(db, step, changes, failures))
    }

    /// How many items have failed, in this execution or in an earlier one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn failed_items(&self) -> Result<u64, LedgerError> {
        let query = "SELECT count(*) FROM failures WHERE step = ?1 AND NOT left_out";
        self.db.run(|db| db.query_row(query, [self.step.0], |row| row.get(0).map(|count| unsigned(count).unwrap_or(0))))
    }

    /// A text that changes whenever the results or failures of the step do.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn revision(&self) -> Result<String, LedgerError> {
        self.revision_of(&self.name)
    }

    /// The same for another step of the run; empty if it was not started.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn revision_of(&self, step: &StepName) -> Result<String, LedgerError> {
        self.db.run(|db| steps::revision(db, step))
    }

    /// Records batches: first their results, then all their rows in one transaction. When it returns, they are durable.
    ///
    /// # Errors
    /// If they cannot be written; then none of them counts as done.
    pub fn record(&mut self, reports: &[BatchReport]) -> Result<(), LedgerError> {
        if reports.is_empty() {
            return Ok(());
        }
        let ends = FileEnds { results: self.results.end(), keys: self.keys.end() };
        match reports {
            [one] => self.results.append(&one.lines.0)?,
            all => self.results.append_all(all.iter().map(|report| report.lines.0.as_slice()))?,
        }
        let keys = reports.iter().flat_map(|report| stored_keys(&report.keys)).flat_map(ItemKey::to_bytes);
        self.keys.append(&keys.collect::<Vec<_>>())?;
        if self.execution.durability == Durability::Full {
            self.results.sync()?;
            self.keys.sync()?;
        }
        let commit = Commit {
            step: self.step,
            execution: self.execution.id,
            fingerprint: self.fingerprint(),
            first_batch: self.next_batch,
            ends,
            keys_with_failures: &self.keys_with_failures,
        };
        self.next_batch += i64::try_from(reports.len()).unwrap_or(i64::MAX);
        commit.write(&mut self.db, reports)
    }

    pub(super) fn sync_files(&self) -> Result<(), LedgerError> {
        self.results.sync()?;
        self.keys.sync()
    }

    pub(super) fn current_fingerprint(&self) -> Option<FingerprintId> {
        self.fingerprint
    }

    /// Records that items are left out because the execution before this one was told so.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn leave_out_again(&mut self, indexes: &[u64]) -> Result<(), LedgerError> {
        let (name, execution) = (&self.name, self.execution.id);
        self.db.transaction(|db| told::repeat(db, (name, execution), indexes))
    }

    /// Forgets failures of this execution, whose items run again. Until they have an outcome, they count as not run.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn forget_failures(&mut self, items: &[(u64, ItemKey)]) -> Result<(), LedgerError> {
        let (step, execution) = (self.step, self.execution.id);
        self.db.transaction(|db| {
            let mut delete = db.prepare_cached(
                "DELETE FROM failures WHERE step = ?1 AND key = ?2 AND item_index = ?3 AND execution = ?4 AND NOT left_out",
            )?;
            for (index, key) in items {
                delete.execute(params![step.0, key.to_string(), integer(*index), execution])?;
            }
            // Later failures take over the numbers of the deleted ones, so these would not tell.
            steps::change_revision(db, step)
        })
    }

    /// Saves what was measured of the step so far.
    ///
    /// # Errors
    /// If the database cannot be written. Nothing else is affected.
    pub fn save_measurements(&mut self, measurements: &Measurements) -> Result<(), LedgerError> {
        self.measurements.save(&mut self.db, (self.step, self.execution.id), measurements)
    }

    /// Appends what was printed to the step's log. After an error the log is abandoned, so there is one error per step.
    ///
    /// # Errors
    /// If the log cannot be written. Nothing else is affected.
    pub fn log(&mut self, entry: &LogEntry) -> Result<(), LedgerError> {
        self.log.append(self.execution.id, entry)
    }

    /// Closes the step.
    ///
    /// # Errors
    /// If the database cannot be written, or if its files were deleted or changed meanwhile.
    pub fn finish(self, report: &StepReport) -> Result<(), LedgerError> {
        self.results.check()?;
        self.keys.check()?;
        self.db.run(|db| steps::finish(db, self.step, report))
    }
}

/// Marks a step as running again, and deletes rows that have lost their results.
fn reopen(db: &mut Database, step: StepId, step_type: StepType, loaded: &Loaded) -> Result<(), LedgerError> {
    let restart = |db: &Transaction<'_>| {
        load::delete_lost(db, step, &loaded.history.lost)?;
        steps::restart(db, step, step_type)
    };
    // Bytes that rows have pointed at are about to be truncated or overwritten.
    let voids_bytes = loaded.files_shrink || !loaded.history.lost.is_empty();
    if voids_bytes { db.durable_transaction(restart) } else { db.transaction(restart) }
}
