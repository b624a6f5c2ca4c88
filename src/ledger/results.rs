//! Results in item order, read from a file that was written in completion order.
//!
//! Nothing is given to the caller before it was compared with the checksum in its row.

use super::batches::{BatchRow, hash_results};
use super::error::LedgerError;
use super::files::io_error;
use super::read_ahead::ReadAheadFile;
use super::run_path::{RunPath, held};
use crate::columnar::json_of_ipc;
use crate::model::{ResultForm, ResultsSize};
use std::io;

/// A piece of a results file: consecutive lines of consecutive items, or the results of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// Index of the first item.
    pub(super) first: u64,
    /// Which attempt it was.
    pub(super) attempt: u32,
    /// How many items. Each has a line, unless the results belong to a batch as a whole.
    pub(super) count: u64,
    /// Whether the results belong to a batch as a whole.
    pub(super) is_list: bool,
    /// Whether the results are lines or a table.
    pub(super) form: ResultForm,
    /// Where it begins in the file.
    pub(super) offset: u64,
    /// How many bytes it has.
    pub(super) length: u64,
    /// The hash of its bytes.
    pub(super) hash: u64,
}

impl Block {
    /// The block of a batch whose items are neighbours, or whose results belong to it as a whole.
    pub(super) fn of_row(row: &BatchRow) -> Self {
        Self {
            first: row.first,
            attempt: row.attempt,
            count: row.count,
            is_list: row.is_list,
            form: row.form,
            offset: row.offset,
            length: row.length,
            hash: row.results_hash(),
        }
    }
}

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
    blocks: std::vec::IntoIter<Block>,
}

impl ResultsReader {
    pub(super) fn open(path: &RunPath, mut blocks: Vec<Block>) -> Result<Self, LedgerError> {
        // In place, and those of one item as they were written.
        blocks.sort_unstable_by_key(|block| (block.first, block.offset));
        let gone = |why| Err(LedgerError::ResultsGone { path: path.to_path_buf(), why });
        let mut file = None;
        if !blocks.is_empty() {
            let Some(opened) = path.open()? else { return gone("are missing") };
            let length = held(&opened).map_err(|source| io_error("read", path, source))?;
            // Before anything is printed, and before a number in a damaged row becomes the size of an allocation.
            if blocks.iter().any(|block| block.offset.saturating_add(block.length) > length) {
                return gone("are truncated");
            }
            file = Some(ReadAheadFile::new(opened));
        }
        let lines = blocks.iter().filter(|block| !block.is_list);
        if lines.clone().zip(lines.skip(1)).any(|(one, next)| one.first.saturating_add(one.count) > next.first) {
            return gone("include two results for one item");
        }
        Ok(Self { path: path.clone(), file, blocks: blocks.into_iter() })
    }

    /// How many results there are. The results of a batch as a whole count as one.
    pub fn count(&self) -> u64 {
        let counts = self.blocks.as_slice().iter().map(|block| if block.is_list { 1 } else { block.count });
        counts.fold(0, u64::saturating_add)
    }

    /// How many results there are, and how many bytes they have. Results of a batch as a whole are read to count them.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn size(&self) -> Result<ResultsSize, LedgerError> {
        let mut size = ResultsSize { count: 0, bytes: 0 };
        for block in self.blocks.as_slice() {
            let (bytes, count) = match &self.file {
                Some(file) if block.is_list => {
                    let lines = self.read(file, block)?;
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
        let mut end = 0;
        let in_order = self.blocks.as_slice().iter().all(|block| {
            let follows = block.offset == end && block.form == ResultForm::Lines;
            end = block.length.saturating_add(end);
            follows
        });
        in_order && std::fs::metadata(&*self.path).is_ok_and(|data| data.len() == end)
    }

    /// Compares all results with their checksums.
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        let Some(file) = &self.file else { return Ok(()) };
        self.blocks.as_slice().iter().try_for_each(|block| self.bytes(file, block).map(drop))
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
        let (Some(block), Some(file)) = (self.blocks.next(), &self.file) else { return Ok(None) };
        self.read(file, &block).map(Some)
    }

    /// The next block, with the index of its first item.
    ///
    /// # Errors
    /// If the file cannot be read, or is not what was written.
    pub fn next_results(&mut self) -> Result<Option<ResultBlock>, LedgerError> {
        let (Some(block), Some(file)) = (self.blocks.next(), &self.file) else { return Ok(None) };
        Ok(Some(ResultBlock { first: block.first, attempt: block.attempt, lines: self.read(file, &block)? }))
    }

    /// Whether all blocks are tables.
    pub fn are_tables(&self) -> bool {
        let blocks = self.blocks.as_slice();
        !blocks.is_empty() && blocks.iter().all(|block| block.form == ResultForm::Arrow)
    }

    /// The next block as it is in the file: for a table, an Arrow IPC stream.
    ///
    /// # Errors
    /// If the file cannot be read, or is not what was written.
    pub fn next_table(&mut self) -> Result<Option<Vec<u8>>, LedgerError> {
        let (Some(block), Some(file)) = (self.blocks.next(), &self.file) else { return Ok(None) };
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
