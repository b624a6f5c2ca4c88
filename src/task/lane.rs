//! The border between slots and tasks.

use crate::model::{Batch, Failure, Lines, ResultForm};
use crate::template::ErrorValue;
use std::path::PathBuf;

/// What a slot hands to its lane in one go.
#[derive(Debug)]
pub struct Frame<'a> {
    /// The batches, in order.
    pub batches: &'a [Batch],
    /// Whether to begin no further item after the first failure.
    pub halt_on_failure: bool,
    /// For `on_item_error`: why the item failed. The frame then holds that one item.
    pub error: Option<&'a ErrorValue>,
}

impl Frame<'_> {
    /// Whether it is for `on_item_error`.
    pub(super) fn is_for_handler(&self) -> bool {
        self.error.is_some()
    }
}

/// What became of a frame.
#[derive(Debug, Default)]
pub struct FrameOutcome {
    /// One outcome for each batch, in order. What was done before a fatal failure counts.
    pub batches: Vec<BatchOutcome>,
    /// Why the step cannot go on, if it cannot.
    pub fatal: Option<Failure>,
}

/// What became of one batch of a frame. Positions count within the batch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchOutcome {
    /// The items that were not run, because the lane halted or was cancelled; rising.
    pub unrun: Vec<usize>,
    /// The items that failed, rising.
    pub failures: Vec<(usize, Failure)>,
    /// A line for each that was run and did not fail.
    pub lines: Lines,
    /// How they are written down in `lines`.
    pub form: ResultForm,
    /// Whether `lines` are the elements of a list that a batched task returned.
    pub list: bool,
    /// What the task printed.
    pub logs: Vec<LogLine>,
    /// How many NaN or infinite numbers became null.
    pub nulls: u64,
    /// The files of items that succeeded, where they stay.
    pub files: Vec<(usize, PathBuf)>,
}

impl BatchOutcome {
    /// One item that failed.
    pub fn failed(position: usize, failure: Failure) -> Self {
        Self { failures: vec![(position, failure)], ..Self::default() }
    }
}

/// Something a task printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Position of the item in the batch, if it was about one.
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

    /// Ends the lane in order.
    fn finish(&mut self) -> ShutdownReport {
        ShutdownReport::default()
    }
}

/// What came of ending a lane.
#[derive(Debug, Default)]
pub struct ShutdownReport {
    /// What was printed on the way.
    pub logs: Vec<LogLine>,
    /// What went wrong, such as a `teardown` that raised. All items are settled by then.
    pub error: Option<String>,
}
