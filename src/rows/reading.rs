//! What it takes to read the records of a CSV file.

use crate::model::{CsvDialect, CsvForm, ValueFormat};

/// The longest record. A longer one more likely means a quote that is never closed.
pub(super) const LONGEST_RECORD: usize = 64 << 20;

/// How the records of a CSV file are read.
#[derive(Debug, Clone)]
pub struct CsvReading {
    /// How the file is written.
    pub dialect: CsvDialect,
    /// Where its columns are named.
    pub columns: ColumnsFrom,
    /// Whether all records are those of the default dialect, as of files that differ.
    pub alike: bool,
}

/// Where the columns of a CSV file are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnsFrom {
    /// In its header.
    Header,
    /// Elsewhere, as many.
    Named(usize),
    /// Nowhere: the first row has as many fields as there are columns.
    FirstRow,
}

impl CsvReading {
    /// The dialect of the records as they are cut, and whether those of the file must be rewritten.
    pub(super) fn cut(&self) -> (CsvForm, bool) {
        let usual = CsvDialect::default();
        if self.alike {
            return (cut_form(&usual), self.dialect != usual);
        }
        (cut_form(&self.dialect), self.dialect.as_plain().is_none())
    }
}

/// The delimiter and the quote character of the records as they are cut: those of a messy file are rewritten.
pub fn cut_form(dialect: &CsvDialect) -> CsvForm {
    let (delimiter, quote) = match dialect.as_plain() {
        Some(delimiter) => (delimiter, dialect.quote),
        None => (b',', Some(b'"')),
    };
    CsvForm { delimiter, quote, fields: 0, columns: Vec::new(), null: Vec::new(), values: ValueFormat::default() }
}

pub(super) fn too_long(line: u64) -> String {
    format!("the record at line {line} is longer than 64 MiB; it may have an unclosed quote")
}

pub(super) fn unclosed(line: u64) -> String {
    format!("unclosed quote in the record at line {line}")
}
