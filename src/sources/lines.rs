//! `{lines:}`: each line of a UTF-8 file is an item, a string. Empty lines are skipped. The file is read as the step runs.

use super::chunk::Chunk;
use super::error::SourceError;
use super::source::{Reread, Source};
use crate::model::{self, ItemKey, Text};
use crate::template::{ItemScope, Template};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: usize,
}

pub(super) fn open(path: &Text, scope: &Arc<ItemScope>) -> Result<Lines, SourceError> {
    let path = PathBuf::from(Template::compile(path)?.string(scope)?);
    let reader = reader(&path)?;
    Ok(Lines { path, reader, line: Vec::new(), number: 0 })
}

fn reader(path: &Path) -> Result<BufReader<File>, SourceError> {
    let file = File::open(path).map_err(|source| SourceError::Read { path: path.to_path_buf(), source })?;
    Ok(BufReader::with_capacity(1 << 20, file))
}

impl Source for Lines {
    fn total(&self) -> Option<u64> {
        None
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        let mut items = model::Items::default();
        while items.len() < most && !items.is_full() {
            self.line.clear();
            let read = self.reader.read_until(b'\n', &mut self.line);
            if read.map_err(|source| SourceError::Read { path: self.path.clone(), source })? == 0 {
                break;
            }
            self.number += 1;
            let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
            if let Some(json) = item(line, self.number, &self.path.display().to_string())? {
                items.push(&json);
            }
        }
        Ok(Chunk::of_json(items, ItemKey::of))
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        (self.reader, self.number) = (reader(&self.path)?, 0);
        Ok(Reread::Ready)
    }
}

/// A line as an item; none if it is empty.
pub(super) fn item(line: &[u8], number: usize, of: &str) -> Result<Option<Vec<u8>>, SourceError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(line).map_err(|_| SourceError::NotUtf8(format!("line {number} of `{of}`")))?;
    Ok(Some(serde_json::to_vec(text).expect("a string is always JSON and a vector takes it")))
}
