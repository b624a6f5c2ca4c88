//! What was written to the file of `outputs`, and from which results.

use super::error::LedgerError;
use super::step::StepLedger;
use rusqlite::{OptionalExtension, params};

impl StepLedger {
    /// What was noted with [`StepLedger::note_output`], if anything was.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn output(&self) -> Result<Option<String>, LedgerError> {
        self.db.run(|db| {
            db.query_row("SELECT written FROM outputs WHERE step = ?1", [self.step.0], |row| row.get(0)).optional()
        })
    }

    /// Notes what was written for the step.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn note_output(&self, written: &str) -> Result<(), LedgerError> {
        self.db.run(|db| {
            db.execute("INSERT OR REPLACE INTO outputs VALUES (?1, ?2)", params![self.step.0, written]).map(drop)
        })
    }
}
