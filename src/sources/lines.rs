//! `{lines:}`: each line of a UTF-8 file is an item, a string. Empty lines are skipped. The file is read as the step runs.

use super::chunk::Chunk;
use super::error::SourceError;
use super::files::{Input, Meter, Purpose, grown, is_stopped};
use super::source::{Reread, Source};
use crate::model::{self, ItemKey, Text};
use crate::template::{ItemScope, Template};
use crossbeam_channel::Receiver;
use std::convert::Infallible;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;

pub(super) struct Lines {
    path: PathBuf,
    stop: Receiver<Infallible>,
    reader: BufReader<Box<dyn Read + Send>>,
    is_stream: bool,
    meter: Meter,
    line: Vec<u8>,
    number: usize,
}

pub(super) fn open(path: &Text, scope: &Arc<ItemScope>, stop: &Receiver<Infallible>) -> Result<Lines, SourceError> {
    let path = PathBuf::from(Template::compile(path)?.string(scope)?);
    let mut lines = Lines {
        path,
        stop: stop.clone(),
        reader: BufReader::new(Box::new(io::empty())),
        is_stream: false,
        meter: Meter::default(),
        line: Vec::new(),
        number: 0,
    };
    lines.begin()?;
    Ok(lines)
}

impl Lines {
    /// Opens the file. Only a file that was opened again counts as read again, because its size may differ.
    fn begin(&mut self) -> Result<(), SourceError> {
        let input = Input::of(&self.path, self.path.metadata().ok().as_ref(), &self.stop);
        self.is_stream = input.is_stream();
        self.meter.reset();
        let opened = input.open(&self.path, Purpose::Read, &self.meter);
        let opened = opened.map_err(|source| SourceError::Read { path: self.path.clone(), source })?;
        (self.reader, self.number) = (BufReader::with_capacity(1 << 20, opened), 0);
        Ok(())
    }

    fn failed(&self, source: io::Error) -> SourceError {
        if is_stopped(&source) { SourceError::Stopped } else { SourceError::Read { path: self.path.clone(), source } }
    }
}

impl Source for Lines {
    fn total(&self) -> Option<u64> {
        None
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        /// A byte order mark, which some editors put before the first line.
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        let mut items = model::Items::default();
        while items.len() < most && !items.is_full() {
            self.line.clear();
            let read = self.reader.read_until(b'\n', &mut self.line);
            if read.map_err(|source| self.failed(source))? == 0 {
                break;
            }
            self.number += 1;
            let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
            let line = if self.number == 1 { line.strip_prefix(MARK).unwrap_or(line) } else { line };
            if let Some(json) = item(line, self.number, &self.path.display().to_string())? {
                items.push(&json);
            }
        }
        Ok(Chunk::of_json(items, ItemKey::of))
    }

    fn may_wait(&self) -> bool {
        self.is_stream
    }

    fn at_hand(&mut self, most: usize) -> usize {
        if self.is_stream { memchr::memchr_iter(b'\n', self.reader.buffer()).take(most).count() } else { most }
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        if self.is_stream {
            return Ok(Reread::Once);
        }
        self.begin()?;
        Ok(Reread::Ready)
    }

    fn notices(&self) -> Vec<String> {
        self.meter.has_grown().then(|| grown(&self.path.display().to_string())).into_iter().collect()
    }
}

/// A line as an item; none if it is empty.
pub(super) fn item(line: &[u8], number: usize, of: &str) -> Result<Option<Vec<u8>>, SourceError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(line).map_err(|_| SourceError::NotUtf8(format!("line {number} of `{of}`")))?;
    // Exactly as much as most need: a list may hold millions of them.
    let mut item = Vec::with_capacity(text.len() + 2);
    serde_json::to_writer(&mut item, text).expect("a string is always JSON and a vector takes it");
    Ok(Some(item))
}
