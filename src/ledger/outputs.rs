//! What was written to the files of `outputs`, and from which results.
//!
//! The table is made when it is first needed: versions that do not know it lose nothing by not reading it.

use super::error::LedgerError;
use super::writer::{Ledger, StepKey};
use rusqlite::{OptionalExtension, params};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS outputs (step INTEGER PRIMARY KEY, written TEXT NOT NULL)";

impl Ledger {
    /// What was noted with [`Ledger::note_output`]; none where nothing was.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn output(&self, step: StepKey) -> Result<Option<String>, LedgerError> {
        let read = self.db.execute_batch(TABLE).and_then(|()| {
            let query = "SELECT written FROM outputs WHERE step = ?1";
            self.db.query_row(query, [step.0], |row| row.get(0)).optional()
        });
        read.map_err(|error| self.sqlite(error))
    }

    /// Notes what was written for a step.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub fn note_output(&self, step: StepKey, written: &str) -> Result<(), LedgerError> {
        let noted = self
            .db
            .execute_batch(TABLE)
            .and_then(|()| self.db.execute("INSERT OR REPLACE INTO outputs VALUES (?1, ?2)", params![step.0, written]));
        noted.map(drop).map_err(|error| self.sqlite(error))
    }
}
