//! A step, open for reading: its results, failures and history.

use super::batches::{BatchRow, CARRIED};
use super::block::{self, Block};
use super::columns::{integer, unsigned};
use super::database::Database;
use super::error::LedgerError;
use super::folder::RunFolder;
use super::history::StepHistory;
use super::ids::StepId;
use super::load;
use super::log::LogReader;
use super::measurements;
use super::printed::PrintedTexts;
use super::records::{FailureRecord, StepRecord};
use super::results::ResultsReader;
use super::schema::{check_items_once, check_rows, has_measurements};
use super::seals::FAILURES;
use super::sorted_blocks::BlockSorter;
use super::step_files::StepFiles;
use super::steps;
use crate::measure::Measurements;
use rusqlite::{OptionalExtension, Row, params};
use std::time::Duration;

const SELECT_FAILURES: &str =
    "SELECT item_index, key, item, attempts, type, message, detail, handler, duration_us, execution,
    left_out FROM failures WHERE step = ?1";

/// A step of a run that is open for reading.
pub struct StepReader<'a> {
    /// What the ledger says about the step as a whole.
    pub record: StepRecord,
    pub(super) db: &'a Database,
    pub(super) folder: &'a RunFolder,
}

impl<'a> StepReader<'a> {
    pub(super) fn new(db: &'a Database, folder: &'a RunFolder, record: StepRecord) -> Self {
        Self { record, db, folder }
    }

    /// The failed items, in item order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn failures(&self) -> Result<Vec<FailureRecord>, LedgerError> {
        self.check_failures()?;
        self.db.rows(&format!("{SELECT_FAILURES} ORDER BY item_index"), [self.record.id], failure)
    }

    /// Visits the failures one by one, in item order: the index of the item, the type and the message. Skipped bad rows are not
    /// failures.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn visit_failures(&self, mut visit: impl FnMut(u64, &str, &str)) -> Result<(), LedgerError> {
        let query =
            "SELECT item_index, type, message FROM failures WHERE step = ?1 AND NOT left_out ORDER BY item_index";
        self.check_failures()?;
        self.db.run(|db| {
            let mut query = db.prepare(query)?;
            let mut rows = query.query([self.record.id])?;
            while let Some(row) = rows.next()? {
                let (class, message) = (row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
                visit(unsigned(row.get(0)?).unwrap_or(0), class, message);
            }
            Ok(())
        })
    }

    /// The failed items one by one, in item order: memory holds the number of each, and the rest of one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn failures_in_turn(&self) -> Result<FailureCursor<'_>, LedgerError> {
        self.in_turn("")
    }

    /// The bad rows that were skipped, in the same way.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn bad_rows_in_turn(&self) -> Result<FailureCursor<'_>, LedgerError> {
        self.in_turn("AND left_out AND kind NOT IN ('cancelled', 'skipped')")
    }

    fn in_turn(&self, condition: &str) -> Result<FailureCursor<'_>, LedgerError> {
        self.check_failures()?;
        let query = format!("SELECT id FROM failures WHERE step = ?1 {condition} ORDER BY item_index");
        let ids = self.db.rows(&query, [self.record.id], |row| row.get(0))?;
        Ok(FailureCursor { step: self, ids: ids.into_iter() })
    }

    /// Index and key of each failed item, without the rest of it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn failure_keys(&self) -> Result<Vec<(u64, String)>, LedgerError> {
        let query = "SELECT item_index, key FROM failures WHERE step = ?1 AND kind NOT IN ('cancelled', 'skipped')";
        self.check_failures()?;
        self.db.rows(query, [self.record.id], |row| Ok((unsigned(row.get(0)?).unwrap_or(0), row.get(1)?)))
    }

    /// The indexes of the items that the user has cancelled or skipped.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn cancelled(&self) -> Result<Vec<u64>, LedgerError> {
        let query = "SELECT item_index FROM failures WHERE step = ?1 AND kind IN ('cancelled', 'skipped')";
        self.check_failures()?;
        self.db.rows(query, [self.record.id], |row| Ok(unsigned(row.get(0)?).unwrap_or(0)))
    }

    /// The failed items that `name` names: by their index, or by at least the first four characters of their key.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn failures_named(&self, name: &str) -> Result<Vec<FailureRecord>, LedgerError> {
        let index = name.parse().ok().map(integer);
        self.check_failures()?;
        let query = format!(
            "{SELECT_FAILURES} AND (item_index = ?2 OR length(?3) >= 4 AND substr(key, 1, length(?3)) = ?3)
             ORDER BY item_index"
        );
        self.db.rows(&query, params![self.record.id, index, name], failure)
    }

    fn check_failures(&self) -> Result<(), LedgerError> {
        self.db.run(|db| check_rows(db, &[&FAILURES]))
    }

    /// What was done in the step.
    ///
    /// # Errors
    /// If the database or the step's files cannot be read.
    pub fn history(&self) -> Result<StepHistory, LedgerError> {
        check_items_once(self.db)?;
        Ok(load::load(self.db, StepId(self.record.id), self.folder, &self.record.name)?.history)
    }

    /// A text that changes whenever the results or failures of the step do.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn revision(&self) -> Result<String, LedgerError> {
        self.db.run(|db| steps::revision(db, &self.record.name))
    }

    /// How many items the latest execution of the run has brought to an outcome in it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn done_lately(&self) -> Result<u64, LedgerError> {
        let query = "SELECT (SELECT coalesce(sum(count), 0) FROM batches WHERE step = ?1 AND execution = latest)
            + (SELECT count(*) FROM failures WHERE step = ?1 AND execution = latest AND NOT left_out)
            FROM (SELECT max(id) AS latest FROM executions)";
        self.db
            .run(|db| db.query_row(query, [self.record.id], |row| row.get(0).map(|count| unsigned(count).unwrap_or(0))))
    }

    /// What was noted of its output file when it was written, as JSON.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn output(&self) -> Result<Option<String>, LedgerError> {
        let query = "SELECT written FROM outputs WHERE step = ?1";
        Ok(self.db.rows(query, [self.record.id], |row| row.get(0))?.pop())
    }

    /// What was measured of it: the number of each execution of the run that measured something, and what. Parts that are
    /// damaged are left out.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn measurements(&self) -> Result<Vec<(i64, Measurements)>, LedgerError> {
        let step = StepId(self.record.id);
        self.db.run(|db| if has_measurements(db)? { measurements::read(db, step) } else { Ok(Vec::new()) })
    }

    /// What its tasks have printed, in the order in which they did.
    pub fn log(&self) -> LogReader {
        LogReader::new(self.folder.log(&self.record.name))
    }

    /// What was printed during the last attempts of the failed items.
    ///
    /// # Errors
    /// If the database, or a log that exists, cannot be read.
    pub fn printed(&self) -> Result<PrintedTexts, LedgerError> {
        if !self.folder.log(&self.record.name).exists() {
            return Ok(PrintedTexts::default());
        }
        let query = "SELECT item_index, execution, attempts FROM failures WHERE step = ?1";
        let attempts = self
            .db
            .rows(query, [self.record.id], |row| Ok((unsigned(row.get(0)?).unwrap_or(0), row.get(1)?, row.get(2)?)))?;
        PrintedTexts::read(attempts, self.log())
    }

    /// Gives each row with results to `take`, in the order in which they were written.
    pub(super) fn each_row(&self, take: &mut dyn FnMut(BatchRow)) -> Result<(), LedgerError> {
        self.db.run(|db| BatchRow::each(db, StepId(self.record.id), take))
    }

    /// The results, in item order.
    ///
    /// # Errors
    /// If the database or the results file cannot be read, or the results are not those that were written.
    pub fn results(&self) -> Result<ResultsReader, LedgerError> {
        self.results_of(|_| true)
    }

    /// The results that this run has made itself, in item order: not those that it took over from an earlier run.
    ///
    /// # Errors
    /// As for [`results`](Self::results).
    pub fn new_results(&self) -> Result<ResultsReader, LedgerError> {
        self.results_of(|row| row.execution != CARRIED)
    }

    fn results_of(&self, belongs: impl Fn(&BatchRow) -> bool) -> Result<ResultsReader, LedgerError> {
        let files = StepFiles::open(self.folder, &self.record.name)?;
        // There may be a row for each item, so none is held.
        let (mut blocks, mut end, mut lines) = (BlockSorter::new(), 0, Vec::new());
        let mut add = |row: &BatchRow| {
            if row.indexes.is_none() || row.is_list {
                let block = Block::of_row(row);
                end = block.end().max(end);
                blocks.push(block);
                return Ok(());
            }
            if let Some(why) = files.results(row, &mut lines)? {
                return Err(LedgerError::ResultsGone { path: files.results_path().to_path_buf(), why });
            }
            let of_row = block::split(row.offset, &row.indexes(), &lines);
            of_row.into_iter().for_each(|block| blocks.push(Block { attempt: row.attempt, ..block }));
            Ok(())
        };
        let mut added = Ok(());
        self.each_row(&mut |row| {
            if added.is_ok() && belongs(&row) {
                added = add(&row);
            }
        })?;
        added?;
        ResultsReader::open(files.results_path(), blocks, end)
    }
}

/// The failed items of a step, one by one.
pub struct FailureCursor<'a> {
    step: &'a StepReader<'a>,
    ids: std::vec::IntoIter<i64>,
}

impl FailureCursor<'_> {
    /// The next one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn next_failure(&mut self) -> Result<Option<FailureRecord>, LedgerError> {
        let query = format!("{SELECT_FAILURES} AND id = ?2");
        let db = self.step.db;
        for id in self.ids.by_ref() {
            let params = [self.step.record.id, id];
            let found = db.run(|db| db.prepare_cached(&query)?.query_row(params, failure).optional())?;
            // Meanwhile, it may have run again.
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

fn failure(row: &Row<'_>) -> rusqlite::Result<FailureRecord> {
    Ok(FailureRecord {
        index: unsigned(row.get(0)?).unwrap_or(0),
        key: row.get(1)?,
        item: row.get(2)?,
        attempts: row.get(3)?,
        class: row.get(4)?,
        message: row.get(5)?,
        detail: row.get(6)?,
        handler: row.get(7)?,
        took: unsigned(row.get(8)?).map(Duration::from_micros),
        execution: row.get(9)?,
        left_out: row.get(10)?,
    })
}
