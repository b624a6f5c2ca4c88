//! What was written to the file of `outputs`, and from which results.

use super::error::LedgerError;
use super::history::DoneBatch;
use super::step::StepLedger;
use rusqlite::{OptionalExtension, params};

impl StepLedger {
    /// Waits until all results so far survive a power cut. Call it before they are written to a place that does: what is noted
    /// there must not be ahead of the ledger.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn make_durable(&mut self) -> Result<(), LedgerError> {
        self.sync_files()?;
        let step = self.step;
        self.db.durable_transaction(|db| db.execute("UPDATE steps SET moves = moves WHERE id = ?1", [step.0]).map(drop))
    }

    /// Whether a batch has what the step's results depend on now.
    pub fn is_current(&self, batch: &DoneBatch) -> bool {
        Some(batch.fingerprint) == self.current_fingerprint()
    }

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
