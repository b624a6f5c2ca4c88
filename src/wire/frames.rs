//! Frames: what crosses the socket.

use crate::model::{BatchFormat, Failure, Form, Indexes, Items, Origin, ResultForm};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::io;

/// What the worker says first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`super::PROTOCOL`] of the worker.
    pub protocol: u32,
    /// Version of batchmill that hosts the worker.
    pub batchmill: String,
    /// Version of CPython, for instance `3.11.7`.
    pub python: String,
    /// `sys.executable`
    pub executable: String,
}

/// What the worker shall run for each item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Program {
    /// A code block: the body of a function.
    Code {
        /// The source text.
        source: String,
        /// Shown in tracebacks, for instance `flights.yaml:steps.count.code`, or the path of a script.
        filename: String,
    },
    /// A function of an importable module, called as `function(item, **inputs)`, or `function(**inputs)` without items.
    Function {
        /// Dotted module name.
        module: String,
        /// Dotted name inside the module.
        name: String,
    },
    /// `multiply`, `add`, `subtract` or `divide` of the inputs `item` and `factor`, element by element over lists.
    Operation {
        /// The operation's name.
        name: String,
    },
}

/// What the engine sends once, to a worker that was just started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Start {
    /// What to run.
    pub program: Program,
    /// Code to run once before the first item. The names it assigns are in scope of the program.
    pub setup: Option<String>,
    /// Code to run once before the worker ends.
    pub teardown: Option<String>,
    /// Directories to put in front of `sys.path`.
    pub import_path: Vec<String>,
    /// What the items are.
    pub items: ItemSettings,
    /// The values in scope of the program.
    pub scope: ScopeValues,
}

/// What the items of a step are, and how to run them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemSettings {
    /// Whether there is an `item` (with `index` and `batch`) at all: false for a plain step.
    pub has_item: bool,
    /// Whether `item` is the whole batch.
    pub batched: bool,
    /// What the batch is, if so.
    pub batch_format: BatchFormat,
    /// How to read items: [`RunBatch::form`] is an index into this.
    pub forms: Vec<Form>,
    /// Whether a row that cannot be read does not halt a `Run`.
    pub skip_bad_rows: bool,
    /// Whether to keep [`super::page::STARTED`] exactly.
    pub clock: bool,
}

/// The values in scope of a program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScopeValues {
    /// Value of `params`: a JSON object.
    pub params: Box<RawValue>,
    /// Value of `steps`: a JSON object, empty if the program does not use it.
    pub steps: Box<RawValue>,
    /// Inputs that are the same for every item: a JSON object.
    pub inputs: Box<RawValue>,
    /// Results of earlier steps that are too large to be sent: the worker reads them from their files.
    pub stored: Vec<Stored>,
    /// Names of the inputs that differ by item. Each item of a `Run` brings their values as one JSON array.
    pub item_inputs: Vec<String>,
}

/// Results of an earlier step in a file, one per line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// What they are the value of.
    pub target: StoredTarget,
    /// The file.
    pub path: String,
    /// How many lines it has.
    pub count: u64,
}

/// What stored results are the value of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredTarget {
    /// `result` and `results` of this member of `steps`.
    Step(String),
    /// This input.
    Input(String),
}

/// One batch inside a [`Run`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunBatch {
    /// Its number, from 1.
    pub number: u64,
    /// How many items it had when it was cut. Fewer than it has where several that follow each other are sent as one.
    pub size: usize,
    /// How many batches there are, 0 while that is not known.
    pub total: u64,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// The index of each of its items in the source; tells how many items it has.
    pub indexes: Indexes,
    /// How its items are to be read.
    pub form: usize,
    /// Where they came from, if they are rows of a file.
    pub origin: Option<Origin>,
}

/// One item to run in the foreground, and how: a file, not a frame.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ForegroundJob {
    /// What to run.
    pub start: Start,
    /// The item's batch, which it is alone in.
    pub batch: RunBatch,
    /// The item, in the form that its batch says.
    pub item: Vec<u8>,
    /// The values of `ScopeValues::item_inputs`: a JSON array.
    pub inputs: Box<RawValue>,
    /// Whether to open a debugger where the code raises.
    pub debugger: bool,
}

/// Work: one or more batches, their items packed in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Whether to begin no further item after the first failure.
    pub halt_on_failure: bool,
    /// The batches, in order.
    pub batches: Vec<RunBatch>,
    /// The items of all batches in order. A position in this list is a *position*; with `ItemSettings::batched` a position is
    /// one in `batches` instead.
    pub items: Items,
    /// Where `ScopeValues::item_inputs` is not empty: for each item (for each batch, when batched) a JSON array; else empty.
    pub inputs: Items,
}

/// Results of neighbouring positions, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Results {
    /// The first position.
    pub first: u32,
    /// How many positions, failed ones included.
    pub count: u32,
    /// The positions that failed, rising.
    pub failures: Vec<(u32, Failure)>,
    /// With `ItemSettings::batched`, where `count` is 1: rows of the batch that cannot be read, by their place in it.
    pub bad: Vec<(u32, Failure)>,
    /// How many NaN or infinite numbers were written as null.
    pub nulls: u32,
    /// With `ItemSettings::batched`, where `count` is 1: whether the task returned a list, each element of which is a line.
    pub list: bool,
    /// How they are written down in `lines`: as a table only with `ItemSettings::batched`, and as a `list`.
    pub form: ResultForm,
    /// One line of JSON for each position that succeeded (when `list`, one per element), or the table.
    pub lines: Vec<u8>,
}

/// What the user's code printed or logged while on an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The position of the item; none for setup and teardown.
    pub position: Option<u32>,
    /// `stdout` or `stderr`
    pub stream: String,
    /// The text as printed.
    pub text: String,
}

/// The end of a [`Run`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// How many positions were run; fewer than sent when halted.
    pub executed: u32,
}

/// Everything that crosses the socket.
#[derive(Debug, Clone)]
pub enum Frame {
    /// Worker: here I am.
    Hello(Hello),
    /// Engine: this is what you run.
    Start(Box<Start>),
    /// Worker: set up, waiting for work.
    Ready,
    /// Worker: compiling, importing or `setup` failed; the worker ends.
    Broken(Failure),
    /// Engine: work.
    Run(Run),
    /// Worker: results.
    Results(Results),
    /// Worker: printed text.
    Log(Log),
    /// Worker: the last frame for a `Run`.
    Done(Done),
    /// Engine: run `teardown` and end.
    Stop,
}

/// What can be wrong with a conversation.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The socket broke or closed in the middle of a frame.
    #[error("lost the connection to the worker")]
    Io(#[from] io::Error),
    /// Bytes that are no frame.
    #[error("invalid frame: {0}")]
    Invalid(&'static str),
    /// A JSON payload that cannot be read.
    #[error("invalid payload")]
    Json(#[from] serde_json::Error),
}
