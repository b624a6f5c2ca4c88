//! What travels between feeder, slots and aggregator.

use super::executor::FrameResult;
use crate::model::{Batch, LogEntry};
use std::time::Duration;

/// What a slot takes at a time: one or more batches.
pub(super) type FrameBatches = Vec<Batch>;

/// What a slot tells the aggregator.
#[derive(Debug)]
pub(super) enum SlotEvent {
    /// A task printed something.
    Log(LogEntry),
    /// A frame ended; its batches become durable together.
    Frame(Box<FrameResult>),
    /// The slot has shut down, with these warnings for the user.
    ShutDown(Vec<String>),
}

/// What the aggregator tells the feeder.
#[derive(Debug)]
pub(super) enum FeederNote {
    /// So many batches were recorded; these are to be retried, each after its delay.
    Recorded(usize, Vec<(Batch, Duration)>),
    /// These have failed, and the user wants them to run again. The feeder was asked before.
    Again(Vec<Batch>),
    /// The user has taken this item out.
    Withdrawn(u64),
}
