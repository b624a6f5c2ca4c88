//! What the frames of a step need of the machine that runs them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So that three times 0.1 fit into 0.3.
const ROUNDING: f64 = 1e-9;

/// What one frame needs, and so one slot. What is absent is left to whoever runs it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Cores.
    pub cpus: Option<f64>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// GPUs.
    pub gpus: Option<f64>,
    /// By the names that the cluster gives them.
    pub custom: BTreeMap<String, f64>,
}

impl Resources {
    /// How many frames have room on a machine with so many cores and so much memory; at least one, because nothing would run
    /// otherwise.
    pub fn frames_on(&self, cores: usize, memory: u64) -> usize {
        let by_cores = self.cpus.map_or(cores, |cpus| (cores as f64 / cpus + ROUNDING) as usize);
        let by_memory =
            self.memory.map_or(usize::MAX, |each| usize::try_from(memory / each.max(1)).unwrap_or(usize::MAX));
        by_cores.min(by_memory).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_room_for_what_fits_but_for_one_at_least() {
        let cpus = |cpus| Resources { cpus: Some(cpus), ..Resources::default() };
        assert_eq!(Resources::default().frames_on(8, 1), 8);
        assert_eq!(cpus(3.0).frames_on(8, 1), 2);
        assert_eq!(cpus(0.5).frames_on(8, 1), 16);
        assert_eq!(cpus(64.0).frames_on(8, 1), 1);
        let memory = Resources { memory: Some(4 << 30), ..cpus(1.0) };
        assert_eq!(memory.frames_on(8, 9 << 30), 2);
        assert_eq!(memory.frames_on(8, u64::MAX), 8);
    }
}
