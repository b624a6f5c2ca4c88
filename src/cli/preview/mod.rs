//! What would run, without running it: `batchmill plan` and `run --dry-run`.
//!
//! Runs nothing but the `$(command)` or the query of a list of items, and counts the rows of files.

mod forecast;
mod json;
mod row_count;
mod show;
mod steps;
mod text;

pub use show::Preview;
pub use steps::RowCounts;
