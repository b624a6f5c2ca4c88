//! Blocks in item order. There may be one for each of millions of items, so most of them wait in a temporary file.
//!
//! An external merge sort: as many as fit are sorted and written as a run; whoever reads them merges the runs.

use super::block::Block;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// How many blocks are sorted in memory.
const MOST_HELD: usize = 16 * 1024;

/// How many blocks of a run are read at a time.
const READ_BLOCKS: usize = 256;

/// Sorted blocks.
struct Run {
    /// The place of the first.
    first: (u64, u64),
    blocks: RunBlocks,
}

enum RunBlocks {
    /// In memory: the last ones, and those that could not be written.
    Held(Vec<Block>),
    /// In the file.
    Written { offset: u64, count: usize },
}

/// Blocks to be sorted.
pub(super) struct BlockSorter {
    most: usize,
    held: Vec<Block>,
    runs: Vec<Run>,
    file: Option<File>,
    /// The bytes in the file.
    written: u64,
}

impl BlockSorter {
    pub(super) fn new() -> Self {
        Self { most: MOST_HELD, held: Vec::new(), runs: Vec::new(), file: None, written: 0 }
    }

    /// Adds a block.
    pub(super) fn push(&mut self, block: Block) {
        if self.held.len() == self.most {
            self.end_run();
        }
        self.held.push(block);
    }

    fn end_run(&mut self) {
        self.held.sort_unstable_by_key(Block::place);
        let Some(first) = self.held.first().map(Block::place) else { return };
        let count = self.held.len();
        let blocks = match self.write() {
            Ok(offset) => {
                self.held.clear();
                RunBlocks::Written { offset, count }
            }
            // Without room for temporary files it takes memory.
            Err(_) => RunBlocks::Held(std::mem::take(&mut self.held)),
        };
        self.runs.push(Run { first, blocks });
    }

    /// Writes the blocks that are held, and says where.
    fn write(&mut self) -> io::Result<u64> {
        let mut bytes = Vec::with_capacity(self.held.len() * Block::SIZE);
        self.held.iter().for_each(|block| block.write(&mut bytes));
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        let offset = self.written;
        file.write_all_at(&bytes, offset)?;
        self.written += bytes.len() as u64;
        Ok(offset)
    }

    /// The blocks in order.
    pub(super) fn sorted(mut self) -> SortedBlocks {
        self.held.sort_unstable_by_key(Block::place);
        if let Some(first) = self.held.first().map(Block::place) {
            self.runs.push(Run { first, blocks: RunBlocks::Held(self.held) });
        }
        self.runs.sort_unstable_by_key(|run| run.first);
        SortedBlocks(Arc::new(Runs { runs: self.runs, file: self.file }))
    }
}

struct Runs {
    /// By the places of their first blocks.
    runs: Vec<Run>,
    file: Option<File>,
}

/// Blocks in order: of their items, and those of one item as they were written.
pub(super) struct SortedBlocks(Arc<Runs>);

impl SortedBlocks {
    /// A cursor before the first block.
    pub(super) fn cursor(&self) -> BlockCursor {
        BlockCursor { runs: Arc::clone(&self.0), parts: Vec::new(), heads: BinaryHeap::new() }
    }
}

/// Goes through sorted blocks.
pub(super) struct BlockCursor {
    runs: Arc<Runs>,
    /// What is left of the runs that were begun. Those of neighbours are begun one after another.
    parts: Vec<Part>,
    /// The next block of each of them that has one, by its place.
    heads: BinaryHeap<Reverse<Head>>,
}

/// What is left of a run.
#[derive(Default)]
struct Part {
    /// The number of the next block.
    next: usize,
    /// Blocks that were read from the file, the first of which has the number `from`.
    read: Vec<Block>,
    from: usize,
}

/// The next block of a run.
struct Head {
    block: Block,
    run: usize,
}

impl Head {
    fn key(&self) -> ((u64, u64), usize) {
        (self.block.place(), self.run)
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl BlockCursor {
    /// The next block.
    pub(super) fn next(&mut self) -> io::Result<Option<Block>> {
        while let Some(run) = self.runs.runs.get(self.parts.len())
            && self.heads.peek().is_none_or(|Reverse(head)| run.first < head.block.place())
        {
            self.parts.push(Part::default());
            let head = self.head(self.parts.len() - 1)?;
            self.heads.extend(head.map(Reverse));
        }
        let Some(Reverse(Head { run, .. })) = self.heads.peek() else { return Ok(None) };
        let following = self.head(*run)?;
        let Some(mut top) = self.heads.peek_mut() else { return Ok(None) };
        let Reverse(head) = match following {
            Some(following) => std::mem::replace(&mut *top, Reverse(following)),
            None => PeekMut::pop(top),
        };
        Ok(Some(head.block))
    }

    fn head(&mut self, run: usize) -> io::Result<Option<Head>> {
        let part = &mut self.parts[run];
        let block = match &self.runs.runs[run].blocks {
            RunBlocks::Held(blocks) => blocks.get(part.next).copied(),
            RunBlocks::Written { offset, count } if part.next < *count => {
                if part.next == part.from + part.read.len() {
                    let file = self.runs.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
                    part.fill(file, *offset, *count)?;
                }
                part.read.get(part.next - part.from).copied()
            }
            RunBlocks::Written { .. } => None,
        };
        part.next += 1;
        Ok(block.map(|block| Head { block, run }))
    }
}

impl Part {
    /// Reads the next blocks of a run of `count` that begins at `offset`.
    fn fill(&mut self, file: &File, offset: u64, count: usize) -> io::Result<()> {
        let blocks = READ_BLOCKS.min(count - self.next);
        let mut bytes = vec![0; blocks * Block::SIZE];
        file.read_exact_at(&mut bytes, offset + (self.next * Block::SIZE) as u64)?;
        self.from = self.next;
        self.read.clear();
        self.read.extend(bytes.as_chunks().0.iter().map(Block::read));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResultForm;

    fn block(number: u64, count: u64) -> Block {
        let form = [ResultForm::Lines, ResultForm::Arrow, ResultForm::Pickle][(number % 3) as usize];
        let (first, offset) = (number * 7919 % count / 2, number * 10);
        let (length, hash, attempt) = (number, u64::MAX - number, number as u32);
        Block { first, attempt, count: number, is_list: number.is_multiple_of(2), form, offset, length, hash }
    }

    fn sorted(mut sorter: BlockSorter, count: u64) -> (usize, Vec<Block>) {
        (0..count).for_each(|number| sorter.push(block(number, count)));
        let (blocks, mut all) = (sorter.sorted(), Vec::new());
        let mut cursor = blocks.cursor();
        while let Some(block) = cursor.next().unwrap() {
            all.push(block);
        }
        assert_eq!(cursor.next().unwrap(), None);
        (blocks.0.runs.iter().filter(|run| matches!(run.blocks, RunBlocks::Written { .. })).count(), all)
    }

    #[test]
    fn blocks_come_in_order_wherever_they_waited() {
        for count in [0, 1, 99, 100, 101, 5_000] {
            let mut expected: Vec<Block> = (0..count).map(|number| block(number, count)).collect();
            expected.sort_by_key(Block::place);
            let few = BlockSorter { most: 100, ..BlockSorter::new() };
            assert_eq!(sorted(few, count), (usize::try_from(count.saturating_sub(1) / 100).unwrap(), expected.clone()));
            assert_eq!(sorted(BlockSorter::new(), count), (0, expected));
        }
    }

    #[test]
    fn runs_of_neighbours_are_read_one_after_another() {
        let mut sorter = BlockSorter { most: 10, ..BlockSorter::new() };
        (0..100).rev().for_each(|first| sorter.push(Block { first, ..block(0, 1) }));
        let mut cursor = sorter.sorted().cursor();
        for first in 0..100 {
            assert_eq!(cursor.next().unwrap().map(|block| block.first), Some(first));
            assert_eq!(cursor.heads.len(), usize::from(first % 10 < 9));
        }
        assert_eq!(cursor.next().unwrap(), None);
    }

    #[test]
    fn blocks_that_cannot_be_written_stay_in_memory() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (written, all) = sorted(BlockSorter { most: 10, file: Some(full), ..BlockSorter::new() }, 95);
        assert_eq!((written, all.len()), (0, 95));
        assert!(all.is_sorted_by_key(Block::place));
    }
}
