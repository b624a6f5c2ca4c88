//! CSV: a header with the keys of all records, in the order in which they first appear.
//!
//! Strings are written as they are, other values as JSON text, so numbers keep their digits. Null and a missing key give an
//! empty field. Records that are not mappings go in a `value` column.

use super::encoder::Encoder;
use super::error::WriteError;
use super::record::{Fields, MOST_COLUMNS, VALUE, lines, too_many_columns, unreadable};
use super::results::{Results, each_piece};
use indexmap::IndexSet;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fs::File;

/// The columns of a file.
#[derive(Debug, Default)]
pub(super) struct Header(IndexSet<String>);

impl Header {
    /// Reads all records for their keys.
    pub(super) fn of(results: &mut dyn Results) -> Result<Self, WriteError> {
        let (mut header, mut record) = (Self::default(), 0);
        each_piece(results, |piece| {
            for line in lines(piece) {
                header.take(line, record)?;
                record += 1;
            }
            Ok(())
        })?;
        if header.0.is_empty() && record > 0 {
            // All records are empty mappings: without a column, nothing would tell how many there are.
            header.add(VALUE);
        }
        Ok(header)
    }

    fn take(&mut self, line: &[u8], record: u64) -> Result<(), WriteError> {
        if !line.starts_with(b"{") {
            self.add(VALUE);
            return Ok(());
        }
        for (at, (key, _)) in Fields::read(line, record)?.0.iter().enumerate() {
            if !self.has_at(at, key) {
                self.add(key);
            }
        }
        if self.0.len() > MOST_COLUMNS { Err(too_many_columns(record)) } else { Ok(()) }
    }

    fn add(&mut self, key: &str) {
        if !self.0.contains(key) {
            self.0.insert(key.to_owned());
        }
    }

    /// Whether the column at this position has this name: most records have their keys in the same order.
    fn has_at(&self, at: usize, key: &str) -> bool {
        self.0.get_index(at).is_some_and(|name| name == key)
    }

    fn position(&self, at: usize, key: &str) -> Option<usize> {
        if self.has_at(at, key) { Some(at) } else { self.0.get_index_of(key) }
    }
}

/// Writes a CSV file.
pub(super) struct CsvEncoder<'a> {
    header: &'a Header,
    out: csv::Writer<File>,
    records: u64,
}

impl<'a> CsvEncoder<'a> {
    /// Begins a file with its header.
    pub(super) fn begin(file: File, header: &'a Header) -> Result<Self, WriteError> {
        let mut out = csv::WriterBuilder::new().buffer_capacity(1 << 18).from_writer(file);
        if !header.0.is_empty() {
            out.write_record(&header.0).map_err(csv_error)?;
        }
        Ok(Self { header, out, records: 0 })
    }

    fn row<'l>(&self, line: &'l [u8]) -> Result<Vec<Cow<'l, str>>, WriteError> {
        let mut row = vec![Cow::Borrowed(""); self.header.0.len()];
        if line.starts_with(b"{") {
            for (at, (key, value)) in Fields::read(line, self.records)?.0.into_iter().enumerate() {
                if let Some(position) = self.header.position(at, &key) {
                    row[position] = text(value.get());
                }
            }
        } else if let Some(position) = self.header.position(0, VALUE) {
            let value: &RawValue = serde_json::from_slice(line).map_err(|error| unreadable(self.records, &error))?;
            row[position] = text(value.get());
        }
        Ok(row)
    }
}

impl Encoder for CsvEncoder<'_> {
    fn write(&mut self, piece: &[u8]) -> Result<(), WriteError> {
        for line in lines(piece) {
            let row = self.row(line)?;
            if !row.is_empty() {
                self.out.write_record(row.iter().map(|field| field.as_bytes())).map_err(csv_error)?;
            }
            self.records += 1;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), WriteError> {
        Ok(self.out.flush()?)
    }
}

/// A value as the text of its field.
fn text(json: &str) -> Cow<'_, str> {
    if json == "null" {
        return Cow::Borrowed("");
    }
    match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
        // A string with an escape that is not a character stays as it is written.
        Some(_) => serde_json::from_str(json).map_or(Cow::Borrowed(json), Cow::Owned),
        None => Cow::Borrowed(json),
    }
}

fn csv_error(error: csv::Error) -> WriteError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => WriteError::Records(format!("{other:?}")),
    }
}
