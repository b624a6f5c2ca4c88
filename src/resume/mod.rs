//! Which outcomes of earlier executions are still valid, and why not: pure comparisons with what the ledger says.
//!
//! Reads a source and compares keys; writes nothing, runs nothing. Memory holds a few bytes for each item.

mod bits;
mod byte_share;
mod compare;
mod comparison;
mod done;
mod places;
mod retry;
mod selection;
mod unfinished;
mod unfinished_set;

pub use compare::{Rules, compare_with_done};
pub use comparison::{Comparison, Counts};
pub use retry::compare_failed;
pub use selection::{ItemNames, ItemSelection};
pub use unfinished::UnfinishedItems;
