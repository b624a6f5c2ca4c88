//! What each machine of a cluster ran.

use super::frames::FrameSpan;
use crate::model::HostName;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a machine ran.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostWork {
    /// The processes that ran it.
    pub processes: BTreeSet<u32>,
    /// Frames.
    pub frames: u64,
    /// Batches.
    pub batches: u64,
    /// Items that succeeded.
    pub succeeded: u64,
    /// Items that failed in their last attempt.
    pub failed: u64,
    /// Items to be tried again.
    pub retried: u64,
    /// How long its frames took, with all waiting, in microseconds.
    pub took: u64,
}

/// What each machine ran, by name. None if all ran on the machine of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostLog(BTreeMap<String, HostWork>);

impl HostLog {
    /// Counts a frame.
    pub fn take(&mut self, host: HostName, frame: &FrameSpan) {
        let work = self.0.entry(host.machine).or_default();
        work.processes.insert(host.process);
        let FrameSpan { took, batches, succeeded, failed, retried, .. } = *frame;
        work.add(&HostWork { processes: BTreeSet::new(), frames: 1, batches, succeeded, failed, retried, took });
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        for (machine, work) in &other.0 {
            self.0.entry(machine.clone()).or_default().add(work);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each machine, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &HostWork)> {
        self.0.iter().map(|(machine, work)| (machine.as_str(), work))
    }
}

impl HostWork {
    fn add(&mut self, other: &Self) {
        self.processes.extend(&other.processes);
        self.frames += other.frames;
        self.batches += other.batches;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.retried += other.retried;
        self.took += other.took;
    }
}
