//! What a worker was found to do while it used the CPU. Files of it have one object per line.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// CPU time between two samples: no multiple of the kernel's clock, so that they do not fall into step with it.
pub const SAMPLE_PERIOD: Duration = Duration::from_micros(9_973);

/// What a worker was found to do, each with how often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Samples {
    /// Whose code was running: `Python`, or the name of a package or library.
    pub code: BTreeMap<String, u64>,
    /// Python functions, the outermost first.
    pub stacks: Vec<(Vec<String>, u64)>,
}
