//! The checked workflow: what a file says once every key is known and every value has its type.
//!
//! Strings that may hold templates are still [`Text`]; nothing is rendered here.

use super::aggregate::Aggregate;
use super::retry::RetryPolicy;
use crate::model::{BatchFormat, Kind, OutputFormat, Span, StepName, Text, Tree};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The text of a workflow file and where it came from; what errors are shown against.
#[derive(Debug, Clone, Default)]
pub struct SourceFile {
    /// Path as the user gave it.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

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

/// One entry of `params`.
#[derive(Debug, Clone)]
pub struct Param {
    /// The name, an identifier.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// `type`, if given.
    pub kind: Option<ParamKind>,
    /// `default`; already of the declared type.
    pub default: Option<Tree>,
    /// `required`; true by default where there is no `default`.
    pub required: bool,
    /// `description`
    pub description: Option<String>,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// `string`
    String,
    /// `integer`
    Integer,
    /// `number`: an integer or a float
    Number,
    /// `boolean`
    Boolean,
    /// `list`
    List,
    /// `mapping`
    Mapping,
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

/// A value that is given outright, or by a template that is rendered when the step starts.
#[derive(Debug, Clone)]
pub enum Setting<T> {
    /// Given outright.
    Fixed(T),
    /// To be rendered, then read like a value in the file.
    Template(Text),
}

/// A batch step.
#[derive(Debug, Clone)]
pub struct BatchSpec {
    /// `items` (or `for_each`).
    pub items: ItemsSpec,
    /// Where `items` stands.
    pub items_span: Span,
    /// `batch_size`, default 1.
    pub batch_size: Setting<BatchSize>,
    /// `batched`: whether `item` is the batch; `None` lets the rule decide.
    pub batched: Option<bool>,
    /// `batch_format`, and where it stands if it is given.
    pub batch_format: (BatchFormat, Span),
    /// `parallel`, if given.
    pub parallel: Option<Setting<bool>>,
    /// `max_parallel`, if given.
    pub max_parallel: Option<Setting<MaxParallel>>,
    /// `queue_size`: batches waiting in the channel; default twice the slots.
    pub queue_size: Option<Setting<NonZeroUsize>>,
    /// `continue_on_error`, default false; true where `max_failures` is given.
    pub continue_on_error: Setting<bool>,
    /// `max_failures`: more stop the step.
    pub max_failures: Option<Setting<MaxFailures>>,
    /// `bisect_on_error`: whether a failed batch of a batched task is halved.
    pub bisect_on_error: bool,
    /// `on_item_error`: run after the last attempt of an item, with `item` and `error`.
    pub on_item_error: Option<Task>,
    /// `aggregate`: what is made of all results.
    pub aggregate: Option<Aggregate>,
    /// `retry` of the task, else of the step's inputs, else of the step.
    pub retry: RetryPolicy,
    /// `timeout` per item.
    pub timeout: Option<Setting<Duration>>,
    /// `batch_timeout`
    pub batch_timeout: Option<Setting<Duration>>,
    /// What is run for each item.
    pub task: Task,
}

/// `batch_size`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// `auto`: learnt from the time that items take.
    Auto,
    /// A number, at least 1.
    Exactly(NonZeroUsize),
}

/// `max_parallel`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxParallel {
    /// `auto`: every core that this process may use.
    Auto,
    /// A number, at least 1.
    Exactly(NonZeroUsize),
}

/// `max_failures`: how many failed items are tolerated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxFailures {
    /// So many.
    Count(u64),
    /// So many of a hundred.
    Percent(f64),
}

impl MaxFailures {
    /// Whether `failed` of `of` items are too many.
    pub fn is_passed(self, failed: u64, of: u64) -> bool {
        match self {
            Self::Count(most) => failed > most,
            Self::Percent(most) => failed as f64 * 100.0 > most * of as f64,
        }
    }
}

impl std::fmt::Display for MaxFailures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(most) => write!(f, "{most}"),
            Self::Percent(most) => write!(f, "{most}%"),
        }
    }
}

/// A number of bytes, at least a MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemorySize(pub u64);

/// Where items come from.
#[derive(Debug, Clone)]
pub enum ItemsSpec {
    /// A list, its strings perhaps templates.
    List(Vec<Tree>),
    /// A template that gives a list.
    Template(Text),
    /// `$(command)` or `{command:}`: the lines that a shell command prints.
    Command(Text),
    /// `{glob:}`: the files that match one of the patterns, sorted, no file twice.
    Glob(Vec<Text>),
    /// `{range:}`: integers from `start` (0) up to, and without, `stop`, by `step` (1, never 0).
    Range {
        /// The first integer.
        start: Setting<i64>,
        /// Where to stop.
        stop: Setting<i64>,
        /// The distance of neighbours.
        step: Setting<i64>,
    },
    /// `{lines:}`: the lines of a UTF-8 file.
    Lines(Text),
    /// `{csv:}`, `{jsonl:}` and `{parquet:}`: rows of files.
    Rows(Box<RowsSpec>),
    /// `{sql:}`: rows that a database gives for a query.
    Sql(Box<SqlSpec>),
}

/// A query.
#[derive(Debug, Clone)]
pub struct SqlSpec {
    /// `sql`: the query.
    pub sql: Text,
    /// `url`: the database.
    pub url: Text,
    /// `params`: values for the places of the query.
    pub params: Vec<Tree>,
    /// `limit`: the most rows.
    pub limit: Option<Setting<NonZeroUsize>>,
}

/// Rows of files.
#[derive(Debug, Clone)]
pub struct RowsSpec {
    /// What the files are.
    pub format: RowFormat,
    /// Paths and patterns. Never empty.
    pub paths: Vec<Text>,
    /// `columns`: those to keep, in this order; all where it is not given.
    pub columns: Option<Vec<Text>>,
    /// `types`
    pub types: Types,
    /// `delimiter`
    pub delimiter: u8,
    /// `quote`; none where fields are not quoted.
    pub quote: Option<u8>,
    /// `header`
    pub header: Header,
    /// `encoding`
    pub encoding: &'static encoding_rs::Encoding,
    /// `null`: texts that stand for nothing.
    pub null: Vec<String>,
    /// `compression`
    pub compression: Compression,
    /// `where_from`: a column for the path of the file.
    pub where_from: Option<String>,
    /// `limit`: the most rows.
    pub limit: Option<Setting<NonZeroUsize>>,
    /// `skip`: rows that are passed over first.
    pub skip: Option<Setting<i64>>,
    /// `on_bad_row`
    pub on_bad_row: OnBadRow,
    /// `on_schema_drift`
    pub on_schema_drift: OnSchemaDrift,
}

/// What files of rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// CSV.
    Csv,
    /// JSON Lines.
    JsonLines,
    /// Parquet.
    Parquet,
}

/// `types`: what the texts of columns are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Types {
    /// Text, as they are.
    AsTheyAre,
    /// `infer`: as the first rows suggest.
    Infer,
    /// By name; all others are text.
    Named(Vec<(String, Kind)>),
}

/// `header`: where the names of columns come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// The first record.
    First,
    /// Nowhere: `column_1` and so on.
    Missing,
    /// The workflow; the first record is a row.
    Named(Vec<String>),
}

/// `compression` of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As its name ends: `.gz`, `.zst`.
    ByName,
    /// None.
    Plain,
    /// gzip
    Gzip,
    /// Zstandard
    Zstd,
}

/// `on_bad_row`: what becomes of rows that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBadRow {
    /// Each is a failed item.
    Fail,
    /// They are left out, told and counted.
    Skip,
    /// The first one stops the step.
    Error,
}

/// `on_schema_drift`: what to do where files have other columns than the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSchemaDrift {
    /// Stop before anything runs.
    Error,
    /// Rows have the columns of their file.
    Group,
    /// Rows have the columns of all files; what theirs lacks is null.
    Union,
}

/// A task of any type.
#[derive(Debug, Clone)]
pub struct Task {
    /// Where its `type:` or `task:` stands.
    pub span: Span,
    /// What it does.
    pub kind: TaskKind,
}

/// What a task does.
#[derive(Debug, Clone)]
pub enum TaskKind {
    /// `shell`
    Shell(ShellTask),
    /// `python`
    Python(PythonTask),
    /// `http_request`
    Http(Box<HttpTask>),
    /// `echo`
    Echo(EchoTask),
}

/// `shell`: a command.
#[derive(Debug, Clone)]
pub struct ShellTask {
    /// `command`
    pub command: Command,
    /// `working_dir`; default the folder where batchmill was started.
    pub working_dir: Option<Text>,
    /// `env`: further variables for this command.
    pub env: Vec<(String, Tree)>,
}

/// The two ways to write a command.
#[derive(Debug, Clone)]
pub enum Command {
    /// A string for the shell.
    Line(Text),
    /// A list: a program and its arguments, no shell. Never empty.
    Argv(Vec<Text>),
}

/// `python`: code, a function, a script or an operation.
#[derive(Debug, Clone)]
pub struct PythonTask {
    /// What to run.
    pub program: PythonProgram,
    /// `setup`: code to run once per worker before its first item.
    pub setup: Option<Text>,
    /// `teardown`: code to run once per worker before it ends.
    pub teardown: Option<Text>,
    /// `max_memory` of a worker.
    pub max_memory: Option<MemorySize>,
    /// `max_items_per_worker`
    pub max_items_per_worker: Option<NonZeroUsize>,
    /// All further inputs by name, in file order.
    pub inputs: Vec<(String, Tree)>,
}

/// What a Python task runs. None of it is a template.
#[derive(Debug, Clone)]
pub enum PythonProgram {
    /// `code`
    Code(Text),
    /// `function: module:name`
    Function {
        /// Dotted module name.
        module: String,
        /// Dotted name inside the module.
        name: String,
        /// Where it stands.
        span: Span,
    },
    /// `script`: a file beside the workflow whose text is run like `code`.
    Script(Text),
    /// `operation`: `multiply`, `add`, `subtract` or `divide`; inputs `item` and `factor` are given.
    Operation {
        /// The operation's name.
        name: String,
        /// Where it stands.
        span: Span,
    },
}

/// `http_request`
#[derive(Debug, Clone)]
pub struct HttpTask {
    /// `url`
    pub url: Text,
    /// `method`, upper case; default `GET`, with a body `POST`.
    pub method: Option<Text>,
    /// `headers`
    pub headers: Vec<(String, Tree)>,
    /// `params`: the query; a list gives the name several times.
    pub params: Vec<(String, Tree)>,
    /// `json`: a body sent as JSON. Not together with `body`.
    pub json: Option<Tree>,
    /// `body`: a body sent as text.
    pub body: Option<Text>,
    /// `auth`
    pub auth: Option<Auth>,
    /// `save_to`: a file for the body of the answer.
    pub save_to: Option<Text>,
    /// `rate_limit`: requests per second and host, over all slots.
    pub rate_limit: Option<f64>,
}

/// `auth` of an HTTP request.
#[derive(Debug, Clone)]
pub enum Auth {
    /// `{username:, password:}`
    Basic {
        /// `username`
        username: Text,
        /// `password`
        password: Text,
    },
    /// `{bearer:}`
    Bearer(Text),
}

/// `echo`: gives its message back.
#[derive(Debug, Clone)]
pub struct EchoTask {
    /// `message`, of any type.
    pub message: Tree,
}
