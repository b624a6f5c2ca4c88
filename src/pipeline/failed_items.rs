//! The items of a step that have failed, as they were read: the user may want them to run again while the step runs.
//!
//! Kept in memory, because the ledger has them as text for people, without secrets and without their types. What does not fit
//! is for `batchmill retry`, which reads the source once more.

use crate::model::Batch;

/// How many bytes of items are kept.
const MOST_BYTES: usize = 64 << 20;

/// What a batch takes besides the bytes of its items: with a list of one item, one key and one end.
const OF_BATCH: usize = size_of::<Batch>() + 150;

/// Failed items.
#[derive(Debug, Default)]
pub(super) struct FailedItems {
    /// Not recorded yet.
    new: Vec<Batch>,
    recorded: Vec<Batch>,
    bytes: usize,
}

impl FailedItems {
    /// Adds items that have failed.
    pub(super) fn add(&mut self, batches: Vec<Batch>) {
        for batch in batches {
            let bytes = batch.items.as_parts().0.len() + OF_BATCH;
            if self.bytes + bytes <= MOST_BYTES {
                self.bytes += bytes;
                self.new.push(batch);
            }
        }
    }

    /// All of them are recorded now.
    pub(super) fn settle(&mut self) {
        self.recorded.append(&mut self.new);
    }

    /// Takes those that are recorded.
    pub(super) fn take(&mut self) -> Vec<Batch> {
        let taken = std::mem::take(&mut self.recorded);
        self.bytes = self.new.iter().map(|batch| batch.items.as_parts().0.len() + OF_BATCH).sum();
        taken
    }
}
