//! Results and targets for the tests of this module.

use super::results::Results;
use super::target::Target;
use crate::model::{OutputCompression, OutputFormat, OutputOptions};
use std::io;
use std::path::PathBuf;

/// A file that is written in the usual way.
pub(super) fn target(path: PathBuf, format: OutputFormat) -> Target {
    let (compression, options) = (OutputCompression::None, OutputOptions::default());
    Target { path, format, parts: false, compression, options }
}

/// Results in memory, given a few lines at a time.
pub(super) struct InMemory<'a> {
    lines: &'a str,
    read: usize,
}

impl<'a> InMemory<'a> {
    pub(super) fn new(lines: &'a str) -> Self {
        Self { lines, read: 0 }
    }
}

impl Results for InMemory<'_> {
    fn rewind(&mut self) -> io::Result<()> {
        self.read = 0;
        Ok(())
    }

    fn next_piece(&mut self, piece: &mut Vec<u8>) -> io::Result<bool> {
        let rest = &self.lines[self.read..];
        let end = rest.match_indices('\n').nth(2).map_or(rest.len(), |(at, _)| at + 1);
        piece.clear();
        piece.extend_from_slice(&rest.as_bytes()[..end]);
        self.read += end;
        Ok(end > 0)
    }
}
