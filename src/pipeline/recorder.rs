//! What becomes of outcomes.

use crate::model::{BatchReport, LogEntry};

/// Keeps what a step does: a ledger, a client's socket, or nothing at all.
///
/// It hears of each batch once, from one thread, and may push back: while it is busy, slots wait as soon as the channel of
/// events is full.
pub trait Recorder: Send {
    /// Why something cannot be recorded.
    type Error: Send;

    /// Records batches with their results, failures and item files. When it returns, they count as done.
    ///
    /// # Errors
    /// If they cannot be recorded; then none of them counts as done, and the step ends.
    fn record(&mut self, reports: &[BatchReport]) -> Result<(), Self::Error>;

    /// Takes over a batch that was recorded, after everybody has been told.
    fn take(&mut self, report: BatchReport) {
        drop(report);
    }

    /// Records something that a task printed. The step goes on if that fails.
    ///
    /// # Errors
    /// A warning for the user, once; further failures are silent.
    fn log(&mut self, entry: &LogEntry) -> Result<(), String>;
}
