//! The table of all keys of a workflow file: their names, the values they take, and what they mean.
//!
//! The parser's errors about unknown keys, the JSON Schema and the test that the documentation is complete all read it.
//! A key that is not in this table does not exist. What editors show as examples is in a file of its own.

mod aliases;
mod examples;
mod groups;
mod key;
mod nearest;
mod reductions;
mod resources;
mod row_keys;
mod table;
mod words;

pub use examples::examples;
pub use groups::key_groups;
pub use key::{DefaultValue, Key, KeyGroup, KeyType};
pub use nearest::{either, listed, nearest};
pub use reductions::AGGREGATE;
pub use resources::RESOURCES;
pub use row_keys::{ROWS, SAVED_ROWS, SQL};
pub use table::{
    AUTH, BATCH, ECHO, HTTP, OUTPUTS, PARAM, PYTHON, RANGE, RETRY, SHELL, SOURCES, STDIN, STEP, TASK, WORKFLOW,
};
pub use words::{
    BACKOFFS, BATCH_FORMATS, BATCH_TEXTS, COMPRESSIONS, CSV_QUOTES, DIALECTS, EXTENSION, FORMATS, FOUND_OUT, IF_EXISTS,
    INCLUDES, KINDS, NAMES, NANS, NOT_OF_JSON_LINES, NOT_OF_PARQUET, NULS, ON_BAD_ROW, ON_MISSING, ON_SCHEMA_DRIFT,
    ON_TYPE_CONFLICT, OPERATIONS, OUTPUT_COMPRESSIONS, PARAM_TYPES, PYTHON_KEYWORDS, RAGGED, RESERVED_INPUTS,
    RESERVED_OUTPUTS, RESERVED_PARAMS, RESPONSE_PARTS, SHELLS, STRAY_QUOTES, TASK_TYPES, TEMPLATE_KEYWORDS,
};
