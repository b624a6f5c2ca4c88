//! The results of a step row by row, for whoever takes whole rows. [`super::results`] gives them in the order of the items.

use super::batches::{BatchRow, CARRIED, REMOVED_ITEM};
use super::error::LedgerError;
use super::ids::StepId;
use super::row_ids::RowId;
use super::step_files::StepFiles;
use super::step_reader::StepReader;
use crate::columnar::json_of_ipc;
use crate::model::ResultForm;

/// A row with results.
#[derive(Debug, Clone, Copy)]
pub struct ResultRow {
    /// What identifies it.
    pub id: RowId,
    /// How many items it has that the workflow still has.
    pub items: u64,
    /// The hash of its results.
    pub hash: u64,
    first: u64,
    offset: u64,
}

impl ResultRow {
    /// Whether it was taken over from an earlier run.
    pub fn is_carried(&self) -> bool {
        self.id.execution == CARRIED
    }
}

/// The results of a row.
pub struct RowResults {
    /// As lines of JSON.
    pub lines: Vec<u8>,
    /// The table that they come from as an Arrow IPC stream, if they do.
    pub table: Option<Vec<u8>>,
}

/// The rows of a step, in the order of their first items.
pub struct ResultRows<'a> {
    step: &'a StepReader<'a>,
    files: StepFiles,
    rows: Vec<ResultRow>,
}

impl<'a> StepReader<'a> {
    /// The rows with results.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn rows(&'a self) -> Result<ResultRows<'a>, LedgerError> {
        let mut rows = Vec::new();
        self.each_row(&mut |row| {
            let id = RowId { execution: row.execution, id: row.id };
            let (first, offset, hash) = (row.first, row.offset, row.results_hash());
            rows.push(ResultRow { id, items: row.count, hash, first, offset });
        })?;
        rows.sort_unstable_by_key(|row| (row.first, row.offset));
        Ok(ResultRows { step: self, files: StepFiles::open(self.folder, &self.record.name)?, rows })
    }
}

impl ResultRows<'_> {
    /// All of them.
    pub fn all(&self) -> &[ResultRow] {
        &self.rows
    }

    /// The results of a row, after they were compared with their checksum.
    ///
    /// # Errors
    /// If they cannot be read, or are not those that were written.
    pub fn read(&self, row: &ResultRow) -> Result<RowResults, LedgerError> {
        let step = StepId(self.step.record.id);
        let row = self.step.db.run(|db| BatchRow::get(db, step, row.id.id))?;
        let gone = |why| LedgerError::ResultsGone { path: self.files.results_path().to_path_buf(), why };
        let mut bytes = Vec::new();
        if let Some(why) = self.files.results(&row, &mut bytes)? {
            return Err(gone(why));
        }
        match row.form {
            ResultForm::Arrow => {
                let lines = json_of_ipc(&bytes).map_err(|_| gone("cannot be read as a table"))?.text;
                Ok(RowResults { lines, table: Some(bytes) })
            }
            ResultForm::Lines if !row.is_list && row.indexes.is_some() => {
                Ok(RowResults { lines: present_lines(&row.indexes(), &bytes), table: None })
            }
            ResultForm::Lines | ResultForm::Pickle => Ok(RowResults { lines: bytes, table: None }),
        }
    }
}

/// The lines of the items that the workflow still has.
fn present_lines(indexes: &[u64], lines: &[u8]) -> Vec<u8> {
    let lines = lines.split_inclusive(|byte| *byte == b'\n');
    let present = indexes.iter().zip(lines).filter(|(index, _)| **index != REMOVED_ITEM);
    present.flat_map(|(_, line)| line).copied().collect()
}
