//! Records by column, in the form of Apache Arrow: what data frames are made of.
//!
//! Owns the way from rows to columns and back to rows, and nothing else: who has rows and who wants columns is the matter of
//! workers, sources and the ledger. A record is the same whichever way it went: the values of a column are those that
//! [`crate::rows`] reads, one by one.

mod column;
mod ipc;
mod json;
mod records;
mod time;

pub use column::{Cell, Column, Unfit, exact};
pub use ipc::{Table, json_of_ipc, read_ipc, schema_of_ipc};
pub use json::{JsonLines, Rows, Unwritable, Zones};
pub use records::{Columns, columns_of_csv};
