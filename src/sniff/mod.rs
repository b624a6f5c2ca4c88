//! Finds out how a CSV file is written from its beginning: delimiter, quotes, header, what surrounds the table.
//!
//! Owns the hypotheses and what speaks for them. Leaves to others: opening and decoding files, and reading them by what was
//! found. Always holds: the same sample and hints give the same finding, in time linear in the sample; nothing panics,
//! whatever the bytes; a file that reads well as it is gets no repair.
//!
//! The literature: Döhmen et al., "Multi-hypothesis CSV parsing" (2017), van den Burg, Nazábal and Sutton, "Wrangling messy CSV
//! files by detecting row and type patterns" (2019), and the sniffer of DuckDB.

mod cells;
mod columns;
mod delimiters;
mod finding;
mod header;
mod layout;
mod nulls;
mod quoting;
mod records;
mod repairs;
mod sample;
mod score;
mod shape;
mod sniffer;
mod tail;
mod top;
mod top_rows;

pub use finding::{Alternative, Finding, Found, FoundHeader, HeaderSign, NoHeaderSign, Reason};
pub use sample::{Hints, Sample};

/// Changes with every change of what is found out, so that steps that rely on it run again.
pub const VERSION: u32 = 1;
pub use sniffer::sniff;

#[cfg(test)]
mod tests;
