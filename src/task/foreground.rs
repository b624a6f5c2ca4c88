//! Runs one item in the foreground, connected to the terminal.

use super::context::StepContext;
use super::lane::Frame;
use crate::model::{Batch, Failure, FailureKind};
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// One item to run in the foreground. There is no timeout, and its output is not captured.
#[derive(Debug)]
pub struct ForegroundRun<'a> {
    /// The context of its step.
    pub context: &'a StepContext,
    /// The item, alone in its batch.
    pub batch: &'a Batch,
    /// Whether to open a debugger if the code raises.
    pub debugger: bool,
}

/// How one item in the foreground ended.
#[derive(Debug)]
pub enum ForegroundEnd {
    /// A process ended with this status; its output is on the terminal.
    Status(ExitStatus),
    /// The result, as a line of JSON.
    Line(Vec<u8>),
}

impl<'a> ForegroundRun<'a> {
    /// The item as a frame.
    pub(super) fn frame(&self) -> Frame<'a> {
        Frame { batches: std::slice::from_ref(self.batch), halt_on_failure: false, error: None, log: &|_, _| {} }
    }

    /// An empty directory for the item's files, if the step has an output for them.
    pub(super) fn fresh_item_dir(&self) -> Result<Option<PathBuf>, Failure> {
        let items = self.context.item_files.as_ref();
        items.map(|items| items.fresh(self.batch.indexes.get(0))).transpose()
    }
}

impl ForegroundEnd {
    /// The end of a command that was run.
    pub(super) fn of(status: io::Result<ExitStatus>) -> Result<Self, Failure> {
        status.map(Self::Status).map_err(|error| Failure::new(FailureKind::Start, "Start", error.to_string()))
    }
}
