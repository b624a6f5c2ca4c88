//! The beginning of a file, read to find out how the file is laid out, and then read again as part of the whole.

use crate::rows::Cutter;
use crate::sources::{HEAD, decode};
use encoding_rs::Encoding;
use std::io::{self, Read};
use std::sync::Arc;

/// A file whose beginning was read.
pub(super) struct FileHead {
    bytes: Vec<u8>,
    /// Why reading the beginning ended early.
    error: Option<io::Error>,
    /// Whether nothing follows.
    whole: bool,
    rest: Box<dyn Read + Send>,
}

/// Gives an error once.
struct FailingReader(Option<io::Error>);

impl Read for FailingReader {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

impl FileHead {
    /// Reads the beginning.
    pub(super) fn read(mut rest: Box<dyn Read + Send>) -> Self {
        let mut bytes = Vec::new();
        let error = rest.by_ref().take(HEAD).read_to_end(&mut bytes).err();
        let whole = error.is_some() || (bytes.len() as u64) < HEAD;
        Self { bytes, error, whole, rest }
    }

    /// The beginning.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads as much again; false if nothing more follows, or if no record is that long.
    pub(super) fn read_more(&mut self) -> bool {
        let size = self.bytes.len() as u64;
        if self.whole || size > Cutter::LONGEST as u64 {
            return false;
        }
        self.error = self.rest.by_ref().take(size).read_to_end(&mut self.bytes).err();
        self.whole = self.error.is_some() || (self.bytes.len() as u64) < 2 * size;
        true
    }

    /// The text of the beginning, up to a line break if something follows.
    pub(super) fn sample(&self, encoding: &'static Encoding) -> io::Result<Arc<[u8]>> {
        let mut text = Vec::new();
        decode(Box::new(io::Cursor::new(self.bytes.clone())), encoding)?.read_to_end(&mut text)?;
        if !self.whole || self.error.is_some() {
            text.truncate(memchr::memrchr2(b'\n', b'\r', &text).map_or(0, |end| end + 1));
        }
        Ok(text.into())
    }

    /// Whether the beginning is all there is.
    pub(super) fn is_whole(&self) -> bool {
        self.whole && self.error.is_none()
    }

    /// Why the file cannot be read, if its beginning already tells.
    pub(super) fn into_error(self) -> Option<io::Error> {
        self.error
    }

    /// The whole file.
    pub(super) fn into_stream(self) -> Box<dyn Read + Send> {
        let head = io::Cursor::new(self.bytes);
        match self.error {
            Some(error) => Box::new(head.chain(FailingReader(Some(error)))),
            None => Box::new(head.chain(self.rest)),
        }
    }
}
