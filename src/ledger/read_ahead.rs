//! A file that is read in many small pieces, most of them close to an earlier one.
//!
//! Slots wrote the results in parallel, and some items ran later than their neighbours. So in item order, results come
//! from a few places of the file, each of which moves forward. Always holds: the bytes read unnecessarily are at most a
//! few times those requested, whatever the order.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How many parts of the file are kept in memory.
const BUFFERS: usize = 4;

/// The minimum number of bytes to read at a time.
const MIN_SIZE: usize = 4 << 10;

/// The maximum number of bytes to read at a time.
const MAX_SIZE: usize = 1 << 20;

/// A file with some parts of it in memory: a million pieces of one line each are not a million system calls.
pub(super) struct ReadAheadFile<F = File> {
    file: F,
    /// The most recently used part comes first.
    buffers: RefCell<[Buffer; BUFFERS]>,
}

/// A part of the file.
struct Buffer {
    start: u64,
    bytes: Vec<u8>,
    /// How many bytes of it were requested.
    used: usize,
    /// How many bytes were read into it, or will be at first.
    size: usize,
}

impl<F: FileExt> ReadAheadFile<F> {
    pub(super) fn new(file: F) -> Self {
        let buffer = || Buffer { start: 0, bytes: Vec::new(), used: 0, size: 64 << 10 };
        Self { file, buffers: RefCell::new(std::array::from_fn(|_| buffer())) }
    }

    /// Reads `length` bytes at `offset`.
    pub(super) fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut buffers = self.buffers.borrow_mut();
        let found = buffers.iter().position(|buffer| buffer.get(offset, length).is_some());
        if found.is_none() && length >= MAX_SIZE / 4 {
            let mut bytes = vec![0; length];
            self.file.read_exact_at(&mut bytes, offset)?;
            return Ok(bytes);
        }
        buffers[..=found.unwrap_or(BUFFERS - 1)].rotate_right(1);
        let buffer = &mut buffers[0];
        if found.is_none() {
            buffer.fill(&self.file, offset, length)?;
        }
        let bytes = buffer.get(offset, length).ok_or(io::ErrorKind::UnexpectedEof)?.to_vec();
        buffer.used += length;
        Ok(bytes)
    }
}

impl Buffer {
    fn get(&self, offset: u64, length: usize) -> Option<&[u8]> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..from.checked_add(length)?)
    }

    /// Reads these bytes and those around them: more than last time if much of that was used, less if it was not.
    fn fill(&mut self, file: &impl FileExt, offset: u64, length: usize) -> io::Result<()> {
        self.size = if self.used * 4 < self.bytes.len() { self.size / 4 } else { self.size * 2 };
        self.size = self.size.clamp(MIN_SIZE, MAX_SIZE);
        // Neighbours that finished earlier are before it.
        self.start = offset.saturating_sub(self.size as u64 / 4);
        let before = usize::try_from(offset - self.start).expect("it is at most a quarter of the size");
        self.bytes.resize(before + length.max(self.size - before), 0);
        self.used = 0;
        let mut filled = 0;
        while filled < self.bytes.len() {
            match file.read_at(&mut self.bytes[filled..], self.start + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes.truncate(filled);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A file in memory that counts what is read of it.
    struct Counted {
        bytes: Vec<u8>,
        calls: Cell<usize>,
        read: Cell<usize>,
    }

    impl FileExt for Counted {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let rest = self.bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
            let read = rest.len().min(buffer.len());
            buffer[..read].copy_from_slice(&rest[..read]);
            self.calls.set(self.calls.get() + 1);
            self.read.set(self.read.get() + read);
            Ok(read)
        }

        fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    fn file(size: usize) -> ReadAheadFile<Counted> {
        let bytes = (0..size).map(|number| (number % 251) as u8).collect();
        ReadAheadFile::new(Counted { bytes, calls: Cell::new(0), read: Cell::new(0) })
    }

    #[test]
    fn every_piece_is_the_one_that_was_asked_for() {
        let file = file(3_000_000);
        let wanted = [(0, 10), (2_000_000, 400_000), (1_500_000, 7), (1_400_000, 90_000), (2_999_990, 10), (5, 0)];
        for (offset, length) in wanted {
            assert_eq!(file.read(offset as u64, length).unwrap(), file.file.bytes[offset..offset + length]);
        }
        assert!(file.read(2_999_991, 10).is_err() && file.read(4_000_000, 1).is_err());
    }

    /// Reads pieces of eight bytes with these numbers; gives calls, and bytes for each byte that was asked for.
    fn cost(file: &ReadAheadFile<Counted>, pieces: impl Iterator<Item = u64>) -> (usize, usize) {
        let wanted: usize = pieces.map(|piece| file.read(piece * 8, 8).unwrap().len()).sum();
        (file.file.calls.get(), file.file.read.get() / wanted)
    }

    #[test]
    fn places_that_move_forward_are_read_ahead_of() {
        let (half, file) = (150_000, file(300_000 * 8));
        let (calls, factor) = cost(&file, (0..half).flat_map(|piece| [piece, half + piece]));
        assert!(calls < 50 && factor <= 2, "{calls} calls, {factor} bytes for one");
    }

    #[test]
    fn pieces_in_no_order_are_read_alone() {
        let (count, file) = (300_000, file(300_000 * 8));
        let (calls, factor) = cost(&file, (0..count).map(|piece| piece * 7919 % count));
        assert!(calls < 301_000 && factor <= MIN_SIZE / 8, "{calls} calls, {factor} bytes for one");
    }
}
