//! The fields of one record.

use super::BadRow;
use crate::model::{Column, CsvForm, From};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// Splits records into fields; keeps its buffers from record to record.
#[derive(Debug)]
pub struct Fields {
    reader: Reader,
    quote: Option<u8>,
    delimiter: u8,
    /// The fields that had to be unquoted, one behind the other.
    unquoted: Vec<u8>,
    /// Where fields begin and end: in the record, or in `unquoted`.
    ends: Vec<usize>,
    starts: Vec<usize>,
}

impl Fields {
    /// For records of this form.
    pub fn new(form: &CsvForm) -> Self {
        let mut builder = ReaderBuilder::new();
        builder.delimiter(form.delimiter);
        match form.quote {
            Some(quote) => builder.quote(quote),
            None => builder.quoting(false),
        };
        Self {
            reader: builder.build(),
            quote: form.quote,
            delimiter: form.delimiter,
            unquoted: Vec::new(),
            ends: Vec::new(),
            starts: Vec::new(),
        }
    }

    /// Splits a record, its line break included. The fields are those of [`Self::get`] until the next call.
    pub fn split<'a>(&'a mut self, record: &'a [u8]) -> Split<'a> {
        self.starts.clear();
        self.ends.clear();
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        if self.quote.is_none_or(|quote| memchr::memchr(quote, record).is_none()) {
            let mut from = 0;
            for at in memchr::memchr_iter(self.delimiter, record) {
                self.starts.push(from);
                self.ends.push(at);
                from = at + 1;
            }
            self.starts.push(from);
            self.ends.push(record.len());
            return Split { bytes: record, starts: &self.starts, ends: &self.ends };
        }
        self.unquote(record);
        Split { bytes: &self.unquoted, starts: &self.starts, ends: &self.ends }
    }

    fn unquote(&mut self, record: &[u8]) {
        self.reader.reset();
        // Unquoting never makes text longer.
        self.unquoted.resize(record.len() + 1, 0);
        self.ends.resize(record.len() + 2, 0);
        let (mut read, mut written, mut count) = (0, 0, 0);
        loop {
            let (result, took, wrote, ended) =
                self.reader.read_record(&record[read..], &mut self.unquoted[written..], &mut self.ends[count..]);
            (read, written, count) = (read + took, written + wrote, count + ended);
            match result {
                ReadRecordResult::Record | ReadRecordResult::End => break,
                // All of it was given: an empty input ends the record.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.unquoted.resize(self.unquoted.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
            }
        }
        self.ends.truncate(count);
        self.starts.extend(std::iter::once(0).chain(self.ends.iter().copied()).take(count));
    }
}

/// A record in fields.
#[derive(Debug, Clone, Copy)]
pub struct Split<'a> {
    bytes: &'a [u8],
    starts: &'a [usize],
    ends: &'a [usize],
}

impl<'a> Split<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of the field at `at`.
    pub fn get(&self, at: usize) -> &'a [u8] {
        &self.bytes[self.starts[at]..self.ends[at]]
    }

    /// Checks the number of fields.
    ///
    /// # Errors
    /// Where the header has another number.
    pub fn check(&self, form: &CsvForm) -> Result<(), BadRow> {
        if self.len() == form.fields {
            return Ok(());
        }
        Err(BadRow::Fields { expected: form.fields, found: self.len() })
    }

    /// The text of a column; none where it comes from nowhere.
    ///
    /// # Errors
    /// Where it is not UTF-8.
    pub fn text(&self, column: &Column, file: &'a str) -> Result<Option<&'a str>, BadRow> {
        match column.from {
            From::Nothing => Ok(None),
            From::File => Ok(Some(file)),
            From::Field(at) => match std::str::from_utf8(self.get(at)) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(BadRow::NotUtf8 { column: column.name.clone() }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(record: &str) -> Vec<String> {
        let form = CsvForm { delimiter: b',', quote: Some(b'"'), fields: 0, columns: Vec::new(), null: Vec::new() };
        let mut fields = Fields::new(&form);
        let split = fields.split(record.as_bytes());
        (0..split.len()).map(|at| String::from_utf8(split.get(at).to_vec()).unwrap()).collect()
    }

    #[test]
    fn fields_are_those_of_pythons_csv() {
        assert_eq!(split("a,,c\r\n"), ["a", "", "c"]);
        assert_eq!(split("\"a,b\",\"say \"\"hi\"\"\",\"\"\n"), ["a,b", "say \"hi\"", ""]);
        assert_eq!(split("\"two\nlines\",5\" pipe"), ["two\nlines", "5\" pipe"]);
        assert_eq!(split("\"a\"b,c"), ["ab", "c"]);
        assert_eq!(split(" \"a\" ,b"), [" \"a\" ", "b"]);
        assert_eq!(split("\"open, and never closed"), ["open, and never closed"]);
        assert_eq!(split("one"), ["one"]);
    }
}
