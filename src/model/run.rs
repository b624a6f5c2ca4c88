//! A run and its steps: names, states, counts.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The name of a step: letters, digits, `_`, `-` and `.`; not empty. Also a file name of the run's folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepName(String);

impl StepName {
    /// The name, if it is a fit one.
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

/// The name of a run, for instance `20260131-142530123-flights-k3f9`: sorts by start, and is a folder's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a run, or a step of it, stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Under way; or its process was killed, which the lock on the run tells.
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
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stats {
    /// Items of the step, as far as the source was read.
    pub total: u64,
    /// Items with a result.
    pub succeeded: u64,
    /// Of these, items that were taken over from an earlier run, in an incremental run.
    pub unchanged: u64,
    /// Items whose last attempt failed.
    pub failed: u64,
    /// Items whose outcome is that of an earlier execution, so that this one takes no time for them; 0 in the ledger.
    pub kept: u64,
    /// Bad rows that were left out, as the workflow wants.
    pub bad_rows: u64,
    /// Items that were not run, because the step stopped early.
    pub skipped: u64,
    /// Runs beyond each item's first.
    pub retried: u64,
    /// How many bytes of its source's files are behind the batches that ended; 0 where that is not known.
    pub bytes_done: u64,
    /// From the start of the step to its end.
    pub duration: Duration,
    /// Of this, the time that went into the ledger, while slots went on working.
    pub ledger: Duration,
}

impl Stats {
    /// Items with an outcome.
    pub fn settled(&self) -> u64 {
        self.succeeded + self.failed + self.bad_rows
    }

    /// Items that this execution ran to an outcome.
    pub fn ran(&self) -> u64 {
        (self.succeeded + self.failed).saturating_sub(self.kept)
    }

    /// Items that this execution ran per second; 0 where no time passed.
    pub fn items_per_second(&self) -> f64 {
        let seconds = self.duration.as_secs_f64();
        if seconds > 0.0 { self.ran() as f64 / seconds } else { 0.0 }
    }

    /// Share of the items that succeeded, 0 to 100; 100 where there are none.
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
