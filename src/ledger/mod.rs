//! The ledger: what a run has done, on disk, so that nothing that finished is ever lost.
//!
//! Owns the run's folder: `run.db` (SQLite), `results/` (one JSON Lines file per step), `logs/`, and the lock. One process
//! writes a run; any number read it while it grows. Always holds: results are written before the row that points at them,
//! and a row is committed before anybody is told; bytes behind the last committed row are torn and are ignored.

mod audit;
mod baseline;
mod batches;
mod error;
mod folder;
mod growing;
mod health;
mod history;
mod item_files;
mod kept;
mod outputs;
mod reader;
mod results;
mod rows;
mod window;
mod writer;

pub use audit::Audit;
pub use baseline::{Baseline, BaselineKeys, BaselineStep, KeyRuns};
pub use error::LedgerError;
pub use folder::{RunFolder, StateFolder};
pub use growing::Durability;
pub use history::{DoneBatch, LossReason, LostItems, RowChange, StepHistory};
pub use reader::{FailureRecord, Reader, RunRecord, StepRecord};
pub use results::ResultLines;
pub use writer::{Ledger, Printed, RunMeta, StepKey};
