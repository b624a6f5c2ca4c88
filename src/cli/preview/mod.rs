//! What would run: `batchmill plan` and `run --dry-run`.
//!
//! Counts the rows of files, and runs nothing but the `$(command)` or the query that lists the items. Secrets are masked.

mod forecast;
mod json;
mod row_count;
mod show;
mod steps;
mod text;

pub use show::Preview;
pub use steps::RowCounts;
