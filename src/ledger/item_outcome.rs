//! The outcome of a single item.

use super::batches::BatchRow;
use super::columns::integer;
use super::error::LedgerError;
use super::step_reader::StepReader;
use rusqlite::{OptionalExtension, params};

/// The outcome of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemOutcome {
    /// It has a result.
    Succeeded,
    /// Its last attempt failed.
    Failed,
    /// The user has cancelled or skipped it.
    Cancelled,
}

impl StepReader<'_> {
    /// The outcome of the item with this index, if it has one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn outcome_of(&self, index: u64) -> Result<Option<ItemOutcome>, LedgerError> {
        let query = "SELECT kind IN ('cancelled', 'skipped') FROM failures WHERE step = ?1 AND item_index = ?2";
        let parameters = params![self.record.id, integer(index)];
        self.db.run(|db| {
            if let Some(by_hand) = db.query_row(query, parameters, |row| row.get(0)).optional()? {
                return Ok(Some(if by_hand { ItemOutcome::Cancelled } else { ItemOutcome::Failed }));
            }
            Ok(BatchRow::any_with(db, self.record.id, index)?.then_some(ItemOutcome::Succeeded))
        })
    }
}
