//! Why a run could not be finished. Results up to that point are kept.

use crate::ledger::LedgerError;
use crate::pipeline::PipelineError;
use crate::task::DriverError;

/// An error of the engine itself or of its ledger.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The ledger cannot be opened; nothing was run.
    #[error(transparent)]
    Start(LedgerError),
    /// The ledger cannot be written or read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The system provides no threads.
    #[error("cannot start threads: {0}")]
    Threads(String),
    /// The guard of the children cannot be started.
    #[error("cannot start the guard of child processes")]
    Guard(#[source] std::io::Error),
    /// The executor cannot be used; nothing was run.
    #[error(transparent)]
    Executor(#[from] DriverError),
    /// The system provides no descriptors.
    #[error("cannot create an event descriptor")]
    Descriptors(#[from] std::io::Error),
}

impl From<PipelineError<LedgerError>> for EngineError {
    fn from(error: PipelineError<LedgerError>) -> Self {
        match error {
            PipelineError::Threads(cause) => Self::Threads(cause),
            PipelineError::Record(error) => Self::Ledger(error),
        }
    }
}
