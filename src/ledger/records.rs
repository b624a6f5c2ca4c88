//! What the ledger's readers get to see: a run, its steps, its failures.

use crate::model::{Failure, Stats, Status, StepName};
use std::path::PathBuf;
use std::time::Duration;

/// A run.
#[derive(Debug, Clone, PartialEq)]
// More than 12 fields: one for each column.
pub struct RunRecord {
    /// The workflow's name.
    pub workflow: String,
    /// Path of the workflow file.
    pub path: PathBuf,
    /// The directory in which the run was started.
    pub folder: PathBuf,
    /// The parameters as JSON, secrets masked.
    pub params: String,
    /// How an incremental run compares files.
    pub incremental: Option<String>,
    /// The given parameters as JSON, without secrets; none if an older version started the run.
    pub given: Option<String>,
    /// `--python`
    pub python: Option<PathBuf>,
    /// A hash of its parameters.
    pub params_hash: Option<String>,
    /// `--max-items` when it was started.
    pub max_items: Option<u64>,
    /// In an incremental run, the run whose results it took over; empty if there was none.
    pub baseline: Option<String>,
    /// Where its state folder was, seen from `folder`, if that held it.
    pub state: Option<PathBuf>,
    /// How it is going, or how it ended. A run whose process was killed is `Interrupted`.
    pub status: Status,
    /// Milliseconds since 1970, UTC.
    pub started: i64,
    /// Milliseconds since 1970, UTC.
    pub finished: Option<i64>,
}

/// One start or resume of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionRecord {
    /// Its number, from 1.
    pub number: i64,
    /// Milliseconds since 1970, UTC.
    pub started: i64,
    /// Milliseconds since 1970, UTC; none while it runs, or if it was killed.
    pub finished: Option<i64>,
    /// The text of the workflow file, secrets masked; none if an older version ran it.
    pub source: Option<String>,
    /// The machine as JSON.
    pub machine: Option<String>,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRecord {
    pub(super) id: i64,
    /// Its name.
    pub name: StepName,
    /// Whether it runs its task for each item.
    pub is_batch: bool,
    /// How it is going, or how it ended.
    pub status: Status,
    /// Its counts; while it runs, of what is committed so far.
    pub stats: Stats,
    /// What stopped it.
    pub failure: Option<Failure>,
    /// When it was started last: milliseconds since 1970, UTC.
    pub started: i64,
}

/// A failed item.
#[derive(Debug, Clone, PartialEq)]
pub struct FailureRecord {
    /// Its index in the list of items.
    pub index: u64,
    /// The hash of its content.
    pub key: String,
    /// The item as JSON text.
    pub item: String,
    /// How many attempts it had.
    pub attempts: u32,
    /// Whether it is a bad row that was left out because the workflow says so.
    pub left_out: bool,
    /// How long the last attempt took, if that is known.
    pub took: Option<Duration>,
    /// The number of the execution in which it failed.
    pub execution: i64,
    /// The class of an exception or the like.
    pub class: String,
    /// One line.
    pub message: String,
    /// A traceback or the like.
    pub detail: Option<String>,
    /// Why `on_item_error` failed.
    pub handler: Option<String>,
}
