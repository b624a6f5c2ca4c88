//! `max_memory` of a worker.

use super::peer::Peer;
use crate::model::{Failure, FailureKind};
use bytesize::ByteSize;
use std::time::Duration;

/// Time between two checks on which item a worker is on.
const CHECK: Duration = Duration::from_millis(500);

/// Time between two checks of a worker's memory.
const CHECK_MEMORY: Duration = Duration::from_millis(20);

/// The most memory that a worker may take, in bytes, if there is a limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemoryLimit(pub(super) Option<u64>);

impl MemoryLimit {
    /// The failure of a worker that takes more memory than it may.
    pub(super) fn exceeded_by(self, peer: &dyn Peer) -> Option<Failure> {
        let most = self.0?;
        let takes = peer.memory().filter(|takes| *takes > most)?;
        let size = |bytes| ByteSize::b(bytes).display().si();
        let message = format!("Python worker took {:.1}, and `max_memory` is {:.1}", size(takes), size(most));
        Some(Failure::new(FailureKind::Memory, "MemoryLimit", message).permanent())
    }

    /// How often to check on a worker.
    pub(super) fn check_interval(self) -> Duration {
        if self.0.is_some() { CHECK_MEMORY } else { CHECK }
    }
}
