//! `{csv:}`, `{jsonl:}` and `{parquet:}`: each row of some files is an item.
//!
//! The files are inspected when the source is opened: headers are compared, types inferred, footers read. They are read as
//! the step runs, one after another. A file that cannot be read is an item too, a failed one, so no file is skipped silently.

mod bad_file;
mod caught;
mod column_names;
mod forms;
mod headers;
mod open;
mod parquet_rows;
mod partitions;
mod text_rows;

pub(crate) use column_names::{Naming, column_names};
pub(super) use open::open;
