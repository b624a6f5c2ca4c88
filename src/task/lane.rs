//! The interface between slots and tasks: a slot hands frames to its lane, and gets their outcomes back.

use crate::model::{Batch, Failure, HostName, ItemTime, Lines, RequestTimes, ResultForm, WorkerTimes};
use crate::template::ErrorValue;
use std::path::PathBuf;

/// Takes what tasks print, as soon as it is there: the place of the batch in the frame, and the text.
pub type LogSink<'a> = dyn Fn(usize, LogLine) + 'a;

/// What a slot hands to its lane in one call.
pub struct Frame<'a> {
    /// The batches, in order.
    pub batches: &'a [Batch],
    /// Whether to start no further item after the first failure.
    pub halt_on_failure: bool,
    /// For `on_item_error`: why the item failed. The frame then contains only that item.
    pub error: Option<&'a ErrorValue>,
    /// Where text goes that tasks print.
    pub log: &'a LogSink<'a>,
}

impl Frame<'_> {
    /// Whether it is for `on_item_error`.
    pub(super) fn is_for_handler(&self) -> bool {
        self.error.is_some()
    }
}

/// The outcome of a frame.
#[derive(Debug, Default)]
pub struct FrameOutcome {
    /// One outcome per batch, in order. Results from before a fatal failure count.
    pub batches: Vec<BatchOutcome>,
    /// Why the step cannot go on, if it cannot.
    pub fatal: Option<Failure>,
    /// How a worker spent its time on the frame.
    pub worker: WorkerTimes,
    /// How its requests spent their time.
    pub request: RequestTimes,
    /// How long items ran, whether they succeeded or not: the place of their batch in the frame, and the time.
    pub times: Vec<(usize, ItemTime)>,
    /// Where it ran, if not here. If parts of it ran on several hosts, the last of them.
    pub host: Option<HostName>,
    /// What people should know of it.
    pub notices: Vec<String>,
}

/// The outcome of one batch of a frame. Positions count within the batch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchOutcome {
    /// The items that did not run, because the lane halted or the run was cancelled, in order.
    pub unrun: Vec<usize>,
    /// The items that failed, in order.
    pub failures: Vec<(usize, Failure)>,
    /// A line for each item that succeeded.
    pub lines: Lines,
    /// How the results are encoded in `lines`.
    pub form: ResultForm,
    /// Whether a batched task returned a list, whose elements are the lines.
    pub list: bool,
    /// How many NaN or infinite numbers became null.
    pub nulls: u64,
    /// The files of items that succeeded, in their final directory.
    pub files: Vec<(usize, PathBuf)>,
}

impl BatchOutcome {
    /// One item that failed.
    pub fn failed(position: usize, failure: Failure) -> Self {
        Self { failures: vec![(position, failure)], ..Self::default() }
    }
}

/// Text that a task printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Position of the item in the batch; `None` outside of items.
    pub position: Option<usize>,
    /// `stdout` or `stderr`
    pub stream: String,
    /// The text.
    pub text: String,
}

/// Runs batches, one frame at a time. Belongs to one slot.
pub trait Lane {
    /// Runs a frame.
    fn run(&mut self, frame: &Frame<'_>) -> FrameOutcome;

    /// Shuts the lane down. `tell` gets a word for the user about what this waits for, if it takes long.
    fn finish(&mut self, _tell: &dyn Fn(String)) -> ShutdownReport {
        ShutdownReport::default()
    }
}

/// What happened while a lane was shut down.
#[derive(Debug, Default)]
pub struct ShutdownReport {
    /// What was printed meanwhile.
    pub logs: Vec<LogLine>,
    /// What went wrong, such as an error in `teardown`. All items have their outcome by then.
    pub error: Option<String>,
}
