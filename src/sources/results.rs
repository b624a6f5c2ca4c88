//! The results of an earlier step: each line of their file is an item. The file is read as the step runs.

use super::chunk::Chunk;
use super::error::SourceError;
use super::source::{Reread, Source};
use crate::model::{self, ItemKey, Text};
use crate::template::{ItemScope, Template};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::path::PathBuf;

pub(super) struct Results {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
    total: u64,
    given: u64,
}

/// The results that a template refers to; none unless it is a single reference to the results of a batch step.
pub(super) fn open(text: &Text, scope: &ItemScope) -> Result<Option<Results>, SourceError> {
    let name = Template::compile(text)?.listed_results_name();
    let Some(step) = name.as_ref().and_then(|name| name.of(&scope.step)) else { return Ok(None) };
    // Without a file, for example because the folder is not writable, the results may still be read as a list.
    let Ok(results) = step.stored.file() else { return Ok(None) };
    let file = File::open(&results.path);
    let file = file.map_err(|source| SourceError::Read { path: results.path.clone(), source })?;
    let reader = BufReader::with_capacity(1 << 20, file);
    Ok(Some(Results { path: results.path, reader, line: Vec::new(), total: results.count, given: 0 }))
}

impl Source for Results {
    fn total(&self) -> Option<u64> {
        Some(self.total)
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        let mut items = model::Items::default();
        while items.len() < most && !items.is_full() {
            self.line.clear();
            let read = self.reader.read_until(b'\n', &mut self.line);
            if read.map_err(|source| SourceError::Read { path: self.path.clone(), source })? == 0 {
                break;
            }
            items.push(self.line.strip_suffix(b"\n").unwrap_or(&self.line));
        }
        self.given += items.len() as u64;
        if items.is_empty() && self.given != self.total {
            let cause = format!("it has {} results, but {} were written", self.given, self.total);
            return Err(SourceError::Read { path: self.path.clone(), source: io::Error::other(cause) });
        }
        Ok(Chunk::of_json(items, ItemKey::of))
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        self.reader.rewind().map_err(|source| SourceError::Read { path: self.path.clone(), source })?;
        self.given = 0;
        Ok(Reread::Ready)
    }
}
