//! Records of row files: where a record ends, what its fields are, and what they mean.
//!
//! Owns reading the text of CSV and JSON Lines, and statistics of whole files. Leaves to others: which files there are,
//! how they are opened and in which order (`sources`); what happens to a record (a worker, or a task that needs it as
//! JSON). Always holds: every reader follows the same rules, those of Python's `csv` module; a file of another dialect is
//! rewritten first. A quote opens a field only
//! at its beginning, a doubled quote inside is one quote, a line break inside quotes is part of the field, any other line
//! break ends the record, and an empty line is not a record.

mod bad_row;
mod block;
mod csv_stats;
mod csv_text;
mod cutter;
mod fields;
mod json;
mod json_stats;
mod kind;
mod messy;
mod nan;
mod partition;
mod reading;
mod row_runs;
mod styles;
mod usual;

pub use bad_row::BadRow;
pub use block::Block;
pub use csv_stats::{CsvStats, HeaderRow};
pub use csv_text::{CsvText, CsvTextError};
pub use cutter::{Cut, Cutter};
pub use fields::{Fields, Split};
pub use json::{describe, is_record, saved, to_json};
pub use json_stats::{JsonKinds, JsonLinesStats};
pub use kind::{Field, Inference, read_field};
pub use messy::{REST, record_end};
pub use nan::without_nan;
pub use partition::{partition_names, partition_value};
pub use reading::{ColumnsFrom, CsvReading, cut_form};
pub use row_runs::{Occurrences, RowRuns};
pub use styles::Styles;
