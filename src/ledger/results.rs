//! Results in item order, read from a file that was written in completion order.

use super::batches::lines_hash;
use super::error::LedgerError;
use super::folder::io_error;
use super::window::Window;
use crate::columnar::json_of_ipc;
use crate::model::{ResultForm, ResultsSize};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Neighbouring lines of a results file that belong to neighbouring items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// Index of the first item.
    pub(super) first: u64,
    /// How many items; 1 per line, except for the list that a batched task returned.
    pub(super) count: u64,
    /// Whether the lines are such a list.
    pub(super) list: bool,
    /// Whether they are lines at all, or a table.
    pub(super) form: ResultForm,
    /// Where the first line begins.
    pub(super) offset: u64,
    /// Length in bytes.
    pub(super) length: u64,
    /// The hash of the lines; none where they were compared before.
    pub(super) hash: Option<u64>,
}

impl Piece {
    fn owns(&self, lines: &[u8]) -> bool {
        let count = memchr::memchr_iter(b'\n', lines).count() as u64;
        self.hash.is_none_or(|hash| lines_hash(lines) == hash) && (self.list || count == self.count)
    }
}

/// The results of a step, in item order, piece by piece: memory holds one piece at a time.
pub struct ResultLines {
    path: PathBuf,
    file: Option<Window>,
    pieces: std::vec::IntoIter<Piece>,
}

impl ResultLines {
    pub(super) fn open(path: &Path, mut pieces: Vec<Piece>) -> Result<Self, LedgerError> {
        pieces.sort_by_key(|piece| piece.first);
        let gone = |why| Err(LedgerError::ResultsGone { path: path.to_path_buf(), why });
        let mut file = None;
        if !pieces.is_empty() {
            let opened = match File::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return gone("are gone with their file"),
                opened => opened.and_then(|file| Ok((file.metadata()?.len(), file))),
            };
            let (length, opened) = opened.map_err(|source| io_error("read", path, source))?;
            // Before anything is printed, and before a number out of a damaged row becomes an allocation.
            if pieces.iter().any(|piece| piece.offset.saturating_add(piece.length) > length) {
                return gone("are cut short");
            }
            file = Some(Window::new(opened));
        }
        let lines = pieces.iter().filter(|piece| !piece.list);
        if lines.clone().zip(lines.skip(1)).any(|(one, next)| one.first.saturating_add(one.count) > next.first) {
            return gone("are claimed by the ledger for the same item twice");
        }
        Ok(Self { path: path.to_path_buf(), file, pieces: pieces.into_iter() })
    }

    /// How many results there are, where each item has one; a list that a batched task returned counts as one.
    pub fn count(&self) -> u64 {
        self.pieces.as_slice().iter().map(|piece| if piece.list { 1 } else { piece.count }).sum()
    }

    /// How large they are; the lists of batched tasks are read to be counted.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn size(&self) -> Result<ResultsSize, LedgerError> {
        let mut size = ResultsSize { count: 0, bytes: 0 };
        for piece in self.pieces.as_slice() {
            let (bytes, count) = match &self.file {
                Some(file) if piece.list => {
                    let lines = self.read(file, piece)?;
                    (lines.len() as u64, memchr::memchr_iter(b'\n', &lines).count() as u64)
                }
                _ => (piece.length, piece.count),
            };
            size.bytes += bytes;
            size.count += count;
        }
        Ok(size)
    }

    /// Whether the file holds nothing but these lines, in this order.
    pub(super) fn are_the_file(&self) -> bool {
        let mut end = 0;
        let in_order = self.pieces.as_slice().iter().all(|piece| {
            let follows = piece.offset == end && piece.form == ResultForm::Lines;
            end += piece.length;
            follows
        });
        in_order && std::fs::metadata(&self.path).is_ok_and(|data| data.len() == end)
    }

    /// The lines of a piece; of a table, those that its rows give.
    fn read(&self, file: &Window, piece: &Piece) -> Result<Vec<u8>, LedgerError> {
        let bytes = self.bytes(file, piece)?;
        match piece.form {
            ResultForm::Lines => Ok(bytes),
            ResultForm::Arrow => match json_of_ipc(&bytes) {
                Ok(lines) => Ok(lines.text),
                Err(_) => {
                    Err(LedgerError::ResultsGone { path: self.path.clone(), why: "are no table that can be read" })
                }
            },
        }
    }

    fn bytes(&self, file: &Window, piece: &Piece) -> Result<Vec<u8>, LedgerError> {
        let length = usize::try_from(piece.length).unwrap_or(usize::MAX);
        let bytes = file.read(piece.offset, length).map_err(|source| io_error("read", &self.path, source))?;
        if !piece.owns(&bytes) {
            let why = "are not those that were written";
            return Err(LedgerError::ResultsGone { path: self.path.clone(), why });
        }
        Ok(bytes)
    }

    /// The next piece: index of its first item, whether it is a list of a batched task, and its lines.
    ///
    /// # Errors
    /// Where the file cannot be read, or does not hold what was written.
    pub fn next_piece(&mut self) -> Result<Option<(u64, bool, Vec<u8>)>, LedgerError> {
        let (Some(piece), Some(file)) = (self.pieces.next(), &self.file) else { return Ok(None) };
        Ok(Some((piece.first, piece.list, self.read(file, &piece)?)))
    }

    /// Whether all of them are tables.
    pub fn are_tables(&self) -> bool {
        let pieces = self.pieces.as_slice();
        !pieces.is_empty() && pieces.iter().all(|piece| piece.form == ResultForm::Arrow)
    }

    /// The next piece as it is written down: of tables, an Arrow IPC stream.
    ///
    /// # Errors
    /// Where the file cannot be read, or does not hold what was written.
    pub fn next_table(&mut self) -> Result<Option<Vec<u8>>, LedgerError> {
        let (Some(piece), Some(file)) = (self.pieces.next(), &self.file) else { return Ok(None) };
        self.bytes(file, &piece).map(Some)
    }

    /// Copies all lines to `out`.
    ///
    /// # Errors
    /// Where the file cannot be read; trouble with `out` comes back as the inner result.
    pub fn copy_to(mut self, out: &mut impl io::Write) -> Result<io::Result<()>, LedgerError> {
        while let Some((_, _, lines)) = self.next_piece()? {
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
    pub fn to_json_array(mut self) -> Result<Vec<u8>, LedgerError> {
        let mut array = vec![b'['];
        while let Some((_, _, mut lines)) = self.next_piece()? {
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
