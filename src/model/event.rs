//! What slots report to the aggregator, and the events that it passes to listeners.

use super::{Batch, Failure, Indexes, ItemKey, Keys, Lines, ResultForm, RunId, Stats, Status, StepName};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// An item whose last attempt failed.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemFailure {
    /// Its index in the source.
    pub index: u64,
    /// Its key.
    pub key: ItemKey,
    /// The item, as JSON text.
    pub item: Vec<u8>,
    /// How many attempts it had.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub failure: Failure,
    /// Why `on_item_error` failed, if it did.
    pub handler: Option<Failure>,
    /// Whether it is a bad row that the workflow skips: reported, but not a failure.
    pub left_out: bool,
}

/// The outcome of a batch that a slot took: each item is in exactly one of the fields.
#[derive(Debug, Clone, PartialEq)]
// More than 12 fields: each is a different part of the outcome.
pub struct BatchReport {
    /// The number of the batch, from 1; if several travelled as one, of the first.
    pub number: u64,
    /// How many batches travelled as one.
    pub batches: u64,
    /// Which attempt this was, from 1.
    pub attempt: u32,
    /// The indexes of the items that succeeded, in rising order.
    pub succeeded: Indexes,
    /// Their keys.
    pub keys: Keys,
    /// Their results.
    pub lines: Lines,
    /// How the results are encoded in `lines`.
    pub form: ResultForm,
    /// Whether `lines` belong to the batch as a whole, because the task was batched: there may be more or fewer lines
    /// than items.
    pub list: bool,
    /// The files that items made, each with the key of its item.
    pub files: Vec<(ItemKey, PathBuf)>,
    /// The items that failed for good.
    pub failed: Vec<ItemFailure>,
    /// The items to retry, after which delay, and why they failed this time.
    pub retries: Vec<(Batch, Duration, Failure)>,
    /// Items that did not run because the step stopped.
    pub skipped: u64,
    /// How many bytes of the source's files the finished items cover; 0 if unknown.
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
    /// From then to its end; for batches in one frame, their share of its time.
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
    /// Its status.
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
    /// Its status.
    pub status: Status,
    /// The steps that were started, in order.
    pub steps: Vec<StepReport>,
}

/// What a step is busy with, on average over the last second or so.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct StepLoad {
    /// How many slots work on items, rather than wait.
    pub busy_slots: f64,
    /// How many CPU cores engine and tasks use.
    pub cores: f64,
    /// Memory of engine and tasks, in bytes.
    pub memory: u64,
    /// Batches that wait for a retry.
    pub waiting: u64,
    /// How many slots may work.
    pub width: usize,
    /// Whether the user has paused the run.
    #[serde(default)]
    pub paused: bool,
}

/// Something that happened. The aggregator passes events on in the order in which they became durable.
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
        /// How many items it has, if that is known before they are read.
        total: Option<u64>,
        /// How many items earlier executions of the run did.
        done: u64,
        /// The total size of its files, if its items are files, or rows that are all read.
        bytes: Option<u64>,
        /// How many of these bytes earlier executions did.
        bytes_done: u64,
        /// How many slots work on it.
        slots: usize,
    },
    /// A batch ended and is recorded.
    BatchFinished {
        /// The step.
        name: StepName,
        /// Its outcome.
        report: BatchReport,
        /// The step's counts so far.
        stats: Stats,
    },
    /// What the step is busy with: about once a second.
    StepLoad {
        /// The step.
        name: StepName,
        /// Its load.
        load: StepLoad,
    },
    /// An item has been running for a long time.
    ItemSlow {
        /// The step.
        name: StepName,
        /// The item's index.
        index: u64,
        /// The item, if it is at hand: a string as it is, anything else as JSON. Secrets are masked, the end may be cut off.
        item: Option<String>,
        /// For how long.
        running: Duration,
    },
    /// Which items of a resumed step will run, and why.
    StepSortedOut {
        /// The step.
        name: StepName,
        /// The current number of items.
        total: u64,
        /// The items that will run: how many for each reason.
        reasons: Vec<(String, u64)>,
    },
    /// Something for the user to read: a message of `echo`, a warning.
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

/// What is informed of events: a progress bar, a writer of JSON lines.
pub trait Listener: Send {
    /// Something happened, and is durable.
    fn event(&mut self, event: &Event);

    /// Time passed while nothing happened.
    fn tick(&mut self) {}
}
