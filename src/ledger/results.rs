//! Results in item order, read from a file that was written in completion order.
//!
//! Nothing is given to the caller before it was compared with the checksum in its row.

use super::batches::hash_results;
use super::block::Block;
use super::error::LedgerError;
use super::files::io_error;
use super::read_ahead::ReadAheadFile;
use super::run_path::{RunPath, held};
use super::sorted_blocks::{BlockCursor, BlockSorter, SortedBlocks};
use crate::columnar::json_of_ipc;
use crate::model::{ResultForm, ResultsSize};
use std::io;

/// The results of consecutive items.
#[derive(Debug)]
pub struct ResultBlock {
    /// The index of the first item.
    pub first: u64,
    /// Which attempt succeeded.
    pub attempt: u32,
    /// A line for each of them.
    pub lines: Vec<u8>,
}

/// The results of a step, in item order, block by block: memory holds one block at a time.
pub struct ResultsReader {
    path: RunPath,
    file: Option<ReadAheadFile>,
    blocks: SortedBlocks,
    /// What is left to read.
    left: BlockCursor,
    totals: Totals,
}

/// What all blocks are together.
#[derive(Default)]
struct Totals {
    blocks: u64,
    tables: u64,
    /// The results of a batch as a whole count as one.
    results: u64,
    /// Where the last one ends if they are lines that follow each other from the start of the file.
    end_in_order: Option<u64>,
}

impl Totals {
    fn add(&mut self, block: &Block) {
        let start = if self.blocks == 0 { Some(0) } else { self.end_in_order };
        let follows = start == Some(block.offset) && block.form == ResultForm::Lines;
        self.end_in_order = follows.then(|| block.end());
        self.blocks += 1;
        self.tables += u64::from(block.form == ResultForm::Arrow);
        self.results = self.results.saturating_add(if block.is_list { 1 } else { block.count });
    }
}

impl ResultsReader {
    /// `end` is where the last block ends in the file.
    pub(super) fn open(path: &RunPath, blocks: BlockSorter, end: u64) -> Result<Self, LedgerError> {
        let gone = |why| Err(LedgerError::ResultsGone { path: path.to_path_buf(), why });
        let blocks = blocks.sorted();
        let (mut totals, mut last) = (Totals::default(), None::<Block>);
        let mut cursor = blocks.cursor();
        let mut is_double = false;
        while let Some(block) = next(&mut cursor)? {
            totals.add(&block);
            if !block.is_list {
                is_double |= last.is_some_and(|last| last.first.saturating_add(last.count) > block.first);
                last = Some(block);
            }
        }
        let mut file = None;
        if totals.blocks > 0 {
            let Some(opened) = path.open()? else { return gone("are missing") };
            let length = held(&opened).map_err(|source| io_error("read", path, source))?;
            // Before anything is printed, and before a number in a damaged row becomes the size of an allocation.
            if end > length {
                return gone("are truncated");
            }
            file = Some(ReadAheadFile::new(opened));
        }
        if is_double {
            return gone("include two results for one item");
        }
        let left = blocks.cursor();
        Ok(Self { path: path.clone(), file, blocks, left, totals })
    }

    /// How many results there are. The results of a batch as a whole count as one.
    pub fn count(&self) -> u64 {
        self.totals.results
    }

    /// How many results there are, and how many bytes they have. Results of a batch as a whole are read to count them.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn size(&self) -> Result<ResultsSize, LedgerError> {
        let mut size = ResultsSize { count: 0, bytes: 0 };
        let mut blocks = self.blocks.cursor();
        while let Some(block) = next(&mut blocks)? {
            let (bytes, count) = match &self.file {
                Some(file) if block.is_list => {
                    let lines = self.read(file, &block)?;
                    (lines.len() as u64, memchr::memchr_iter(b'\n', &lines).count() as u64)
                }
                _ => (block.length, block.count),
            };
            size.bytes = size.bytes.saturating_add(bytes);
            size.count = size.count.saturating_add(count);
        }
        Ok(size)
    }

    /// Whether the file consists of these lines in this order.
    pub(super) fn is_whole_file(&self) -> bool {
        let end = if self.totals.blocks == 0 { Some(0) } else { self.totals.end_in_order };
        std::fs::metadata(&*self.path).is_ok_and(|data| Some(data.len()) == end)
    }

    /// Compares all results with their checksums.
    ///
    /// # Errors
    /// If the file cannot be read, or is not what was written.
    pub fn check(&self) -> Result<(), LedgerError> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut blocks = self.blocks.cursor();
        while let Some(block) = next(&mut blocks)? {
            self.bytes(file, &block)?;
        }
        Ok(())
    }

    /// The lines of a block. The rows of a table become lines.
    fn read(&self, file: &ReadAheadFile, block: &Block) -> Result<Vec<u8>, LedgerError> {
        let bytes = self.bytes(file, block)?;
        match block.form {
            ResultForm::Lines | ResultForm::Pickle => Ok(bytes),
            ResultForm::Arrow => match json_of_ipc(&bytes) {
                Ok(lines) => Ok(lines.text),
                Err(_) => {
                    Err(LedgerError::ResultsGone { path: self.path.to_path_buf(), why: "cannot be read as a table" })
                }
            },
        }
    }

    fn bytes(&self, file: &ReadAheadFile, block: &Block) -> Result<Vec<u8>, LedgerError> {
        let length = usize::try_from(block.length).unwrap_or(usize::MAX);
        let bytes = file.read(block.offset, length).map_err(|source| io_error("read", &self.path, source))?;
        if hash_results(&bytes) != block.hash {
            let why = "do not match their checksum";
            return Err(LedgerError::ResultsGone { path: self.path.to_path_buf(), why });
        }
        Ok(bytes)
    }

    /// The lines of the next block.
    ///
    /// # Errors
    /// If the file cannot be read, or is not what was written.
    pub fn next_block(&mut self) -> Result<Option<Vec<u8>>, LedgerError> {
        let (Some(block), Some(file)) = (next(&mut self.left)?, &self.file) else { return Ok(None) };
        self.read(file, &block).map(Some)
    }

    /// The next block, with the index of its first item.
    ///
    /// # Errors
    /// If the file cannot be read, or is not what was written.
    pub fn next_results(&mut self) -> Result<Option<ResultBlock>, LedgerError> {
        let (Some(block), Some(file)) = (next(&mut self.left)?, &self.file) else { return Ok(None) };
        Ok(Some(ResultBlock { first: block.first, attempt: block.attempt, lines: self.read(file, &block)? }))
    }

    /// Whether all blocks are tables.
    pub fn are_tables(&self) -> bool {
        self.totals.blocks > 0 && self.totals.tables == self.totals.blocks
    }

    /// The next block as it is in the file: for a table, an Arrow IPC stream.
    ///
    /// # Errors
    /// If the file cannot be read, or is not what was written.
    pub fn next_table(&mut self) -> Result<Option<Vec<u8>>, LedgerError> {
        let (Some(block), Some(file)) = (next(&mut self.left)?, &self.file) else { return Ok(None) };
        self.bytes(file, &block).map(Some)
    }

    /// Copies all lines to `out`.
    ///
    /// # Errors
    /// If the file cannot be read. An error of `out` is the inner result.
    pub fn copy_to(mut self, out: &mut impl io::Write) -> Result<io::Result<()>, LedgerError> {
        while let Some(lines) = self.next_block()? {
            if let Err(error) = out.write_all(&lines) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// All results as one JSON array.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn into_json_array(mut self) -> Result<Vec<u8>, LedgerError> {
        let mut array = vec![b'['];
        while let Some(mut lines) = self.next_block()? {
            // JSON text contains no raw newline, so each newline ends a result.
            lines.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b',');
            array.extend_from_slice(&lines);
        }
        if array.last() == Some(&b',') {
            array.pop();
        }
        array.push(b']');
        Ok(array)
    }
}

fn next(blocks: &mut BlockCursor) -> Result<Option<Block>, LedgerError> {
    blocks.next().map_err(|source| io_error("read a temporary file in", &std::env::temp_dir(), source))
}
