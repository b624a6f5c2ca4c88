//! The figures of the machines of a cluster.

use crate::measure::{HostLog, HostWork};
use serde::Serialize;

/// What a machine ran of a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostFigures {
    /// Its name.
    pub host: String,
    /// How many processes ran it there.
    pub processes: usize,
    /// Frames.
    pub frames: u64,
    /// Batches.
    pub batches: u64,
    /// Items that succeeded.
    pub succeeded: u64,
    /// Items whose last attempt failed.
    pub failed: u64,
    /// Items to be tried again.
    pub retried: u64,
    /// How long its frames took, with all waiting, in seconds.
    pub seconds: f64,
}

/// The figures of each machine, by name.
pub(super) fn hosts(log: &HostLog) -> Vec<HostFigures> {
    let figures = |(host, work): (&str, &HostWork)| HostFigures {
        host: host.to_owned(),
        processes: work.processes.len(),
        frames: work.frames,
        batches: work.batches,
        succeeded: work.succeeded,
        failed: work.failed,
        retried: work.retried,
        seconds: work.took as f64 / 1e6,
    };
    log.iter().map(figures).collect()
}
