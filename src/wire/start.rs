//! `Start`: what a worker runs, and what is in scope.

use super::run::RunBatch;
use crate::model::{BatchFormat, Form};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a worker runs for each item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Program {
    /// A code block: the body of a function.
    Code {
        /// The source code.
        source: String,
        /// The name in tracebacks, such as `flights.yaml:steps.count.code`, or the path of a script.
        filename: String,
    },
    /// A function in an importable module, called as `function(item, **inputs)`, or `function(**inputs)` without items.
    Function {
        /// Dotted module name.
        module: String,
        /// Dotted name inside the module.
        name: String,
    },
    /// A function or a class that a Python client has pickled.
    Pickled {
        /// The file with the pickle, which the client keeps open: a path below `/proc`.
        path: String,
        /// The working folder.
        folder: Option<String>,
    },
    /// `multiply`, `add`, `subtract` or `divide` of the inputs `item` and `factor`, element by element for lists.
    Operation {
        /// The operation's name.
        name: String,
    },
}

/// What the engine sends to a worker that was just started, or that is to run something else from now on.
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
    /// The most memory that the worker may use for an item, in bytes.
    pub max_memory: Option<u64>,
    /// A directory for what the worker is found to do while it uses the CPU. Only of a profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<String>,
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
    /// What the random numbers of an item are derived from, with the item itself; `None` to leave them alone.
    pub seed: Option<u64>,
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
    /// The inputs that are really named outputs of earlier steps: in scope of code by their name alone.
    pub outputs: Vec<String>,
    /// Results of earlier steps that are too large to be sent: the worker reads them from their files.
    pub stored: Vec<Stored>,
    /// Results of earlier steps that are sent with the other values.
    pub small: Vec<Small>,
    /// Names of the inputs that differ by item. Each item of a `Run` brings their values as one JSON array.
    pub item_inputs: Vec<String>,
}

/// Results of an earlier step in a file, one per line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Which value they are.
    pub target: StoredTarget,
    /// The file.
    pub path: String,
    /// The number of lines.
    pub count: u64,
}

/// Results of an earlier step that are sent as a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Small {
    /// Which value they are.
    pub target: StoredTarget,
    /// A file with the same results, if the code may make a data frame of them.
    pub path: Option<String>,
    /// How many there are.
    pub count: u64,
}

/// The value that results are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredTarget {
    /// `result` and `results` of this member of `steps`.
    Step(String),
    /// This input.
    Input(String),
}

/// One item to run in the foreground. It is passed in a file, not in a message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ForegroundJob {
    /// What to run.
    pub start: Start,
    /// The item's batch, which contains only this item.
    pub batch: RunBatch,
    /// The item, in the form that its batch names.
    pub item: Vec<u8>,
    /// The values of `ScopeValues::item_inputs`: a JSON array.
    pub inputs: Box<RawValue>,
    /// Whether to open a debugger if the code raises an exception.
    pub debugger: bool,
    /// What the worker's own messages must not show.
    pub secrets: Vec<String>,
}
