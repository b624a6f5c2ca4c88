//! Results in item order, read from a file that was written in completion order.

use super::batches::{BatchRow, hash_results};
use super::error::LedgerError;
use super::files::io_error;
use super::read_ahead::ReadAheadFile;
use crate::columnar::json_of_ipc;
use crate::model::{ResultForm, ResultsSize};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Neighbouring lines of a results file that belong to neighbouring items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// Index of the first item.
    pub(super) first: u64,
    /// How many items; 1 per line, except for the list that a batched task returned.
    pub(super) count: u64,
    /// Whether the lines are such a list.
    pub(super) is_list: bool,
    /// Whether they are lines at all, or a table.
    pub(super) form: ResultForm,
    /// Where the first line begins.
    pub(super) offset: u64,
    /// Length in bytes.
    pub(super) length: u64,
    /// The hash of the lines; none where they were compared before.
    pub(super) hash: Option<u64>,
}

impl Block {
    /// The block of a batch whose items are neighbours, or whose results belong to it as a whole.
    pub(super) fn of_row(row: &BatchRow) -> Self {
        Self {
            first: row.first,
            count: row.count,
            is_list: row.is_list,
            form: row.form,
            offset: row.offset,
            length: row.length,
            hash: Some(row.results_hash()),
        }
    }

    /// Whether these are its bytes.
    fn is_intact(&self, bytes: &[u8]) -> bool {
        let complete = self.is_list || memchr::memchr_iter(b'\n', bytes).count() as u64 == self.count;
        complete && self.hash.is_none_or(|hash| hash_results(bytes) == hash)
    }
}

/// The results of a step, in item order, block by block: memory holds one block at a time.
pub struct ResultsReader {
    path: PathBuf,
    file: Option<ReadAheadFile>,
    blocks: std::vec::IntoIter<Block>,
}

impl ResultsReader {
    pub(super) fn open(path: &Path, mut blocks: Vec<Block>) -> Result<Self, LedgerError> {
        blocks.sort_by_key(|block| block.first);
        let gone = |why| Err(LedgerError::ResultsGone { path: path.to_path_buf(), why });
        let mut file = None;
        if !blocks.is_empty() {
            let opened = match File::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return gone("are gone with their file"),
                opened => opened.and_then(|file| Ok((file.metadata()?.len(), file))),
            };
            let (length, opened) = opened.map_err(|source| io_error("read", path, source))?;
            // Before anything is printed, and before a number out of a damaged row becomes an allocation.
            if blocks.iter().any(|block| block.offset.saturating_add(block.length) > length) {
                return gone("are cut short");
            }
            file = Some(ReadAheadFile::new(opened));
        }
        let lines = blocks.iter().filter(|block| !block.is_list);
        if lines.clone().zip(lines.skip(1)).any(|(one, next)| one.first.saturating_add(one.count) > next.first) {
            return gone("are claimed by the ledger for the same item twice");
        }
        Ok(Self { path: path.to_path_buf(), file, blocks: blocks.into_iter() })
    }

    /// How many results there are, where each item has one; a list that a batched task returned counts as one.
    pub fn count(&self) -> u64 {
        self.blocks.as_slice().iter().map(|block| if block.is_list { 1 } else { block.count }).sum()
    }

    /// How large they are; the lists of batched tasks are read to be counted.
    ///
    /// # Errors
    /// Where the file cannot be read.
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
            size.bytes += bytes;
            size.count += count;
        }
        Ok(size)
    }

    /// Whether the file holds nothing but these lines, in this order.
    pub(super) fn is_whole_file(&self) -> bool {
        let mut end = 0;
        let in_order = self.blocks.as_slice().iter().all(|block| {
            let follows = block.offset == end && block.form == ResultForm::Lines;
            end += block.length;
            follows
        });
        in_order && std::fs::metadata(&self.path).is_ok_and(|data| data.len() == end)
    }

    /// The lines of a block; of a table, those that its rows give.
    fn read(&self, file: &ReadAheadFile, block: &Block) -> Result<Vec<u8>, LedgerError> {
        let bytes = self.bytes(file, block)?;
        match block.form {
            ResultForm::Lines => Ok(bytes),
            ResultForm::Arrow => match json_of_ipc(&bytes) {
                Ok(lines) => Ok(lines.text),
                Err(_) => {
                    Err(LedgerError::ResultsGone { path: self.path.clone(), why: "are no table that can be read" })
                }
            },
        }
    }

    fn bytes(&self, file: &ReadAheadFile, block: &Block) -> Result<Vec<u8>, LedgerError> {
        let length = usize::try_from(block.length).unwrap_or(usize::MAX);
        let bytes = file.read(block.offset, length).map_err(|source| io_error("read", &self.path, source))?;
        if !block.is_intact(&bytes) {
            let why = "are not those that were written";
            return Err(LedgerError::ResultsGone { path: self.path.clone(), why });
        }
        Ok(bytes)
    }

    /// The lines of the next block.
    ///
    /// # Errors
    /// Where the file cannot be read, or does not hold what was written.
    pub fn next_block(&mut self) -> Result<Option<Vec<u8>>, LedgerError> {
        let (Some(block), Some(file)) = (self.blocks.next(), &self.file) else { return Ok(None) };
        self.read(file, &block).map(Some)
    }

    /// Whether all of them are tables.
    pub fn are_tables(&self) -> bool {
        let blocks = self.blocks.as_slice();
        !blocks.is_empty() && blocks.iter().all(|block| block.form == ResultForm::Arrow)
    }

    /// The next block as it is written down: of tables, an Arrow IPC stream.
    ///
    /// # Errors
    /// Where the file cannot be read, or does not hold what was written.
    pub fn next_table(&mut self) -> Result<Option<Vec<u8>>, LedgerError> {
        let (Some(block), Some(file)) = (self.blocks.next(), &self.file) else { return Ok(None) };
        self.bytes(file, &block).map(Some)
    }

    /// Copies all lines to `out`.
    ///
    /// # Errors
    /// Where the file cannot be read; trouble with `out` comes back as the inner result.
    pub fn copy_to(mut self, out: &mut impl io::Write) -> Result<io::Result<()>, LedgerError> {
        while let Some(lines) = self.next_block()? {
            if let Err(error) = out.write_all(&lines) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// All lines as one JSON array.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn into_json_array(mut self) -> Result<Vec<u8>, LedgerError> {
        let mut array = vec![b'['];
        while let Some(mut lines) = self.next_block()? {
            // A line of JSON holds no raw newline, so each newline ends a result.
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
