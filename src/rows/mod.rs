//! Records of row files: where one ends, what its fields are, and what their texts mean.
//!
//! Owns the reading of CSV text, byte by byte, and nothing else: which files, how they are opened and in which order is the
//! plan's matter; what becomes of a record is that of a worker, or of a task that wants it as JSON. Both read it by the same
//! rules, those of Python's `csv` module: a quote opens a field only at its beginning, a doubled quote inside is one quote, a
//! line break inside quotes is a part of the field, any other one ends the record, and a line without anything on it is none.

mod bad;
mod block;
mod cutter;
mod fields;
mod json;
mod json_tally;
mod kind;
mod tally;

pub use bad::{BadRow, kind_name};
pub use block::Block;
pub use cutter::{Cut, Cutter};
pub use fields::{Fields, Split};
pub use json::{describe, to_json};
pub use json_tally::{JsonKinds, JsonTally};
pub use kind::{Field, Inference, read};
pub use tally::{Places, Runs, Tally};
