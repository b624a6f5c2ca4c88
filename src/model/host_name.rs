//! Where a frame has run, if not here.

use serde::{Deserialize, Serialize};

/// A process that has run a frame, and its machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostName {
    /// The name of the machine.
    pub machine: String,
    /// The ID of the process there.
    pub process: u32,
    /// Whether it sees the files of the machine of the engine.
    pub shares_files: bool,
}
