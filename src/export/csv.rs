//! CSV: a header with the columns, then a row for each record.
//!
//! Strings are written as they are, other values as JSON text, so numbers keep their digits. Null and a missing key give an
//! empty field, or the text that the user wants. Records that are not mappings go in a `value` column.

use super::byte_sink::ByteSink;
use super::encoder::Encoder;
use super::error::WriteError;
use super::header::Header;
use super::record::{Fields, Place, VALUE, lines, unreadable};
use crate::model::{CsvQuote, CsvStyle};
use csv::QuoteStyle;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::io::Write;

/// What tells programs such as Excel that a file is UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Writes a CSV file.
pub(super) struct CsvEncoder<'a> {
    header: &'a Header,
    null: &'a str,
    out: csv::Writer<ByteSink>,
    records: u64,
}

impl<'a> CsvEncoder<'a> {
    /// Begins a file with its header.
    pub(super) fn begin(mut file: ByteSink, header: &'a Header, style: &'a CsvStyle) -> Result<Self, WriteError> {
        if style.bom {
            file.write_all(BYTE_ORDER_MARK)?;
        }
        let quotes = match style.quote {
            CsvQuote::Minimal => QuoteStyle::Necessary,
            CsvQuote::All => QuoteStyle::Always,
        };
        let mut writer = csv::WriterBuilder::new();
        let mut out = writer.delimiter(style.delimiter).quote_style(quotes).buffer_capacity(1 << 18).from_writer(file);
        if !header.names().is_empty() {
            out.write_record(header.names()).map_err(csv_error)?;
        }
        Ok(Self { header, null: &style.null, out, records: 0 })
    }

    fn row<'l>(&self, line: &'l [u8]) -> Result<Vec<Cow<'l, str>>, WriteError>
    where
        'a: 'l,
    {
        let mut row = vec![Cow::Borrowed(self.null); self.header.names().len()];
        if line.starts_with(b"{") {
            for (at, (key, value)) in Fields::read(line, self.records)?.0.into_iter().enumerate() {
                if let Some(position) = self.header.position(at, &key) {
                    row[position] = text(value.get(), self.null);
                }
            }
        } else if let Some(position) = self.header.position(0, VALUE) {
            let value: &RawValue =
                serde_json::from_slice(line).map_err(|error| unreadable(Place::Record(self.records), &error))?;
            row[position] = text(value.get(), self.null);
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
        self.out.flush()?;
        let file = self.out.into_inner().map_err(|error| WriteError::Io(error.into_error()))?;
        Ok(file.finish()?)
    }
}

/// A value as the text of its field.
fn text<'l>(json: &'l str, null: &'l str) -> Cow<'l, str> {
    if json == "null" {
        return Cow::Borrowed(null);
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
