//! The ledger: what a run has done, on disk, so that finished work is never lost.
//!
//! Owns the run's directory: `run.db` (SQLite), `results/` (a results file and a keys file per step), `logs/`, and the
//! lock; and the files in which calls of a Python client keep results ([`CallRecords`]). One process writes a run: [`Ledger`] the run itself, and one [`StepLedger`] per step in progress. Meanwhile, any
//! number of processes can read it with a [`Reader`]. Others decide what is recorded and when, and whether a result is
//! still valid.
//!
//! Always holds: results are written before the row that points at them, and a row is committed before anyone is
//! informed. Bytes after those that committed rows point at are incomplete and ignored.

mod append_file;
mod audit;
mod batches;
mod block;
mod call_records;
mod call_scan;
mod carry;
mod columns;
mod commands;
mod commit;
mod database;
mod derived;
mod durability;
mod error;
mod execution;
mod files;
mod fingerprints;
mod folder;
mod history;
mod ids;
mod item_files;
mod item_outcome;
mod item_times;
mod leftovers;
mod load;
mod log;
mod measurements;
mod moves;
mod new_database;
mod outputs;
mod owner;
mod path_column;
mod place;
mod printed;
mod read_ahead;
mod reader;
mod records;
mod refusal;
mod refused_run;
mod results;
mod row_hashes;
mod row_ids;
mod row_results;
mod run;
mod run_ids;
mod run_meta;
mod run_path;
mod schema;
mod seals;
mod sorted_blocks;
mod sorted_copy;
mod sqlite_file;
mod step;
mod step_files;
mod step_reader;
mod steps;
mod told;

#[cfg(test)]
mod tests;

pub use audit::Audit;
pub use call_records::{CallRecords, FoundResults};
pub use commands::{CommandLog, CommandRecord};
pub use derived::AggregateFile;
pub use durability::Durability;
pub use error::LedgerError;
pub use folder::{RunFolder, StateFolder};
pub use history::{
    DoneBatch, FailedItem, FailedItems, FailureChange, LossReason, LostItems, RowChange, StepHistory, ToldItems,
};
pub use item_outcome::ItemOutcome;
pub use log::{LogReader, LogRecord};
pub use place::RunPlace;
pub use printed::PrintedTexts;
pub use reader::Reader;
pub use records::{ExecutionRecord, FailureRecord, RunRecord, StepRecord};
pub use refused_run::{OUTPUT_BUSY, was_refused};
pub use results::{ResultBlock, ResultsReader};
pub use row_hashes::{RowHashWriter, RowHashes};
pub use row_ids::{RowId, RowIds};
pub use row_results::{ResultRow, ResultRows, RowResults};
pub use run::Ledger;
pub use run_meta::{Given, RunMeta};
pub use run_path::RunPath;
pub use step::StepLedger;
pub use step_reader::{FailureCursor, StepReader};
pub use steps::StepType;
