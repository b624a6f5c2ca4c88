//! CSV: a header with the keys of all records, in the order in which they first appear.
//!
//! Strings are written as they are, other values as JSON text, so numbers keep their digits; null and a missing key are an
//! empty field. A record that is no mapping stands in the column `value`.

use super::error::Trouble;
use super::record::{Fields, MOST_COLUMNS, VALUE, lines, too_many_columns, unreadable};
use super::write::{Encoder, Results, each_piece};
use indexmap::IndexSet;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fs::File;

/// The columns of a file.
#[derive(Debug, Default)]
pub(super) struct Header(IndexSet<String>);

impl Header {
    /// Reads all records for their keys.
    pub(super) fn of(results: &mut dyn Results) -> Result<Self, Trouble> {
        let (mut header, mut record) = (Self::default(), 0);
        each_piece(results, |piece| {
            for line in lines(piece) {
                header.take(line, record)?;
                record += 1;
            }
            Ok(())
        })?;
        Ok(header)
    }

    fn take(&mut self, line: &[u8], record: u64) -> Result<(), Trouble> {
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

    /// Whether the column at this place is called so: records of a kind have their keys in one order.
    fn has_at(&self, at: usize, key: &str) -> bool {
        self.0.get_index(at).is_some_and(|name| name == key)
    }

    fn place(&self, at: usize, key: &str) -> Option<usize> {
        if self.has_at(at, key) { Some(at) } else { self.0.get_index_of(key) }
    }
}

/// A CSV file under way.
pub(super) struct CsvFile<'a> {
    header: &'a Header,
    out: csv::Writer<File>,
    records: u64,
}

impl<'a> CsvFile<'a> {
    /// Begins a file with its header.
    pub(super) fn begin(file: File, header: &'a Header) -> Result<Self, Trouble> {
        let mut out = csv::WriterBuilder::new().buffer_capacity(1 << 18).from_writer(file);
        if !header.0.is_empty() {
            out.write_record(&header.0).map_err(trouble)?;
        }
        Ok(Self { header, out, records: 0 })
    }

    fn row<'l>(&self, line: &'l [u8]) -> Result<Vec<Cow<'l, str>>, Trouble> {
        let mut row = vec![Cow::Borrowed(""); self.header.0.len()];
        if line.starts_with(b"{") {
            for (at, (key, value)) in Fields::read(line, self.records)?.0.into_iter().enumerate() {
                if let Some(place) = self.header.place(at, &key) {
                    row[place] = text(value.get());
                }
            }
        } else if let Some(place) = self.header.place(0, VALUE) {
            let value: &RawValue = serde_json::from_slice(line).map_err(|error| unreadable(self.records, &error))?;
            row[place] = text(value.get());
        }
        Ok(row)
    }
}

impl Encoder for CsvFile<'_> {
    fn write(&mut self, piece: &[u8]) -> Result<(), Trouble> {
        for line in lines(piece) {
            let row = self.row(line)?;
            if !row.is_empty() {
                self.out.write_record(row.iter().map(|field| field.as_bytes())).map_err(trouble)?;
            }
            self.records += 1;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Trouble> {
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
        // A string with an escape that stands for no character stays as it is written.
        Some(_) => serde_json::from_str(json).map_or(Cow::Borrowed(json), Cow::Owned),
        None => Cow::Borrowed(json),
    }
}

fn trouble(error: csv::Error) -> Trouble {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => Trouble::Records(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::write::tests::written;
    use crate::model::OutputFormat;

    #[test]
    fn columns_come_as_they_first_appear_and_values_keep_what_they_are() {
        let records = concat!(
            r#"{"id":1,"name":"a, \"b\"\nc","big":123456789012345678901234567890}"#,
            "\n",
            r#"{"name":null,"tags":["x",{"y":1.50}],"id":2.0}"#,
            "\n7\n{}\n\"ü\"\n",
        );
        let expected = concat!(
            "id,name,big,tags,value\n",
            "1,\"a, \"\"b\"\"\nc\",123456789012345678901234567890,,\n",
            "2.0,,,\"[\"\"x\"\",{\"\"y\"\":1.50}]\",\n",
            ",,,,7\n,,,,\n,,,,ü\n",
        );
        assert_eq!(written(OutputFormat::Csv, records).unwrap(), expected);
        assert_eq!(written(OutputFormat::Csv, "").unwrap(), "");
        assert_eq!(written(OutputFormat::Csv, "null\n").unwrap(), "value\n\"\"\n");
    }

    #[test]
    fn keys_that_are_data_are_no_columns() {
        let records: String = (0..=MOST_COLUMNS).map(|at| format!("{{\"k{at}\":1}}\n")).collect();
        let error = written(OutputFormat::Csv, &records).unwrap_err();
        assert!(error.contains("record 10000 have more than 10000 columns"), "{error}");
    }
}
