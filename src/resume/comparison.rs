//! What a comparison found.

use super::byte_share::byte_share;
use super::unfinished::UnfinishedItems;
use crate::ledger::{FailureChange, RowChange};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Why items run, and how many for each reason.
pub type Reasons = BTreeMap<Cow<'static, str>, u64>;

/// The reason of an item that failed after this many attempts.
pub(super) fn failed_before(attempts: u32) -> Cow<'static, str> {
    match attempts {
        0 | 1 => Cow::Borrowed("failed before"),
        more => Cow::Owned(format!("failed before ({more} times)")),
    }
}

/// The items of a step as they are now, compared with what earlier executions did.
pub struct Comparison {
    /// The items to run.
    pub unfinished: UnfinishedItems,
    /// The current number of items, without those that a limit keeps from running.
    pub total: u64,
    /// Those that do not run.
    pub counts: Counts,
    /// Where done items are now, for batches whose items moved.
    pub moves: Vec<RowChange>,
    /// Where failed items that do not run are now, and which of them the source no longer has.
    pub failures: Vec<FailureChange>,
    /// Why items run, and how many for each reason.
    pub reasons: Reasons,
}

/// Numbers of items that do not run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Done, in this run or in its baseline.
    pub done: u64,
    /// Of these, done in the baseline.
    pub unchanged: u64,
    /// Failed, and not run again.
    pub failed: u64,
    /// Bad rows that are skipped.
    pub bad_rows: u64,
    /// Cancelled or skipped by the user, and not run again.
    pub cancelled: u64,
    /// Failed items that were selected but no longer exist.
    pub missing: u64,
}

impl Comparison {
    /// How many bytes of the source the items that do not run cover: each counts as an average one.
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

    /// What is left to run of a source of this size, and the number of all items.
    pub fn into_unfinished(self, bytes: Option<u64>) -> (UnfinishedItems, u64) {
        let (settled, total) = (self.settled(), self.total);
        (self.unfinished.sized(bytes.unwrap_or(0), total, settled), total)
    }
}
