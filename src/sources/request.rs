//! What it takes to survey the files of a source: which files, and what the workflow says of them.
//!
//! Owned by the sources, because they know it; read by `survey`.

use super::SourceError;
use super::files::{RowFile, expand};
use crate::spec::{Compression, Header, RowFormat, RowsSpec};
use encoding_rs::Encoding;

/// The usual delimiters, those first that are rare in text: where two fit equally well, the first is meant.
pub(crate) const DELIMITERS: [u8; 4] = [b'\t', b'|', b';', b','];

/// What is known of files before they are looked at.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) format: Option<RowFormat>,
    pub(crate) delimiter: Option<u8>,
    pub(crate) quote: Option<u8>,
    pub(crate) header: Option<Header>,
    pub(crate) encoding: Option<&'static Encoding>,
    pub(crate) null: Vec<String>,
    pub(crate) compression: Compression,
}

/// Files to look at.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) files: Vec<RowFile>,
    pub(crate) known: Known,
    /// Files of a source that stand for one failed item, as their header alone tells.
    pub(crate) troubled: Vec<bool>,
    pub(crate) skip: u64,
    pub(crate) limit: u64,
}

impl Request {
    /// The files that these paths and patterns name, of which nothing is known.
    ///
    /// # Errors
    /// Where a pattern is wrong.
    pub fn of_paths(paths: &[String]) -> Result<Self, SourceError> {
        let known = Known {
            format: None,
            delimiter: None,
            quote: Some(b'"'),
            header: None,
            encoding: None,
            null: Vec::new(),
            compression: Compression::ByName,
        };
        let files = expand(paths.iter().cloned())?;
        Ok(Self { files, known, troubled: Vec::new(), skip: 0, limit: u64::MAX })
    }

    /// The files of a source.
    pub(super) fn of_source(
        spec: &RowsSpec,
        files: Vec<RowFile>,
        troubled: Vec<bool>,
        (skip, limit): (u64, u64),
    ) -> Self {
        let known = Known {
            format: Some(spec.format),
            delimiter: Some(spec.delimiter),
            quote: spec.quote,
            header: Some(spec.header.clone()),
            encoding: Some(spec.encoding),
            null: spec.null.clone(),
            compression: spec.compression,
        };
        Self { files, known, troubled, skip, limit }
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Their bytes on the disk.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The files, the largest first: looked at in this order, they keep all cores at work to the end.
    pub fn largest_first(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.files.len()).collect();
        order.sort_by_key(|file| std::cmp::Reverse(self.files[*file].size));
        order
    }
}
