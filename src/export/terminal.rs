//! Results for a terminal, where people read them: what a terminal would obey is escaped.

use crate::model::OutputFormat;
use crate::text::{Printable, escape_json};
use std::fs::File;
use std::io::{self, Write};

/// Writes whole lines to a terminal.
pub(super) struct Terminal {
    file: File,
    format: OutputFormat,
    /// The incomplete line.
    line: Vec<u8>,
}

impl Terminal {
    /// A terminal that gets results in this format.
    pub(super) fn new(file: File, format: OutputFormat) -> Self {
        Self { file, format, line: Vec::new() }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(bytes);
        match self.format {
            // The same values, written otherwise.
            OutputFormat::Jsonl => self.file.write_all(escape_json(&text).as_bytes()),
            _ => self.file.write_all(Printable::lines(&*text).as_str().as_bytes()),
        }
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.line);
        self.put(&rest)
    }
}

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if let Some(end) = memchr::memrchr(b'\n', &self.line) {
            let rest = self.line.split_off(end + 1);
            let lines = std::mem::replace(&mut self.line, rest);
            self.put(&lines)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
