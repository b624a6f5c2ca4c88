//! The table of all keys of a workflow file: their names, the values they take, and what they mean.
//!
//! The parser's errors about unknown keys, the JSON Schema and the test that the documentation is complete all read it.
//! A key that is not in this table does not exist. What editors show as examples is in a file of its own.

mod examples;
mod key;
mod nearest;
mod table;
mod words;

pub use examples::examples;
pub use key::{DefaultValue, Key, KeyGroup, KeyType};
pub use nearest::{either, listed, nearest};
pub use table::{
    AGGREGATE, AUTH, BATCH, ECHO, HTTP, OUTPUTS, PARAM, PYTHON, RANGE, RETRY, ROWS, SHELL, SOURCES, SQL, STEP, TASK,
    WORKFLOW, key_groups,
};
pub use words::{
    BACKOFFS, BATCH_FORMATS, COMPRESSIONS, FORMATS, IF_EXISTS, KINDS, NOT_OF_JSON_LINES, NOT_OF_PARQUET, ON_BAD_ROW,
    ON_MISSING, ON_SCHEMA_DRIFT, OPERATIONS, PARAM_TYPES, PYTHON_KEYWORDS, RESERVED_INPUTS, RESERVED_OUTPUTS,
    TASK_TYPES, TEMPLATE_KEYWORDS,
};
