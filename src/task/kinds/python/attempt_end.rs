//! How an attempt ended.

use crate::model::Failure;

/// How far a worker got with the units it was sent, and why the attempt ended.
#[derive(Debug)]
pub(super) struct AttemptEnd {
    /// The number of units it was sent.
    pub(super) sent: usize,
    /// The number of units it reported. A unit that the cause blames comes after these.
    pub(super) reported: usize,
    /// Why the attempt ended.
    pub(super) cause: EndCause,
}

/// Why an attempt ended.
#[derive(Debug)]
pub(super) enum EndCause {
    /// The worker ran `executed` units: all of them, or fewer if it halted.
    Done { executed: usize },
    /// The worker halted after `executed` units, because the user has taken one of the others out.
    Recalled { executed: usize },
    /// The worker died, or must be killed, while running the unit at `position`. That unit has failed.
    Lost { position: usize, failure: Failure },
    /// The worker exceeded its memory limit while running the unit at `position`.
    OverMemory { position: usize, failure: Failure },
    /// The worker died between units.
    DiedIdle(Failure),
    /// The batch took longer than its timeout.
    BatchTimeout(Failure),
    /// The run was ended.
    Interrupted,
}

impl AttemptEnd {
    /// Whether the worker is dead or must be killed.
    pub(super) fn loses_worker(&self) -> bool {
        !matches!(self.cause, EndCause::Done { .. } | EndCause::Recalled { .. })
    }
}
