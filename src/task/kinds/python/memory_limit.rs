//! `max_memory` of a worker.

use super::peer::Peer;
use crate::model::{Failure, FailureKind};
use bytesize::ByteSize;
use std::time::Duration;

/// Time between two checks of which item a worker is running.
const CHECK: Duration = Duration::from_millis(500);

/// Time between two checks of a worker's memory.
const CHECK_MEMORY: Duration = Duration::from_millis(20);

/// The maximum memory of a worker in bytes, if there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemoryLimit(pub(super) Option<u64>);

impl MemoryLimit {
    /// The failure of a worker that exceeds the limit; `None` if it does not.
    pub(super) fn exceeded_by(self, peer: &dyn Peer) -> Option<Failure> {
        let most = self.0?;
        let used = peer.memory().filter(|used| *used > most)?;
        let size = |bytes| ByteSize::b(bytes).display().si();
        let message = format!("Python worker used {:.1}; `max_memory` is {:.1}", size(used), size(most));
        Some(Failure::new(FailureKind::Memory, "MemoryLimit", message).permanent())
    }

    /// How often to check on a worker.
    pub(super) fn check_interval(self) -> Duration {
        if self.0.is_some() { CHECK_MEMORY } else { CHECK }
    }
}
