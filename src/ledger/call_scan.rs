//! Reads the headers of a file of calls, and goes on after what is damaged.

use crate::model::ItemKey;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use xxhash_rust::xxh3::xxh3_64;

/// What a record begins with.
pub(super) const MARK: [u8; 4] = *b"bmr1";

/// The bytes of a header: mark, length, function, key, checksum of the result, checksum of what comes before it.
pub(super) const HEADER: usize = 4 + 4 + 2 * ItemKey::SIZE + 8 + 8;

/// How many bytes are read at a time.
const BLOCK: usize = 1 << 18;

/// Where a result is, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) key: ItemKey,
    pub(super) at: u64,
    pub(super) length: u32,
    pub(super) checksum: u64,
    /// The number of the next record with the same key.
    pub(super) next: Option<u32>,
}

/// Gives each record whose header is intact, with the fingerprint of its function. Returns where the last of them ends.
pub(super) fn scan(file: &File, mut found: impl FnMut(ItemKey, Record)) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut window = Window { file, bytes: Vec::new(), start: 0 };
    let (mut at, mut end) = (0, 0);
    while at + HEADER as u64 <= length {
        let header = window.get(at)?;
        match parse(header, at) {
            Some((function, record)) if record.at + u64::from(record.length) <= length => {
                at = record.at + u64::from(record.length);
                end = at;
                found(function, record);
            }
            // Not a header, or of a record that was never written to its end.
            _ => {
                let Some(next) = window.find_mark(at + 1)? else { break };
                at = next;
            }
        }
    }
    Ok(end)
}

fn parse(header: &[u8], at: u64) -> Option<(ItemKey, Record)> {
    let (mark, rest) = header.split_at_checked(4)?;
    let (length, rest) = rest.split_first_chunk()?;
    let (function, rest) = rest.split_first_chunk()?;
    let (key, rest) = rest.split_first_chunk()?;
    let (checksum, rest) = rest.split_first_chunk()?;
    let (own, _) = rest.split_first_chunk()?;
    if mark != MARK || xxh3_64(&header[..HEADER - 8]) != u64::from_le_bytes(*own) {
        return None;
    }
    let record = Record {
        key: ItemKey::from_bytes(*key),
        at: at + HEADER as u64,
        length: u32::from_le_bytes(*length),
        checksum: u64::from_le_bytes(*checksum),
        next: None,
    };
    Some((ItemKey::from_bytes(*function), record))
}

/// A part of the file.
struct Window<'a> {
    file: &'a File,
    bytes: Vec<u8>,
    start: u64,
}

impl Window<'_> {
    /// The bytes from here on: at least those of a header, unless the file ends before.
    fn get(&mut self, at: u64) -> io::Result<&[u8]> {
        let inside = |at: u64| usize::try_from(at.wrapping_sub(self.start)).ok().filter(|it| *it <= self.bytes.len());
        let from = match inside(at) {
            Some(from) if self.bytes.len() - from >= HEADER => from,
            _ => {
                self.read(at)?;
                0
            }
        };
        Ok(&self.bytes[from..])
    }

    fn read(&mut self, at: u64) -> io::Result<()> {
        self.bytes.resize(BLOCK, 0);
        let mut filled = 0;
        while filled < BLOCK {
            match self.file.read_at(&mut self.bytes[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes.truncate(filled);
        self.start = at;
        Ok(())
    }

    /// Where the next record may begin, from here on.
    fn find_mark(&mut self, mut at: u64) -> io::Result<Option<u64>> {
        loop {
            let bytes = self.get(at)?;
            if let Some(found) = memchr::memmem::find(bytes, &MARK) {
                return Ok(Some(at + found as u64));
            }
            if bytes.len() < HEADER {
                return Ok(None);
            }
            at += (bytes.len() - MARK.len() + 1) as u64;
        }
    }
}
