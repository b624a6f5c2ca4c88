//! What all calls of a client share.

use crate::model::RunId;
use crate::task::Cancel;
use crate::task::guard::Guard;
use crate::task::python::WarmWorkers;
use std::sync::Arc;

/// What all calls share.
pub(super) struct Shared {
    /// Marks the processes.
    pub(super) run: RunId,
    /// Kills them if the engine dies.
    pub(super) guard: Arc<Guard>,
    /// Workers that wait for the next call.
    pub(super) warm: Arc<WarmWorkers>,
    /// Ends all calls.
    pub(super) cancel: Cancel,
}
