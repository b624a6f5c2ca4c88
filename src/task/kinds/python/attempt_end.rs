//! How an attempt ended.

use crate::model::Failure;

/// How one worker got on with the units it was sent.
#[derive(Debug)]
pub(super) struct AttemptEnd {
    /// How many units it was sent.
    pub(super) sent: usize,
    /// How many of them it reported; positions below are at least that.
    pub(super) reported: usize,
    /// Why the attempt ended.
    pub(super) cause: EndCause,
}

/// Why an attempt ended.
#[derive(Debug)]
pub(super) enum EndCause {
    /// The worker ran `executed` units: all of them, or fewer because it halted.
    Done { executed: usize },
    /// The worker was lost on the unit at `position`, which has failed.
    Lost { position: usize, failure: Failure },
    /// The worker was killed for its memory while it was on the unit at `position`.
    OverMemory { position: usize, failure: Failure },
    /// The worker died between units.
    DiedIdle(Failure),
    /// The batch has used up its time.
    BatchTimeout(Failure),
    /// The run was cancelled.
    Cancelled,
}

impl AttemptEnd {
    /// Whether the worker is gone, or has to go.
    pub(super) fn loses_worker(&self) -> bool {
        !matches!(self.cause, EndCause::Done { .. })
    }
}
