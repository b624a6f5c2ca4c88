//! What slots tell the aggregator, and what the aggregator tells the sinks.

use super::{Batch, Failure, Indexes, ItemKey, Keys, Lines, ResultForm, RunId, Stats, Status, StepName};
use std::path::PathBuf;
use std::time::Duration;

/// An item whose last attempt failed.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemFailure {
    /// Where it stands in the source.
    pub index: u64,
    /// Knows it by its content.
    pub key: ItemKey,
    /// The item, as JSON text.
    pub item: Vec<u8>,
    /// How often it was run.
    pub attempts: u32,
    /// Why the last run failed.
    pub failure: Failure,
    /// Why `on_item_error` failed, if it did.
    pub handler: Option<Failure>,
    /// Whether it is a bad row that the workflow wants left out: told, but no failure.
    pub left_out: bool,
}

/// What became of a batch that a slot took: each item of it is in exactly one of the fields.
#[derive(Debug, Clone, PartialEq)]
// More than 12 fields: it is what a batch came to, each field another answer.
pub struct BatchReport {
    /// The batch's number, from 1; where several travelled as one, the first one's.
    pub number: u64,
    /// How many batches these are.
    pub batches: u64,
    /// Which try this was, from 1.
    pub attempt: u32,
    /// The items that succeeded, rising.
    pub succeeded: Indexes,
    /// What each of them is known by.
    pub keys: Keys,
    /// Their results.
    pub lines: Lines,
    /// How they are written down in `lines`.
    pub form: ResultForm,
    /// Whether `lines` belong to the batch as a whole, because the task was batched: there need not be one line per item.
    pub list: bool,
    /// The files that the items have made, each with the key of its item.
    pub files: Vec<(ItemKey, PathBuf)>,
    /// The items that failed for good.
    pub failed: Vec<ItemFailure>,
    /// The items to be tried again, when, and why they failed this time.
    pub retries: Vec<(Batch, Duration, Failure)>,
    /// Items taken but not run, because the step stopped.
    pub skipped: u64,
    /// How much of the source's files the items that ended come to, in bytes on the disk; 0 where that is not known.
    pub bytes: u64,
    /// When and where it ran.
    pub span: BatchSpan,
}

/// When and where a batch ran. The start is by the engine's clock; durations are by the clock of whoever measured them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchSpan {
    /// The slot that ran it.
    pub slot: usize,
    /// When the slot took it, from the start of the step.
    pub started: Duration,
    /// From taking it to its end; of batches that travelled in one frame, their share of it.
    pub took: Duration,
}

/// Something that a task printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The item that it was printed for, if any.
    pub item: Option<ItemAttempt>,
    /// `stdout`, `stderr` or `worker`
    pub stream: String,
    /// The text.
    pub text: String,
}

/// One attempt of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ItemAttempt {
    /// Index of the item.
    pub index: u64,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// The step.
    pub name: StepName,
    /// Where it stands.
    pub status: Status,
    /// Its counts.
    pub stats: Stats,
    /// The failure that stopped it, if one did.
    pub failure: Option<Failure>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// Where it stands.
    pub status: Status,
    /// The steps that were started, in order.
    pub steps: Vec<StepReport>,
}

/// One thing that happened. The aggregator passes them on in the order in which they became durable.
#[derive(Debug, Clone)]
pub enum Event {
    /// The run began.
    RunStarted {
        /// The run.
        run: RunId,
        /// Name of the workflow.
        workflow: String,
        /// How many steps it has.
        steps: usize,
    },
    /// A step began.
    StepStarted {
        /// The step.
        name: StepName,
        /// How many items it has, where that is known before they are read.
        total: Option<u64>,
        /// How many items were done before, in an earlier execution of the run.
        done: u64,
        /// How many bytes its files have, where its items are rows and all of them are read.
        bytes: Option<u64>,
        /// How many of them were done before.
        bytes_done: u64,
        /// How many slots work on it.
        slots: usize,
    },
    /// A batch ended, and the ledger knows.
    BatchFinished {
        /// The step.
        name: StepName,
        /// What became of it.
        report: BatchReport,
        /// The step's counts so far.
        stats: Stats,
    },
    /// An item has been under way for long.
    ItemSlow {
        /// The step.
        name: StepName,
        /// The item's index.
        index: u64,
        /// For how long.
        running: Duration,
    },
    /// What of a step that has run before will run now, and why.
    StepSortedOut {
        /// The step.
        name: StepName,
        /// All items of now.
        total: u64,
        /// The items that will run: how many for each reason.
        reasons: Vec<(String, u64)>,
    },
    /// Something a person should know: a message of `echo`, a warning.
    Notice {
        /// The step; none if it is about the run.
        name: Option<StepName>,
        /// One or more lines.
        text: String,
    },
    /// A step ended.
    StepFinished(StepReport),
    /// The run ended.
    RunFinished(RunSummary),
}

/// Somebody who wants to know what happens: a progress bar, a writer of JSON lines.
pub trait Listener: Send {
    /// Something happened, and is durable.
    fn event(&mut self, event: &Event);

    /// Time passed while nothing happened.
    fn tick(&mut self) {}
}
