//! The checked workflow: every key is known, and every value has its type.
//!
//! Strings that may contain templates are kept as [`Text`]. Nothing is rendered here.

use super::aggregate::Aggregate;
use super::batch::BatchSpec;
use super::items::ItemsSpec;
use super::output_file::OutputFile;
use super::param::Param;
use super::retry::RetryPolicy;
use super::setting::Setting;
use super::source_file::SourceFile;
use super::task::{PythonTask, ShellProgram, Task, TaskKind};
use crate::model::{IfExists, Span, StepName, Text, Tree};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A whole workflow.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// The file.
    pub source: SourceFile,
    /// `name`. Default: the file name without its extension.
    pub name: String,
    /// `description`
    pub description: Option<String>,
    /// `params`. `None` if the file declares none and so accepts any.
    pub params: Option<Vec<Param>>,
    /// `env`: environment variables for every task, in file order.
    pub env: Vec<(String, Tree)>,
    /// `keep_runs`: how many runs that succeeded are kept.
    pub keep_runs: Option<NonZeroUsize>,
    /// `time_limit`, `min_free_memory`, `max_load`: what a run keeps to on a machine with others.
    pub machine: MachineLimits,
    /// `secrets`: names of environment variables and parameters whose values are never shown.
    pub secrets: Vec<Text>,
    /// `steps`, in file order. Never empty, with unique names.
    pub steps: Vec<Arc<Step>>,
    /// `on_failure` and `finally` as plain steps of these names, in this order.
    pub closing: Vec<Arc<Step>>,
}

/// What a run keeps to on a machine with others. It changes no result.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineLimits {
    /// `time_limit`: how long a run may take.
    pub time_limit: Option<Duration>,
    /// `min_free_memory`: how much memory it leaves free, in bytes.
    pub min_free_memory: Option<u64>,
    /// `max_load`: the load average from which on it starts nothing.
    pub max_load: Option<NonZeroUsize>,
}

impl Workflow {
    /// The name of the step that runs if the run does not succeed.
    pub const ON_FAILURE: &'static str = "on_failure";

    /// The name of the step that always runs at the end.
    pub const FINALLY: &'static str = "finally";
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// `name`, or the key in a mapping of steps.
    pub name: StepName,
    /// The place of the name.
    pub span: Span,
    /// `outputs`
    pub outputs: Outputs,
    /// `timeout` of the whole step, including waits and retries.
    pub timeout: Option<Setting<Duration>>,
    /// What it does.
    pub kind: StepKind,
}

impl Step {
    /// The file for rows that cannot be read, if the workflow names one.
    pub fn save_bad_rows(&self) -> Option<&OutputFile> {
        let StepKind::Batch(batch) = &self.kind else { return None };
        let ItemsSpec::Rows(rows) = &batch.items else { return None };
        rows.save_bad_rows.as_ref()
    }

    /// Gives commands that do not name a shell this one.
    pub(super) fn default_shell(&mut self, shell: &ShellProgram) {
        match &mut self.kind {
            StepKind::Single(single) => single.task.default_shell(shell),
            StepKind::Batch(batch) => {
                batch.task.default_shell(shell);
                batch.on_item_error.iter_mut().for_each(|task| task.default_shell(shell));
            }
        }
    }
}

/// `outputs` of a step: where its results go.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    /// `name`: another name for the result.
    pub name: Option<Text>,
    /// `path` with its options: a file for the results.
    pub file: Option<OutputFile>,
    /// `sql` with its options: a table for the results.
    pub table: Option<OutputTable>,
    /// `item_files`: the directory for files that items create. Rendered when the step starts.
    pub item_files: Option<Text>,
    /// `on_missing`: what happens if one of these files is missing, or was edited; and the place of the key.
    pub on_missing: Option<(OnMissing, Span)>,
}

/// `on_missing`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnMissing {
    /// `run`: its item runs again.
    #[default]
    Run,
    /// `ignore`: nothing; somebody moves or edits the files.
    Ignore,
}

impl Outputs {
    /// Whether an item runs again of which a file is missing or was edited.
    pub fn runs_for_missing_files(&self) -> bool {
        self.on_missing.is_none_or(|(what, _)| what == OnMissing::Run)
    }
}

/// A table of a database for the results of a step.
#[derive(Debug, Clone)]
pub struct OutputTable {
    /// `sql`: the address of the database. Rendered when the step starts.
    pub url: Text,
    /// `table`. Rendered when the step starts.
    pub table: Text,
    /// `key`: the columns that identify a row. Empty if every result is a new row.
    pub key: Vec<Text>,
    /// `if_exists`
    pub if_exists: IfExists,
}

/// Whether a path can only be that of a directory: it ends with a slash, `.` or `..`.
pub fn names_folder(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    path.file_name().is_none() || bytes.ends_with(b"/") || bytes.ends_with(b"/.")
}

/// What a step does: run its task once, or for each item.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a workflow has few steps")]
pub enum StepKind {
    /// `task: shell` and others: once.
    Single(Single),
    /// `task: batch`, or any task with `for_each`.
    Batch(Box<BatchSpec>),
}

impl StepKind {
    /// Its tasks that run Python code: the task itself, `on_item_error` and the aggregate.
    pub fn python_tasks(&self) -> impl Iterator<Item = &PythonTask> {
        let (task, handler, aggregate) = match self {
            Self::Single(single) => (&single.task, None, None),
            Self::Batch(batch) => (&batch.task, batch.on_item_error.as_ref(), batch.aggregate.as_ref()),
        };
        let tasks = [Some(task), handler].into_iter().flatten().filter_map(Task::python);
        tasks.chain(aggregate.and_then(|aggregate| match aggregate {
            Aggregate::Code(task) => Some(task),
            Aggregate::Reductions(_) => None,
        }))
    }

    /// Gives Python tasks without a seed this one.
    pub(super) fn default_seed(&mut self, seed: &Setting<i64>) {
        let (task, handler, aggregate) = match self {
            Self::Single(single) => (&mut single.task, None, None),
            Self::Batch(batch) => (&mut batch.task, batch.on_item_error.as_mut(), batch.aggregate.as_mut()),
        };
        for task in [Some(task), handler].into_iter().flatten() {
            if let TaskKind::Python(task) = &mut task.kind {
                task.seed.get_or_insert_with(|| seed.clone());
            }
        }
        if let Some(Aggregate::Code(task)) = aggregate {
            task.seed.get_or_insert_with(|| seed.clone());
        }
    }
}

/// A task that runs once.
#[derive(Debug, Clone)]
pub struct Single {
    /// The task.
    pub task: Task,
    /// `retry` of the task, or else of the step.
    pub retry: RetryPolicy,
    /// `timeout` of the task: for one attempt.
    pub timeout: Option<Setting<Duration>>,
}

impl Single {
    /// What takes the place of a step whose type could not be read.
    pub(super) fn unread(span: Span) -> Self {
        Self { task: Task::unread(span), retry: RetryPolicy::default(), timeout: None }
    }
}
