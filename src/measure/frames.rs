//! What each slot ran when.

use serde::{Deserialize, Serialize};

/// The maximum number of frames that are kept. Beyond it, only the samples tell what slots did.
pub const MOST_FRAMES: usize = 100_000;

/// A frame that a slot ran. Times are in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "[u64; 8]", into = "[u64; 8]")]
pub struct FrameSpan {
    /// The slot.
    pub slot: u64,
    /// When it began, from the start of the step.
    pub started: u64,
    /// How long it took.
    pub took: u64,
    /// The number of its first batch.
    pub batch: u64,
    /// How many batches it held.
    pub batches: u64,
    /// How many items of it succeeded.
    pub succeeded: u64,
    /// How many failed in their last attempt.
    pub failed: u64,
    /// How many are to be tried again.
    pub retried: u64,
}

impl From<[u64; 8]> for FrameSpan {
    fn from([slot, started, took, batch, batches, succeeded, failed, retried]: [u64; 8]) -> Self {
        Self { slot, started, took, batch, batches, succeeded, failed, retried }
    }
}

impl From<FrameSpan> for [u64; 8] {
    fn from(frame: FrameSpan) -> Self {
        let FrameSpan { slot, started, took, batch, batches, succeeded, failed, retried } = frame;
        [slot, started, took, batch, batches, succeeded, failed, retried]
    }
}

/// The frames of a step, in the order in which they ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FrameLog {
    frames: Vec<FrameSpan>,
    /// How many there were in all.
    count: u64,
}

impl FrameLog {
    /// Appends a frame.
    pub fn push(&mut self, frame: FrameSpan) {
        self.count += 1;
        if self.is_complete() {
            self.frames.push(frame);
        } else {
            self.frames = Vec::new();
        }
    }

    /// Whether all frames are kept. If not, none is: a part would look like the whole.
    pub fn is_complete(&self) -> bool {
        self.count <= MOST_FRAMES as u64
    }

    /// The frames; none if there were more than [`MOST_FRAMES`].
    pub fn frames(&self) -> &[FrameSpan] {
        &self.frames
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count
    }
}
