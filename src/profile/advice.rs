//! Which setting to change, and what to expect.

use super::interval::Interval;
use serde::Serialize;

/// A gain is worth a change from here on.
pub(super) const WORTH: f64 = 1.1;

/// What to change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// The settings.
    pub changes: Vec<Change>,
    /// Throughput with them, over throughput as it is.
    pub gain: Interval,
}

/// A setting to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What to set.
    pub key: Key,
    /// The value as the step has it.
    pub from: String,
    /// The value to write.
    pub to: String,
}

/// What can be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// `max_parallel` of the step.
    MaxParallel,
    /// `batch_size` of the step.
    BatchSize,
    /// A variable in the workflow's `env`.
    Env(String),
}

impl Key {
    /// As the file has it.
    pub fn name(&self) -> &str {
        match self {
            Self::MaxParallel => "max_parallel",
            Self::BatchSize => "batch_size",
            Self::Env(name) => name,
        }
    }
}

impl Interval {
    /// Whether a gain is worth a change, and more than noise.
    pub(super) fn is_worth_it(&self) -> bool {
        self.median >= WORTH && self.low > 1.02
    }
}
