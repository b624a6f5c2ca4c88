//! A look at all of some files of rows, before anything runs: what they hold, and which of them stand out.
//!
//! [`look`] goes through one file in one pass and in flat memory; [`sort`] compares what was seen. Whoever has threads
//! calls `look` on several files at a time. What a source knows from its workflow is taken as given, the rest is found.

mod coding;
mod look;
mod odd;
mod parallel;
mod shape;
mod sort;
mod totals;

pub use look::{FileLook, SeenColumn, look};
pub use odd::{Odd, delimiter_name};
pub use parallel::survey;
pub use sort::{Group, Survey, sort};
pub use totals::Totals;
