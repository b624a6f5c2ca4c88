//! The interface for recording outcomes.

use crate::measure::Measurements;
use crate::model::{BatchReport, Failure, ItemKey, LogEntry};

/// Records what a step does: in a ledger, over a client's socket, or not at all.
///
/// It gets each batch once, from one thread, and may push back: while it is busy and the channel of events is full, slots
/// wait.
pub trait Recorder: Send {
    /// Why something cannot be recorded.
    type Error: Send;

    /// Records batches with their results, failures and item files. When it returns, they count as done.
    ///
    /// # Errors
    /// If they cannot be recorded; then none of them counts as done, and the step ends.
    fn record(&mut self, reports: &[BatchReport]) -> Result<(), Self::Error>;

    /// Forgets the failures of these items, which run again.
    ///
    /// # Errors
    /// If that cannot be recorded; then they count as failed, and the step ends.
    fn forget_failures(&mut self, items: &[(u64, ItemKey)]) -> Result<(), Self::Error> {
        let _ = items;
        Ok(())
    }

    /// Takes over a batch that was recorded, after everyone was informed. A failure stops the step: there is no use for
    /// more results.
    fn take(&mut self, report: BatchReport) -> Option<Failure> {
        drop(report);
        None
    }

    /// Saves what was measured of the step so far: now and then, and at its end. The step continues if that fails.
    ///
    /// # Errors
    /// A warning for the user. It is not called again.
    fn save(&mut self, measurements: &Measurements) -> Result<(), String> {
        let _ = measurements;
        Ok(())
    }

    /// Records something that a task printed. The step continues if that fails.
    ///
    /// # Errors
    /// A warning for the user, once; further failures are silent.
    fn log(&mut self, entry: &LogEntry) -> Result<(), String>;
}
