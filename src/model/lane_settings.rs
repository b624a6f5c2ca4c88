//! The settings of a step that concern whoever runs its items.

use super::form::BatchFormat;
use super::outcome::{Failure, FailureKind};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A step's resolved settings, as far as its lanes need them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneSettings {
    /// `timeout` of an item.
    pub item_timeout: Option<Duration>,
    /// `batch_timeout`; each frame holds one batch then.
    pub batch_timeout: Option<Duration>,
    /// Whether there are items; false for a plain step.
    pub has_item: bool,
    /// Whether `item` is the whole batch.
    pub batched: bool,
    /// What a batch looks like to a batched task.
    pub batch_format: BatchFormat,
    /// The number of batches, if known.
    pub batches: Option<u64>,
    /// The number of slots that run side by side.
    pub width: usize,
    /// Whether bad rows are skipped, so that they halt nothing.
    pub skip_bad_rows: bool,
    /// `seed` of the step.
    pub seed: Option<i64>,
}

impl LaneSettings {
    /// For a task that runs once, without an item.
    pub fn once() -> Self {
        Self {
            item_timeout: None,
            batch_timeout: None,
            has_item: false,
            batched: false,
            batch_format: BatchFormat::Records,
            batches: Some(1),
            width: 1,
            skip_bad_rows: false,
            seed: None,
        }
    }

    /// Whether this failure halts a lane that halts on failure.
    pub fn is_halted_by(&self, failure: &Failure) -> bool {
        let is_halting = !failure.kind.is_by_hand() && failure.kind != FailureKind::Shortage;
        is_halting && !(self.skip_bad_rows && failure.kind == FailureKind::BadRow)
    }

    /// The failure of an item whose batch has used up its time.
    pub fn batch_timed_out(&self) -> Failure {
        let message = format!("its batch took longer than {:?}", self.batch_timeout.unwrap_or_default());
        Failure::new(FailureKind::Timeout, "BatchTimeout", message)
    }
}
