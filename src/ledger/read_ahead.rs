//! A file that is read in many small pieces, most of them near the one before.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes read ahead: far more than what slots that work side by side put between neighbouring items.
const AHEAD: usize = 1 << 20;

/// A file, with a part of it held in memory: a million batches of one line each are not a million calls of the system.
pub(super) struct ReadAheadFile {
    file: File,
    part: RefCell<Part>,
}

/// The part in memory, and where the last read was.
#[derive(Default)]
struct Part {
    start: u64,
    held: Vec<u8>,
    last: u64,
}

impl ReadAheadFile {
    pub(super) fn new(file: File) -> Self {
        Self { file, part: RefCell::default() }
    }

    /// Reads `length` bytes at `offset`.
    pub(super) fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut part = self.part.borrow_mut();
        let near = offset.abs_diff(std::mem::replace(&mut part.last, offset)) < AHEAD as u64;
        // Reading ahead of a jump would be in vain: in a file in no order at all, each piece is one.
        if length >= AHEAD / 4 || !near && part.within(offset, length).is_none() {
            let mut bytes = vec![0; length];
            self.file.read_exact_at(&mut bytes, offset)?;
            return Ok(bytes);
        }
        if part.within(offset, length).is_none() {
            // Neighbours that ended first stand before.
            part.start = offset.saturating_sub(AHEAD as u64 / 4);
            part.fill(&self.file)?;
        }
        let within = part.within(offset, length);
        within.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Part {
    fn within(&self, offset: u64, length: usize) -> Option<&[u8]> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.held.get(from..from.checked_add(length)?)
    }

    fn fill(&mut self, file: &File) -> io::Result<()> {
        self.held.resize(AHEAD, 0);
        let mut filled = 0;
        while filled < AHEAD {
            match file.read_at(&mut self.held[filled..], self.start + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.held.truncate(filled);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn every_piece_is_the_one_that_was_asked_for() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
        file.write_all(&bytes).unwrap();
        let file = ReadAheadFile::new(file);
        for (offset, length) in [(0, 10), (2_000_000, 400_000), (1_500_000, 7), (1_400_000, 7), (2_999_990, 10), (5, 0)]
        {
            assert_eq!(file.read(offset as u64, length).unwrap(), bytes[offset..offset + length]);
        }
        assert!(file.read(2_999_991, 10).is_err() && file.read(4_000_000, 1).is_err());
    }
}
