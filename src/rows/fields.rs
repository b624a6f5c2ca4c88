//! The fields of one record.
//!
//! The `csv` crate copies each field. Here fields are slices of the record, copied only if they are quoted.

use super::bad_row::{BadRow, read_stray_quote};
use super::partition::partition_value;
use crate::model::{Column, CsvForm, From};
use std::borrow::Cow;

/// Splits records into fields. Reuses its buffers from record to record.
#[derive(Debug)]
pub struct Fields {
    quote: Option<u8>,
    delimiter: u8,
    /// The fields that had to be unquoted, one after another.
    unquoted: Vec<u8>,
    /// Where fields end and begin: in the record, or in `unquoted`.
    ends: Vec<usize>,
    starts: Vec<usize>,
}

impl Fields {
    /// For records of this form.
    pub fn new(form: &CsvForm) -> Self {
        Self {
            quote: form.quote,
            delimiter: form.delimiter,
            unquoted: Vec::new(),
            ends: Vec::new(),
            starts: Vec::new(),
        }
    }

    /// Splits a record, given with its line break.
    pub fn split<'a>(&'a mut self, record: &'a [u8]) -> Split<'a> {
        self.starts.clear();
        self.ends.clear();
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        let mut from = 0;
        for at in memchr::memchr2_iter(self.delimiter, self.quote.unwrap_or(self.delimiter), record) {
            if let Some(quote) = self.quote.filter(|quote| *quote == record[at]) {
                self.unquote(record, quote);
                return Split { bytes: &self.unquoted, whole: None, starts: &self.starts, ends: &self.ends };
            }
            self.starts.push(from);
            self.ends.push(at);
            from = at + 1;
        }
        self.starts.push(from);
        self.ends.push(record.len());
        Split { bytes: record, whole: None, starts: &self.starts, ends: &self.ends }
    }

    fn unquote(&mut self, record: &[u8], quote: u8) {
        self.starts.clear();
        self.ends.clear();
        self.unquoted.clear();
        let mut at = 0;
        loop {
            self.starts.push(self.unquoted.len());
            if record.get(at) == Some(&quote) {
                at = self.quoted(record, at + 1, quote);
            }
            // Text outside quotes is taken as it is, after a closing quote too.
            let end = memchr::memchr(self.delimiter, &record[at..]).map(|found| at + found);
            self.unquoted.extend_from_slice(&record[at..end.unwrap_or(record.len())]);
            self.ends.push(self.unquoted.len());
            match end {
                Some(end) => at = end + 1,
                None => return,
            }
        }
    }

    /// Takes the text inside quotes from `at` on; returns the position after the closing quote.
    fn quoted(&mut self, record: &[u8], mut at: usize, quote: u8) -> usize {
        loop {
            let found = memchr::memchr(quote, &record[at..]).map(|found| at + found);
            self.unquoted.extend_from_slice(&record[at..found.unwrap_or(record.len())]);
            // A record ends only where its quotes are closed, so there is a closing quote.
            let Some(found) = found else { return record.len() };
            at = found + 1;
            if record.get(at) != Some(&quote) {
                return at;
            }
            self.unquoted.push(quote);
            at += 1;
        }
    }
}

/// A record split into fields.
#[derive(Debug, Clone, Copy)]
pub struct Split<'a> {
    bytes: &'a [u8],
    /// All fields as text, if that was checked and they are UTF-8.
    whole: Option<&'a str>,
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

    /// The same, prepared for reading the [text](Self::text) of most fields: checking all bytes once is cheaper than checking
    /// field by field. `text` is the record itself if it is known to be UTF-8: that saves the check, unless fields had to be
    /// unquoted.
    pub fn as_text(self, text: Option<&'a str>) -> Self {
        let known = text.filter(|text| std::ptr::eq(text.as_ptr(), self.bytes.as_ptr()));
        let known = known.and_then(|text| text.get(..self.bytes.len()));
        Self { whole: known.or_else(|| std::str::from_utf8(self.bytes).ok()), ..self }
    }

    /// The bytes of the field at `at`.
    pub fn get(&self, at: usize) -> &'a [u8] {
        &self.bytes[self.starts[at]..self.ends[at]]
    }

    /// Checks the number of fields.
    ///
    /// # Errors
    /// If the header has another number.
    pub fn check(&self, form: &CsvForm) -> Result<(), BadRow> {
        if self.len() == 1
            && let Some(bad) = read_stray_quote(self.bytes)
        {
            return Err(bad);
        }
        if self.len() == form.fields {
            return Ok(());
        }
        Err(BadRow::Fields { expected: form.fields, found: self.len() })
    }

    /// The text of a column; none if the file has no such column.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub fn text(&self, column: &Column, file: &'a str) -> Result<Option<Cow<'a, str>>, BadRow> {
        match column.from {
            From::Nothing => Ok(None),
            From::File => Ok(Some(Cow::Borrowed(file))),
            From::Partition => Ok(partition_value(file, &column.name)),
            From::Field(at) => {
                let known = self.whole.and_then(|whole| whole.get(self.starts[at]..self.ends[at]));
                let text = known.map_or_else(|| std::str::from_utf8(self.get(at)), Ok);
                text.map(|text| Some(Cow::Borrowed(text))).map_err(|_| BadRow::NotText { column: column.name.clone() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ValueFormat;

    fn split(record: &str) -> Vec<String> {
        let form = CsvForm {
            delimiter: b',',
            quote: Some(b'"'),
            fields: 0,
            columns: Vec::new(),
            null: Vec::new(),
            values: ValueFormat::default(),
        };
        let mut fields = Fields::new(&form);
        let split = fields.split(record.as_bytes());
        (0..split.len()).map(|at| String::from_utf8(split.get(at).to_vec()).unwrap()).collect()
    }

    #[test]
    fn text_that_is_known_already_is_the_text_of_the_fields() {
        let form = CsvForm {
            delimiter: b',',
            quote: Some(b'"'),
            fields: 0,
            columns: Vec::new(),
            null: Vec::new(),
            values: ValueFormat::default(),
        };
        let second =
            Column { name: "b".to_owned(), from: From::Field(1), kind: crate::model::Kind::Text, format: None };
        let mut fields = Fields::new(&form);
        for (record, expected) in [("a,\u{e9}\r\n", "\u{e9}"), ("a,\"b,\"\"c\"\n", "b,\"c"), ("\"a\",b", "b")] {
            for known in [None, Some(record)] {
                let split = fields.split(record.as_bytes()).as_text(known);
                assert_eq!(split.text(&second, "").unwrap(), Some(Cow::Borrowed(expected)), "{record:?}, {known:?}");
            }
        }
    }

    #[test]
    fn fields_are_those_of_pythons_csv() {
        assert_eq!(split("a,,c\r\n"), ["a", "", "c"]);
        assert_eq!(split("\"a,b\",\"say \"\"hi\"\"\",\"\"\n"), ["a,b", "say \"hi\"", ""]);
        assert_eq!(split("\"two\nlines\",5\" pipe"), ["two\nlines", "5\" pipe"]);
        assert_eq!(split("\"a\"b,c"), ["ab", "c"]);
        assert_eq!(split(" \"a\" ,b"), [" \"a\" ", "b"]);
        assert_eq!(split("\"a\"b\"c\",\"\"\"\"\n"), ["ab\"c\"", "\""]);
        assert_eq!(split("\u{feff}a,\"b\""), ["\u{feff}a", "b"]);
        assert_eq!(split("one"), ["one"]);
    }
}
