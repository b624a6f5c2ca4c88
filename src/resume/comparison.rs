//! What a comparison found.

use super::byte_share::byte_share;
use super::unfinished::UnfinishedItems;
use crate::ledger::{FailureChange, RowChange};
use std::collections::BTreeMap;

/// The items of a step as they are now, compared with what earlier executions did.
pub struct Comparison {
    /// The items to run.
    pub unfinished: UnfinishedItems,
    /// The number of all items of now, without those that a limit keeps from running.
    pub total: u64,
    /// Those that do not run.
    pub counts: Counts,
    /// Where done items are now, for batches whose items moved.
    pub moves: Vec<RowChange>,
    /// Where failed items are now that do not run, and those that the source does not have any more.
    pub failures: Vec<FailureChange>,
    /// Why items are run, and how many for each reason.
    pub reasons: BTreeMap<&'static str, u64>,
}

/// Numbers of items that do not run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Done, in this run or in the one that it took results over from.
    pub done: u64,
    /// Of these, done in the run that this one took results over from.
    pub unchanged: u64,
    /// Failed, and not to be run again.
    pub failed: u64,
    /// Bad rows that are left out.
    pub bad_rows: u64,
    /// Failed items that were asked for, but cannot be found any more.
    pub missing: u64,
}

impl Comparison {
    /// How many of the source's bytes are behind items that do not run: each item is taken for an average one.
    pub fn bytes_done(&self, bytes: Option<u64>) -> u64 {
        byte_share(bytes.unwrap_or(0), self.settled(), self.total)
    }

    /// How many items run.
    pub fn to_run(&self) -> u64 {
        self.reasons.values().sum()
    }

    /// How many items do not run.
    fn settled(&self) -> u64 {
        self.total.saturating_sub(self.to_run())
    }

    /// What is to be run of a source of so many bytes, and the number of all items.
    pub fn into_unfinished(self, bytes: Option<u64>) -> (UnfinishedItems, u64) {
        let (settled, total) = (self.settled(), self.total);
        (self.unfinished.sized(bytes.unwrap_or(0), total, settled), total)
    }
}
