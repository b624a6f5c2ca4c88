//! Whole records of a buffer, read in place.

use crate::model::line_breaks;

/// Whole records in the buffer, empty lines included.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// The records, each with its line break.
    pub bytes: &'a [u8],
    /// Where each ends.
    pub ends: &'a [usize],
    /// The line at which the first record begins, from 1.
    pub line: u64,
    /// Whether each record is one line.
    pub(super) flat: bool,
}

impl<'a> Block<'a> {
    /// The records, and where each begins.
    pub fn records(self) -> impl Iterator<Item = (usize, &'a [u8])> {
        let mut from = 0;
        self.ends.iter().map(move |end| {
            let begin = std::mem::replace(&mut from, *end);
            (begin, &self.bytes[begin..*end])
        })
    }

    /// The line of the record that begins there.
    pub fn line_at(&self, begin: usize) -> u64 {
        self.line + if self.flat { self.before(begin) } else { line_breaks(&self.bytes[..begin]) }
    }

    /// How many records come before the one that begins there.
    fn before(&self, begin: usize) -> u64 {
        self.ends.partition_point(|end| *end <= begin) as u64
    }
}
