//! What it takes to survey the files of a source: which files, and what the workflow says about them.
//!
//! Owned by the sources, which know it; read by `survey`.

use super::error::SourceError;
use super::files::{RowFile, expand};
use super::window::RowWindow;
use crate::model::{CsvDialect, ValueFormat};
use crate::spec::{Compression, DialectFrom, Header, RowFormat, RowsSpec};
use crate::template::PathPattern;
use encoding_rs::Encoding;
use std::cmp::Reverse;

/// How files are to be read. What is none has to be found out from the files.
#[derive(Debug, Clone)]
pub(crate) struct ReadingOptions {
    pub(crate) format: Option<RowFormat>,
    pub(crate) dialect: Option<CsvDialect>,
    pub(crate) header: Option<Header>,
    pub(crate) encoding: Option<&'static Encoding>,
    /// Texts that mean null.
    pub(crate) null: Vec<String>,
    /// How other values are written.
    pub(crate) values: ValueFormat,
    pub(crate) compression: Compression,
}

/// Files to survey.
#[derive(Debug, Clone)]
pub struct SurveyRequest {
    pub(super) files: Vec<RowFile>,
    pub(super) options: ReadingOptions,
    /// For each file of a source, whether its header alone tells that it cannot be read; empty if there is no source.
    pub(super) unreadable: Vec<bool>,
    pub(super) window: RowWindow,
}

impl SurveyRequest {
    /// The files that these paths and patterns name, with nothing known about them.
    ///
    /// # Errors
    /// If a pattern is wrong.
    pub fn of_paths(paths: &[String]) -> Result<Self, SourceError> {
        let files = expand(paths.iter().map(|path| PathPattern::new(path)), &crossbeam_channel::never())?;
        Ok(Self { files, options: ReadingOptions::unknown(), unreadable: Vec::new(), window: RowWindow::ALL })
    }

    /// The same for the first `most` items.
    #[must_use]
    pub fn limited(mut self, most: u64) -> Self {
        self.window.limit = self.window.limit.min(most);
        self
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Their bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The positions of the files, the largest first: read in this order, they keep all cores busy to the end.
    pub fn largest_first(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.files.len()).collect();
        order.sort_by_key(|file| Reverse(self.files[*file].size));
        order
    }

    /// The file at this position.
    pub(crate) fn file(&self, position: usize) -> &RowFile {
        &self.files[position]
    }

    /// How the files are to be read.
    pub(crate) fn options(&self) -> &ReadingOptions {
        &self.options
    }

    /// Whether the source knows that the file at this position cannot be read.
    pub(crate) fn is_unreadable(&self, position: usize) -> bool {
        self.unreadable.get(position).copied().unwrap_or(false)
    }

    /// Which of all rows the source gives.
    pub(crate) fn window(&self) -> RowWindow {
        self.window
    }
}

impl ReadingOptions {
    /// Nothing is known.
    pub(crate) fn unknown() -> Self {
        Self {
            format: None,
            dialect: None,
            header: None,
            encoding: None,
            null: Vec::new(),
            values: ValueFormat::default(),
            compression: Compression::Auto,
        }
    }

    /// Everything that the workflow says.
    pub(super) fn of(spec: &RowsSpec) -> Self {
        let is_told = spec.dialect_from == DialectFrom::Workflow;
        Self {
            format: Some(spec.format),
            dialect: is_told.then(|| spec.dialect.clone()),
            header: is_told.then(|| spec.header.clone()),
            encoding: (spec.dialect_from != DialectFrom::File { encoding: true }).then_some(spec.encoding),
            null: spec.null.clone(),
            values: spec.values.clone(),
            compression: spec.compression,
        }
    }
}
