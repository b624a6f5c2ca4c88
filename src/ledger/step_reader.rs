//! A step, open for reading: its results, failures and history.

use super::batches::{BatchRow, CARRIED, REMOVED_ITEM, decode_indexes, hash_results};
use super::columns::{integer, unsigned};
use super::database::Database;
use super::error::LedgerError;
use super::folder::RunFolder;
use super::history::StepHistory;
use super::ids::StepId;
use super::load;
use super::log::LogReader;
use super::measurements;
use super::records::{FailureRecord, StepRecord};
use super::results::{Block, ResultsReader};
use super::schema::{check_rows, has_measurements};
use super::seals::FAILURES;
use super::step_files::StepFiles;
use super::steps;
use crate::measure::Measurements;
use crate::model::ResultForm;
use rusqlite::{Row, params};
use std::collections::HashMap;
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

    /// Index and key of each failed item, without the rest of it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn failure_keys(&self) -> Result<Vec<(u64, String)>, LedgerError> {
        let query = "SELECT item_index, key FROM failures WHERE step = ?1";
        self.check_failures()?;
        self.db.rows(query, [self.record.id], |row| Ok((unsigned(row.get(0)?).unwrap_or(0), row.get(1)?)))
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

    /// What was printed during the last attempt of each of these failed items.
    ///
    /// # Errors
    /// If the log exists but cannot be read.
    pub fn printed(&self, failures: &[FailureRecord]) -> Result<Vec<String>, LedgerError> {
        let attempt = |failure: &FailureRecord| (failure.index, failure.execution, failure.attempts);
        // The text, and the stream of its last piece.
        let mut texts: HashMap<(u64, i64, u32), (String, String)> =
            failures.iter().map(|failure| (attempt(failure), Default::default())).collect();
        let mut log = self.log();
        while let Some(record) = log.next_record()? {
            let attempt = record.item.map(|item| (item.index, record.execution, item.attempt));
            if let Some((text, stream)) = attempt.and_then(|attempt| texts.get_mut(&attempt)) {
                if *stream != record.stream && !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                text.push_str(&record.text);
                *stream = record.stream;
            }
        }
        Ok(failures
            .iter()
            .map(|failure| texts.get(&attempt(failure)).map(|(text, _)| text.clone()).unwrap_or_default())
            .collect())
    }

    pub(super) fn batch_rows(&self) -> Result<Vec<BatchRow>, LedgerError> {
        self.db.run(|db| BatchRow::all(db, StepId(self.record.id)))
    }

    /// The results, in item order.
    ///
    /// # Errors
    /// If the database or the results file cannot be read, or the results are not those that were written.
    pub fn results(&self) -> Result<ResultsReader, LedgerError> {
        self.results_of(self.batch_rows()?)
    }

    /// The results that this run has made itself, in item order: not those that it took over from an earlier run.
    ///
    /// # Errors
    /// As for [`results`](Self::results).
    pub fn new_results(&self) -> Result<ResultsReader, LedgerError> {
        self.results_of(self.batch_rows()?.into_iter().filter(|row| row.execution != CARRIED).collect())
    }

    fn results_of(&self, rows: Vec<BatchRow>) -> Result<ResultsReader, LedgerError> {
        let files = StepFiles::open(self.folder, &self.record.name)?;
        let mut blocks = Vec::with_capacity(rows.len());
        let mut lines = Vec::new();
        for row in rows {
            match &row.indexes {
                Some(indexes) if !row.is_list => {
                    if let Some(why) = files.results(&row, &mut lines)? {
                        return Err(LedgerError::ResultsGone { path: files.results_path().to_path_buf(), why });
                    }
                    blocks.extend(split(row.offset, &decode_indexes(indexes), &lines));
                }
                _ => blocks.push(Block::of_row(&row)),
            }
        }
        ResultsReader::open(files.results_path(), blocks)
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

/// Splits the lines of a batch whose items are not neighbours into blocks of neighbours. The lines begin at `offset`.
fn split(offset: u64, indexes: &[u64], lines: &[u8]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut start = 0;
    for (index, end) in indexes.iter().zip(memchr::memchr_iter(b'\n', lines)) {
        let (from, length) = (offset + start as u64, (end + 1 - start) as u64);
        start = end + 1;
        match blocks.last_mut() {
            _ if *index == REMOVED_ITEM => {}
            Some(last) if last.first + last.count == *index && last.offset + last.length == from => {
                last.count += 1;
                last.length += length;
            }
            _ => blocks.push(Block {
                first: *index,
                count: 1,
                is_list: false,
                form: ResultForm::Lines,
                offset: from,
                length,
                hash: 0,
            }),
        }
    }
    for block in &mut blocks {
        let start = usize::try_from(block.offset - offset).expect("it is within the lines");
        let length = usize::try_from(block.length).expect("it is within the lines");
        block.hash = hash_results(&lines[start..start + length]);
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_where_items_are_missing() {
        let block = |first, count, offset, lines: &[u8]| Block {
            first,
            count,
            is_list: false,
            form: ResultForm::Lines,
            offset,
            length: lines.len() as u64,
            hash: hash_results(lines),
        };
        assert_eq!(split(100, &[3, 4, 9], b"1\n22\n3 \n"), [block(3, 2, 100, b"1\n22\n"), block(9, 1, 105, b"3 \n")]);
    }
}
