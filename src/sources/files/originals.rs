//! The text of rows exactly as in their files, where tasks get rewritten rows.

use super::meter::Meter;
use super::row_file::RowFile;
use crate::model::CsvDialect;
use crate::rows::record_end;
use crate::spec::RowsSpec;
use std::io::{self, Read};
use std::sync::Arc;

/// How much is read at a time.
const CHUNK: usize = 64 << 10;

/// Reads rows of files once more. Rows that are asked for in the order of files and lines are read in one go.
pub struct Originals {
    spec: RowsSpec,
    files: Vec<RowFile>,
    open: Option<OpenFile>,
}

/// A file that is being read.
struct OpenFile {
    name: Arc<str>,
    dialect: CsvDialect,
    text: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// How much of the buffer is used up, and the line that follows.
    start: usize,
    line: u64,
    ended: bool,
}

impl Originals {
    pub(in crate::sources) fn new(spec: RowsSpec, files: Vec<RowFile>) -> Self {
        Self { spec, files, open: None }
    }

    /// The record of a file that begins at this line; none if records of the file come to tasks as they are.
    ///
    /// # Errors
    /// If the file cannot be read any more, or has changed.
    pub fn record(&mut self, file: &str, line: u64) -> io::Result<Option<String>> {
        let is_open = |open: &OpenFile| &*open.name == file && open.line <= line;
        if !self.open.as_ref().is_some_and(is_open) {
            let Some(file) = self.files.iter().find(|other| &*other.name == file) else { return Ok(None) };
            let layout = file.layout(&self.spec)?;
            if !layout.rewrites() {
                return Ok(None);
            }
            let text = file.text(&self.spec, &Meter::default())?;
            self.open = Some(OpenFile {
                name: Arc::clone(&file.name),
                dialect: layout.dialect,
                text,
                buffer: Vec::new(),
                start: 0,
                line: 1,
                ended: false,
            });
        }
        self.open.as_mut().map(|open| open.record(line)).transpose()
    }
}

impl OpenFile {
    fn record(&mut self, line: u64) -> io::Result<String> {
        while self.line < line {
            self.skip_line()?;
        }
        loop {
            let rest = &self.buffer[self.start..];
            let end = if self.ended { Some(rest.len()) } else { None };
            if let Some(end) = record_end(&self.dialect, rest, self.ended).or(end) {
                return Ok(String::from_utf8_lossy(&rest[..end]).trim_end_matches(['\n', '\r']).to_owned());
            }
            self.fill()?;
        }
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let rest = &self.buffer[self.start..];
            match memchr::memchr2(b'\n', b'\r', rest) {
                // Whether a line feed follows is not known yet.
                Some(at) if rest[at] == b'\r' && at + 1 == rest.len() && !self.ended => {}
                Some(at) => {
                    self.start += at + 1 + usize::from(rest[at] == b'\r' && rest.get(at + 1) == Some(&b'\n'));
                    self.line += 1;
                    return Ok(());
                }
                None if self.ended => return Err(io::Error::other("it has fewer lines now")),
                None => {}
            }
            self.fill()?;
        }
    }

    /// Reads more: as much as there is, so that a long record is not looked at too often.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let old = self.buffer.len();
        let most = CHUNK.max(old) as u64;
        self.ended = (self.text.by_ref().take(most).read_to_end(&mut self.buffer)? as u64) < most;
        Ok(())
    }
}
