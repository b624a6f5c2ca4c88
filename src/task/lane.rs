//! The border between slots and tasks.

use super::cancel::Cancel;
use super::current_items::CurrentItems;
use super::guard::Guard;
use super::item_files::ItemFiles;
use super::item_lane::ItemLane;
use super::python::{Host, PythonLane, PythonTask};
use super::{echo, http, shell};
use crate::model::{Batch, BatchFormat, Failure, Form, Lines, ResultForm, RunId, StepName};
use crate::spec;
use crate::template::{ErrorValue, Names, Scope, TemplateError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

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
    /// Runs a frame; gives one outcome per batch, and what is wrong where the step cannot go on at all. What was done by
    /// then counts.
    fn run(&mut self, frame: &Frame<'_>) -> (Vec<BatchOutcome>, Option<Failure>);

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
    pub trouble: Option<String>,
}

/// What all lanes of a step share.
#[derive(Debug, Clone)]
pub struct Context {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepName,
    /// The names that hold for the step.
    pub scope: Arc<Scope>,
    /// Variables to set for every child process.
    pub env: Arc<Vec<(String, String)>>,
    /// How items are to be read: what [`Batch::form`] counts in.
    pub forms: Arc<[Form]>,
    /// Whether rows that cannot be read are left out, and so stop nothing.
    pub skip_bad_rows: bool,
    /// `timeout` per item.
    pub timeout: Option<Duration>,
    /// `batch_timeout`; a frame has one batch then.
    pub batch_timeout: Option<Duration>,
    /// Whether there are items; false for a plain step.
    pub has_item: bool,
    /// Whether `item` is the batch.
    pub batched: bool,
    /// What the batch is, if so.
    pub batch_format: BatchFormat,
    /// How many batches there are, where that is known.
    pub batches: Option<u64>,
    /// How many slots work side by side.
    pub slots: usize,
    /// Ends the work early.
    pub cancel: Cancel,
    /// Ends the children if the engine dies.
    pub guard: Option<Arc<Guard>>,
    /// The Python interpreter, where the workflow needs one.
    pub python: Option<Arc<Host>>,
    /// Folder for what workers print outside an item.
    pub logs: PathBuf,
    /// The files of items, where the task makes some.
    pub item_files: Option<Arc<ItemFiles>>,
    /// What each slot is on.
    pub current_items: Arc<CurrentItems>,
}

/// A task, compiled: what all lanes of a step run.
#[derive(Debug, Clone)]
pub enum Program {
    /// `shell`
    Shell(Arc<shell::Shell>),
    /// `http_request`
    Http(Arc<http::Http>),
    /// `echo`
    Echo(Arc<echo::Echo>),
    /// `python`
    Python(Arc<PythonTask>),
}

impl Program {
    /// Compiles a task. Scripts and modules are looked for in `folder`.
    ///
    /// # Errors
    /// All templates that do not compile.
    pub fn compile(task: &spec::Task, folder: &Path) -> Result<Self, Vec<TemplateError>> {
        Ok(match &task.kind {
            spec::TaskKind::Shell(task) => Self::Shell(Arc::new(shell::Shell::compile(task)?)),
            spec::TaskKind::Http(task) => Self::Http(Arc::new(http::Http::compile(task)?)),
            spec::TaskKind::Echo(task) => Self::Echo(Arc::new(echo::Echo::compile(task)?)),
            spec::TaskKind::Python(task) => Self::Python(Arc::new(PythonTask::compile(task, folder)?)),
        })
    }

    /// Compiles the code of an aggregate of a step, which sees the step's `results`, `failed` and `stats`.
    ///
    /// # Errors
    /// All templates that do not compile.
    pub fn aggregate(task: &spec::PythonTask, step: &StepName, folder: &Path) -> Result<Self, Vec<TemplateError>> {
        PythonTask::aggregate(task, step, folder).map(|task| Self::Python(Arc::new(task)))
    }

    /// Faults that can be known before anything runs.
    pub fn check(&self, names: &Names) -> Vec<TemplateError> {
        match self {
            Self::Shell(task) => task.check(names),
            Self::Http(task) => task.check(names),
            Self::Echo(task) => task.check(names),
            Self::Python(task) => task.check(names),
        }
    }

    /// The task's type as the workflow writes it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Shell(_) => "shell",
            Self::Http(_) => "http_request",
            Self::Echo(_) => "echo",
            Self::Python(_) => "python",
        }
    }

    /// Whether it starts child processes.
    pub fn has_children(&self) -> bool {
        matches!(self, Self::Shell(_) | Self::Python(_))
    }

    /// A lane for one slot.
    pub fn lane(&self, context: &Context, slot: usize) -> Box<dyn Lane> {
        let context = context.clone();
        match self {
            Self::Shell(task) => Box::new(ItemLane::new(Arc::clone(task), context, slot)),
            Self::Http(task) => Box::new(ItemLane::new(Arc::clone(task), context, slot)),
            Self::Echo(task) => Box::new(ItemLane::new(Arc::clone(task), context, slot)),
            Self::Python(task) => Box::new(PythonLane::new(Arc::clone(task), context, slot)),
        }
    }
}
