//! The table of all keys of a workflow file: their names, the values they take, and what they mean.
//!
//! The parser's errors about unknown keys, the JSON Schema and the test that the documentation is complete all read it.
//! A key that is not in this table does not exist.

mod key;
mod nearest;
mod table;

pub use key::{Key, KeyGroup, KeyType};
pub use nearest::{either, listed, nearest};
pub use table::{
    AGGREGATE, AUTH, BACKOFFS, BATCH, BATCH_FORMATS, COMPRESSIONS, ECHO, FORMATS, HTTP, KINDS, ON_BAD_ROW, ON_MISSING,
    ON_SCHEMA_DRIFT, OPERATIONS, OUTPUTS, PARAM, PARAM_TYPES, PYTHON, RANGE, RETRY, ROWS, SHELL, SOURCES, SQL, STEP,
    TASK, TASK_TYPES, WORKFLOW, key_groups,
};
