//! Rows of CSV and JSON Lines files. An item is the unchanged text of its row, to be parsed where it is used.

use super::bad_file::bad_file;
use super::headers::Headers;
use crate::model::{Form, ItemKey, Keys, LineNumbers, Origin};
use crate::rows::{Cut, Cutter};
use crate::sources::chunk::Chunk;
use crate::sources::error::SourceError;
use crate::sources::files::{Meter, Originals, RowFile, grown, is_stopped, read_error};
use crate::sources::source::{Reread, Source};
use crate::sources::survey_request::{ReadingOptions, SurveyRequest};
use crate::sources::window::RowWindow;
use crate::spec::{Header, OnBadRow, RowFormat, RowsSpec};
use std::io;
use std::sync::Arc;

/// Rows of CSV and JSON Lines files.
pub(super) struct TextRows {
    spec: RowsSpec,
    files: Vec<RowFile>,
    headers: Headers,
    window: RowWindow,
    at: ReadPosition,
    /// Files that have grown since they were opened.
    grown: Vec<Arc<str>>,
}

/// How far reading has come.
#[derive(Default)]
struct ReadPosition {
    /// The file, and what cuts it into rows once it is open.
    file: usize,
    cutter: Option<Cutter>,
    /// How much of the file was read.
    meter: Meter,
    /// Bytes of the file that have been counted with its rows, and bytes of earlier files that are still to be counted.
    counted: u64,
    carried: u64,
    /// Rows of the file so far.
    row: u64,
    /// Rows of all files so far that were skipped, and that were given.
    skipped: u64,
    given: u64,
}

impl Source for TextRows {
    fn total(&self) -> Option<u64> {
        None
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        while self.at.given < self.window.limit {
            if self.at.file >= self.files.len() {
                return Ok(None);
            }
            let most = usize::try_from(self.window.limit - self.at.given).unwrap_or(usize::MAX).min(most);
            let file_error = match self.headers.file_error(self.at.file) {
                Some(file_error) => file_error.clone(),
                None => match self.rows(most) {
                    Ok(Some(chunk)) => return Ok(Some(chunk)),
                    Ok(None) => {
                        self.next_file();
                        continue;
                    }
                    Err(error) if is_stopped(&error) => return Err(SourceError::Stopped),
                    Err(error) => read_error(&error).into(),
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

    fn may_wait(&self) -> bool {
        self.files.iter().any(|file| file.input.is_stream())
    }

    fn at_hand(&mut self, most: usize) -> usize {
        match (self.files.get(self.at.file), &self.at.cutter) {
            (Some(file), cutter) if file.input.is_stream() => cutter.as_ref().map_or(0, |cutter| cutter.at_hand(most)),
            _ => most,
        }
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        if self.files.iter().any(|file| file.input.is_used_up()) {
            return Ok(Reread::Once);
        }
        self.at = ReadPosition::default();
        self.grown.clear();
        Ok(Reread::Ready)
    }

    fn compare_content(&mut self) {
        self.files.iter_mut().for_each(RowFile::compare_content);
    }

    fn forms(&self) -> Arc<[Form]> {
        self.headers.forms()
    }

    fn bytes(&self) -> Option<u64> {
        let is_known = self.window.limit == u64::MAX && !self.files.iter().any(|file| file.input.is_stream());
        is_known.then(|| self.files.iter().map(|file| file.size).sum())
    }

    fn survey(&self) -> Option<SurveyRequest> {
        if self.files.iter().any(|file| file.input.is_used_up()) {
            return None;
        }
        Some(SurveyRequest {
            files: self.files.clone(),
            options: ReadingOptions::of(&self.spec),
            unreadable: (0..self.files.len()).map(|file| self.headers.file_error(file).is_some()).collect(),
            window: self.window,
        })
    }

    fn originals(&self) -> Option<Originals> {
        Some(Originals::new(self.spec.clone(), self.files.clone()))
    }

    fn on_bad_row(&self) -> OnBadRow {
        self.spec.on_bad_row
    }

    fn notices(&self) -> Vec<String> {
        let notice = self.headers.notice().map(str::to_owned);
        notice.into_iter().chain(self.grown.iter().map(|file| grown(file))).collect()
    }
}

impl TextRows {
    /// The rows of files whose headers were read.
    pub(super) fn new(spec: RowsSpec, files: Vec<RowFile>, headers: Headers, window: RowWindow) -> Self {
        Self { spec, files, headers, window, at: ReadPosition::default(), grown: Vec::new() }
    }

    fn next_file(&mut self) {
        if self.at.cutter.is_some() && self.at.meter.has_grown() {
            self.grown.push(Arc::clone(&self.files[self.at.file].name));
        }
        self.at.carried += self.files[self.at.file].size.saturating_sub(self.at.counted);
        self.at.file += 1;
        (self.at.cutter, self.at.row, self.at.counted) = (None, 0, 0);
    }

    /// The next rows of the file; none at its end.
    fn rows(&mut self, most: usize) -> io::Result<Option<Chunk>> {
        let file = &self.files[self.at.file];
        if self.at.cutter.is_none() {
            self.at.meter.reset();
            let mut cutter = file.cutter(&self.spec, &self.at.meter)?;
            if self.spec.format == RowFormat::Csv && file.layout(&self.spec)?.header == Header::First {
                cutter.cut(1)?;
            }
            self.at.cutter = Some(cutter);
        }
        let cutter = self.at.cutter.as_mut().expect("it was just opened");
        while self.at.skipped < self.window.skip {
            let most = usize::try_from(self.window.skip - self.at.skipped).unwrap_or(usize::MAX).min(64);
            let skipped = cutter.cut(most)?.items.len() as u64;
            if skipped == 0 {
                return Ok(None);
            }
            self.at.skipped += skipped;
            self.at.row += skipped;
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
        // After a decoder, it is unknown which bytes make up a row, so this counts the bytes that were read for it.
        let read = if file.is_direct(&self.spec) { cutter.taken() } else { self.at.meter.read() };
        let bytes = std::mem::take(&mut self.at.carried) + (read - self.at.counted);
        self.at.counted = read;
        let form = self.headers.form(self.at.file);
        Ok(Some(Chunk { items, keys, indexes: None, form, origin, bytes, file_error: None }))
    }
}
