//! The one table of keys of a workflow file: what is known, what it takes, what it means.
//!
//! The parser's unknown-key errors, the JSON Schema and the test that the documentation is complete all read it.
//! A key that is not in this table does not exist.

mod key;
mod nearest;
mod table;

pub use key::{Key, KeyGroup, KeyType};
pub use nearest::{listed, nearest};
pub use table::{
    AGGREGATE, AUTH, BACKOFFS, BATCH, BATCH_FORMATS, COMPRESSIONS, ECHO, FORMATS, HTTP, KINDS, ON_BAD_ROW,
    ON_SCHEMA_DRIFT, OPERATIONS, OUTPUTS, PARAM, PARAM_TYPES, PYTHON, RANGE, RETRY, ROWS, SHELL, SOURCES, SQL, STEP,
    TASK, TASK_TYPES, WORKFLOW, key_groups,
};
