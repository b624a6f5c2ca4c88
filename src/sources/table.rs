//! `{csv:}` and `{jsonl:}`: each row of some files is an item, its text as it stands in the file; it is read where it is used.
//! `{parquet:}` is in a file of its own.
//!
//! Files are looked at when the source is opened: headers are compared, types inferred. They are read as the step goes on, one
//! after another. A file that cannot be read is an item too, a failed one, so nothing is passed over in silence.

mod header;
mod parquet;

pub(crate) use header::columns_of;

use super::Request;
use super::files::{Meter, RowFile, describe, expand};
use super::resolve;
use super::{Chunk, Source, SourceError, content_key};
use crate::model::{Failure, FailureKind, Form, ItemKey, Items, Keys, LineNumbers, Origin};
use crate::rows::{Cut, Cutter};
use crate::spec::{OnBadRow, RowFormat, RowsSpec};
use crate::template::{ItemScope, Template};
use header::Headers;
use parquet::Parquet;
use std::io;
use std::sync::Arc;

/// Rows of files.
pub(super) struct Table {
    spec: RowsSpec,
    files: Vec<RowFile>,
    headers: Headers,
    skip: u64,
    limit: u64,
    at: Place,
}

/// Where reading stands.
#[derive(Default)]
struct Place {
    /// The file, and what cuts it once it is open.
    file: usize,
    cutter: Option<Cutter>,
    /// What was read of the file.
    meter: Meter,
    /// Bytes of the file that belong to what was given out, and those before that belong to nothing yet.
    done: u64,
    carried: u64,
    /// Rows of the file so far.
    row: u64,
    /// Rows so far that were passed over, and that were given out.
    skipped: u64,
    given: u64,
}

pub(super) fn open(spec: &RowsSpec, scope: &Arc<ItemScope>) -> Result<Box<dyn Source>, SourceError> {
    let paths = spec.paths.iter().map(|text| Template::compile(text)?.string(scope)).collect::<Result<Vec<_>, _>>()?;
    let files = expand(paths)?;
    let (skip, limit) = bounds(spec, scope)?;
    if spec.format == RowFormat::Parquet {
        return Ok(Box::new(Parquet::open(spec, files, skip, limit)?));
    }
    let headers = Headers::read(spec, &files)?;
    Ok(Box::new(Table { spec: spec.clone(), files, headers, skip, limit, at: Place::default() }))
}

/// How many rows are passed over, and how many are given out at most.
fn bounds(spec: &RowsSpec, scope: &Arc<ItemScope>) -> Result<(u64, u64), SourceError> {
    let limit = match &spec.limit {
        Some(limit) => resolve("limit", limit, scope).map_err(SourceError::Setting)?.get() as u64,
        None => u64::MAX,
    };
    let skip = match &spec.skip {
        Some(skip) => {
            let skip = resolve("skip", skip, scope).map_err(SourceError::Setting)?;
            u64::try_from(skip).map_err(|_| SourceError::Setting("`skip` must not be negative".to_owned()))?
        }
        None => 0,
    };
    Ok((skip, limit))
}

impl Source for Table {
    fn total(&self) -> Option<u64> {
        None
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        while self.at.given < self.limit {
            if self.at.file >= self.files.len() {
                return Ok(None);
            }
            let most = usize::try_from(self.limit - self.at.given).unwrap_or(usize::MAX).min(most);
            let file_error = match self.headers.file_error(self.at.file) {
                Some(file_error) => file_error.to_owned(),
                None => match self.rows(most) {
                    Ok(Some(chunk)) => return Ok(Some(chunk)),
                    Ok(None) => {
                        self.next_file();
                        continue;
                    }
                    Err(error) => describe(&error),
                },
            };
            let chunk = bad_file(&self.files[self.at.file], &file_error);
            self.next_file();
            let chunk = Chunk { bytes: std::mem::take(&mut self.at.carried), ..chunk };
            self.at.given += 1;
            return Ok(Some(chunk));
        }
        Ok(None)
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        self.at = Place::default();
        Ok(())
    }

    fn compare_content(&mut self) {
        know_by_content(&mut self.files);
    }

    fn forms(&self) -> Arc<[Form]> {
        self.headers.forms()
    }

    fn bytes(&self) -> Option<u64> {
        (self.limit == u64::MAX).then(|| self.files.iter().map(|file| file.size).sum())
    }

    fn survey(&self) -> Option<Request> {
        let troubled = (0..self.files.len()).map(|file| self.headers.file_error(file).is_some()).collect();
        Some(Request::of_source(&self.spec, self.files.clone(), troubled, (self.skip, self.limit)))
    }

    fn on_bad_row(&self) -> OnBadRow {
        self.spec.on_bad_row
    }
}

impl Table {
    fn next_file(&mut self) {
        self.at.carried += self.files[self.at.file].size.saturating_sub(self.at.done);
        self.at.file += 1;
        (self.at.cutter, self.at.row, self.at.done) = (None, 0, 0);
    }

    /// The next rows of the file; none at its end.
    fn rows(&mut self, most: usize) -> io::Result<Option<Chunk>> {
        let file = &self.files[self.at.file];
        if self.at.cutter.is_none() {
            self.at.meter.reset();
            let mut cutter = file.cutter(&self.spec, &self.at.meter)?;
            if self.headers.is_in_file() {
                cutter.cut(1)?;
            }
            self.at.cutter = Some(cutter);
        }
        let cutter = self.at.cutter.as_mut().expect("it was just opened");
        while self.at.skipped < self.skip {
            let most = usize::try_from(self.skip - self.at.skipped).unwrap_or(usize::MAX).min(64);
            let passed = cutter.cut(most)?.items.len() as u64;
            if passed == 0 {
                return Ok(None);
            }
            self.at.skipped += passed;
            self.at.row += passed;
        }
        let Cut { items, line } = cutter.cut(most)?;
        if items.is_empty() {
            return Ok(None);
        }
        let count = items.len();
        let keys = Keys::Run(ItemKey::of_row(file.key, self.at.row), count);
        self.at.row += count as u64;
        self.at.given += count as u64;
        let origin = Some(Origin { file: Arc::clone(&file.name), lines: LineNumbers::From(line) });
        // Below a decoder nobody knows which bytes a row is made of: those that were read for it are counted.
        let done = if file.is_direct(&self.spec) { cutter.taken() } else { self.at.meter.read() };
        let bytes = std::mem::take(&mut self.at.carried) + (done - self.at.done);
        self.at.done = done;
        let form = self.headers.form(self.at.file);
        Ok(Some(Chunk { items, keys, indexes: None, form, origin, bytes, file_error: None }))
    }
}

/// Knows the rows of files by what is in them, not by size and time of change.
fn know_by_content(files: &mut [RowFile]) {
    for file in files {
        file.key = content_key(file.name.as_bytes(), &file.path).unwrap_or(file.key);
    }
}

/// What stands for a file that cannot be read, or not be read on.
fn bad_file(file: &RowFile, file_error: &str) -> Chunk {
    let mut items = Items::default();
    items.push(serde_json::json!({ "file": file.name }).to_string().as_bytes());
    let failure = Failure::new(FailureKind::BadRow, "BadFile", format!("{}: {file_error}", file.name));
    let keys = Keys::List(vec![ItemKey::of(format!("{} cannot be read", file.name).as_bytes())]);
    Chunk { items, keys, indexes: None, form: 0, origin: None, bytes: 0, file_error: Some(failure) }
}
