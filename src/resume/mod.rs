//! What of earlier executions still holds, and why not: pure comparisons over what the ledger says.
//!
//! Reads a source and compares keys; writes nothing, runs nothing. Memory holds a few bytes for each item.

mod byte_share;
mod compare;
mod done;
mod selection;
mod unfinished;
mod unfinished_set;

pub use compare::{Comparison, Counts, compare_with_done};
pub use selection::ItemSelection;
pub use unfinished::UnfinishedItems;
