//! The checked workflow: what a file says once every key is known and every value has its type.
//!
//! Strings that may hold templates are still [`Text`]; nothing is rendered here.

use super::batch::BatchSpec;
use super::param::Param;
use super::retry::RetryPolicy;
use super::setting::Setting;
use super::source_file::SourceFile;
use super::task::Task;
use crate::model::{OutputFormat, Span, StepName, Text, Tree};
use std::sync::Arc;
use std::time::Duration;

/// A whole workflow.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// The file.
    pub source: SourceFile,
    /// `name`; by default the file's stem.
    pub name: String,
    /// `description`
    pub description: Option<String>,
    /// `params`; `None` where the file declares none and so takes any.
    pub params: Option<Vec<Param>>,
    /// `env`: variables to set for every task, in file order.
    pub env: Vec<(String, Tree)>,
    /// `secrets`: names of environment variables or parameters whose values are never shown.
    pub secrets: Vec<Text>,
    /// `steps` in file order. Never empty; names are unique.
    pub steps: Vec<Arc<Step>>,
    /// `on_failure` and `finally`, as plain steps of these names, in this order.
    pub closing: Vec<Arc<Step>>,
}

impl Workflow {
    /// Name of the step that `on_failure` is: runs when the run did not succeed.
    pub const ON_FAILURE: &'static str = "on_failure";

    /// Name of the step that `finally` is: always runs.
    pub const FINALLY: &'static str = "finally";
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// `name`, or the key in a mapping of steps.
    pub name: StepName,
    /// Where the name stands.
    pub span: Span,
    /// `outputs`
    pub outputs: Outputs,
    /// `timeout` of the step: for all of its work, waits and retries included.
    pub timeout: Option<Setting<Duration>>,
    /// What it does.
    pub kind: StepKind,
}

/// `outputs` of a step: where its results go.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    /// `name`: another name for the result.
    pub name: Option<Text>,
    /// `path` and what belongs to it: a file with the results.
    pub file: Option<OutputFile>,
    /// `item_files`: the folder for files that items make, rendered when the step starts.
    pub item_files: Option<Text>,
}

/// A file, or a folder of files, that the results of a step are written to.
#[derive(Debug, Clone)]
pub struct OutputFile {
    /// `path`, rendered when the step starts.
    pub path: Text,
    /// `format`; by default what the ending of `path` says.
    pub format: OutputFormat,
    /// `parts`: whether `path` is a folder of files.
    pub parts: bool,
}

/// A step runs its task once, or for each item.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a workflow has few steps")]
pub enum StepKind {
    /// `task: shell` and the like: once.
    Single(Single),
    /// `task: batch`, or any task with `for_each`.
    Batch(Box<BatchSpec>),
}

/// A task that runs once.
#[derive(Debug, Clone)]
pub struct Single {
    /// The task.
    pub task: Task,
    /// `retry` of the step or of the task; the task's own wins.
    pub retry: RetryPolicy,
    /// `timeout` of the task, for one attempt.
    pub timeout: Option<Setting<Duration>>,
}
