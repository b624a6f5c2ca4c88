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

/// What the aggregator tells the feeder about batches that were recorded.
#[derive(Debug)]
pub(super) struct BatchesDone {
    /// How many.
    pub(super) batches: usize,
    /// Batches to retry, and after which delay.
    pub(super) retries: Vec<(Batch, Duration)>,
}
