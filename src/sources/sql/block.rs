//! Rows on their way from the thread that runs a query to the source.

use crate::model::Items;
use crate::sources::error::ErrorText;
use crossbeam_channel::Sender;

/// A block is handed over once it has this many rows, or this many bytes.
const BLOCK_ROWS: usize = 1000;
const BLOCK_BYTES: usize = 256 << 10;

/// A block of rows as JSON, or the database's error.
pub(super) type Block = Result<Items, ErrorText>;

/// Collects rows into blocks.
pub(super) struct BlockWriter {
    block: Items,
    blocks: Sender<Block>,
}

impl BlockWriter {
    /// Hands blocks over through this channel.
    pub(super) fn new(blocks: Sender<Block>) -> Self {
        Self { block: Items::default(), blocks }
    }

    /// Adds a row that `write` writes as JSON; false if no more are needed.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.block.push_with(write);
        let full = self.block.len() >= BLOCK_ROWS || self.block.as_parts().0.len() >= BLOCK_BYTES;
        !full || self.hand_over()
    }

    /// Hands over what is left, and then the error if the query failed.
    pub(super) fn finish(mut self, answered: Result<(), ErrorText>) {
        self.hand_over();
        if let Err(error) = answered {
            drop(self.blocks.send(Err(error)));
        }
    }

    fn hand_over(&mut self) -> bool {
        let block = std::mem::take(&mut self.block);
        block.is_empty() || self.blocks.send(Ok(block)).is_ok()
    }
}
