//! A run and its steps: names, states, counts.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The name of a step: letters, digits, `_`, `-` and `.`; not empty. Also a file name in the run's directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepName(String);

impl StepName {
    /// The name, if it is valid.
    pub fn new(name: &str) -> Option<Self> {
        let fit = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        (!name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(fit))
            .then(|| Self(name.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ID of a run, for instance `20260131-142530123-flights-k3f9`: sorts by start, and is the name of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The status of a run or a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Running; or its process was killed, which the lock on the run tells.
    Running,
    /// Every item succeeded.
    Succeeded,
    /// Finished; some items failed and were tolerated.
    Partial,
    /// Stopped early by a failure.
    Failed,
    /// There were no items.
    Empty,
    /// Stopped by a signal.
    Interrupted,
}

/// Counts of a step.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Items of the step, as far as the source was read.
    pub total: u64,
    /// Items with a result.
    pub succeeded: u64,
    /// Of these, items that an incremental run took over from an earlier run.
    pub unchanged: u64,
    /// Items whose last attempt failed.
    pub failed: u64,
    /// Items whose outcome is from an earlier execution, so this one spends no time on them; 0 in the ledger.
    pub kept: u64,
    /// Bad rows that were skipped because the workflow says so.
    pub bad_rows: u64,
    /// Items that the user has cancelled or skipped.
    #[serde(default)]
    pub cancelled: u64,
    /// Items that did not run because the step stopped early.
    pub skipped: u64,
    /// Attempts beyond each item's first.
    pub retried: u64,
    /// How many bytes of its source's files the finished batches cover; 0 if unknown.
    pub bytes_done: u64,
    /// From the start of the step to its end.
    pub duration: Duration,
    /// Of this, the time spent on the ledger while slots continued to work.
    pub ledger: Duration,
}

impl Stats {
    /// Items with an outcome.
    pub fn settled(&self) -> u64 {
        self.succeeded + self.failed + self.bad_rows + self.cancelled
    }

    /// Items that this execution finished.
    pub fn ran(&self) -> u64 {
        (self.succeeded + self.failed).saturating_sub(self.kept)
    }

    /// Items that this execution finished per second; 0 if no time passed.
    pub fn items_per_second(&self) -> f64 {
        let seconds = self.duration.as_secs_f64();
        if seconds > 0.0 { self.ran() as f64 / seconds } else { 0.0 }
    }

    /// Percentage of the items that succeeded; 100 if there are none.
    pub fn percent(&self) -> f64 {
        if self.total == 0 { 100.0 } else { 100.0 * self.succeeded as f64 / self.total as f64 }
    }

    /// The object that templates, `--format json` and the ledger's readers see.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "total": self.total,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "bad_rows": self.bad_rows,
            "unchanged": self.unchanged,
            "cancelled": self.cancelled,
            "skipped": self.skipped,
            "retried": self.retried,
            "duration": round(self.duration.as_secs_f64(), 1e6),
            "items_per_second": round(self.items_per_second(), 1e3),
            "percent": round(self.percent(), 1e3),
            "ledger": round(self.ledger.as_secs_f64(), 1e6),
        })
    }
}

fn round(value: f64, by: f64) -> f64 {
    (value * by).round() / by
}
