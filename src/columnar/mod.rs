//! Records by column, in the format of Apache Arrow, which data frames are made of.
//!
//! Owns the conversion from rows to columns and back. Leaves to others who has rows and who needs columns: workers,
//! sources and the ledger. Always holds: a record is the same either way, because the values of a column are those that
//! [`crate::rows`] reads one by one.

mod column;
mod ipc;
mod json;
mod records;
mod time;
mod times;
mod union;

pub use column::{Cell, Column, Unfit, exact_float};
pub use ipc::{TableStats, json_of_ipc, read_ipc, schema_of_ipc};
pub use json::{JsonLines, Rows, Unwritable, Zones};
pub use records::{Columns, columns_of_csv};
pub use times::{TimeColumn, time_columns};
pub use union::{common_schema, conform};
