//! Statistics of a CSV file, in one pass and in constant memory: how many rows, which are bad, what types the columns have.
//!
//! No crate: most fields are only counted in place, and never split or copied.

use super::block::Block;
use super::cutter::is_blank;
use super::fields::Fields;
use super::kind::Inference;
use super::row_runs::{Occurrences, RowRuns};
use super::styles::Styles;
use crate::model::CsvForm;

/// Whether the first record of a file is a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderRow {
    /// The first record names the columns.
    First,
    /// All records are rows.
    Missing,
}

/// Collects statistics of the records of a CSV file.
#[derive(Debug)]
pub struct CsvStats {
    form: CsvForm,
    /// For records with quotes.
    fields: Fields,
    /// Whether the next record names the columns.
    header: bool,
    columns: Vec<Inference>,
    /// The text of each column that was looked at last.
    last: Vec<Vec<u8>>,
    /// In which other ways the texts of each column can be written, if that is asked.
    styles: Vec<Styles>,
    /// How many columns, from the first, may still have a type other than text.
    open: usize,
    /// The rows.
    pub runs: RowRuns,
    /// Rows with another number of fields.
    pub ragged: Occurrences,
    /// Rows with bytes that are not text in the file's encoding.
    pub undecodable: Occurrences,
    /// Whether all of it is ASCII.
    pub is_ascii: bool,
}

impl CsvStats {
    /// No records of this form yet.
    pub fn new(form: CsvForm, header: HeaderRow) -> Self {
        Self {
            fields: Fields::new(&form),
            last: vec![Vec::new(); form.fields],
            columns: vec![Inference::default(); form.fields],
            styles: Vec::new(),
            open: form.fields,
            form,
            header: header == HeaderRow::First,
            runs: RowRuns::default(),
            ragged: Occurrences::default(),
            undecodable: Occurrences::default(),
            is_ascii: true,
        }
    }

    /// Also finds out in which other ways numbers and dates are written.
    #[must_use]
    pub fn with_styles(mut self) -> Self {
        self.styles = vec![Styles::default(); self.form.fields];
        self
    }

    /// In which other ways the texts of each column can be written; empty if nobody asked.
    pub fn styles(&self) -> &[Styles] {
        &self.styles
    }

    /// The types that the columns can have.
    pub fn columns(&self) -> &[Inference] {
        &self.columns
    }

    /// Adds some records.
    pub fn add(&mut self, block: Block<'_>) {
        self.find_undecodable(block);
        let has = |bytes: &[u8]| self.form.quote.is_some_and(|quote| memchr::memchr(quote, bytes).is_some());
        let quotes = has(block.bytes);
        for (begin, record) in block.records() {
            if is_blank(record) {
                self.runs.gap();
                continue;
            }
            if std::mem::take(&mut self.header) {
                continue;
            }
            self.runs.row();
            let whole = if quotes { self.add_quoted(record) } else { self.add_plain(record) };
            if !whole {
                self.ragged.add(|| block.line_at(begin));
            }
        }
    }

    /// Adds the fields of a record; false if it has another number of fields.
    fn add_quoted(&mut self, record: &[u8]) -> bool {
        let split = self.fields.split(record);
        if split.len() != self.form.fields {
            return false;
        }
        for (at, column) in self.columns[..self.open].iter_mut().enumerate() {
            column.add_of(split.get(at), &self.form);
            if let Some(styles) = self.styles.get_mut(at) {
                styles.add(split.get(at), &self.form.null);
            }
        }
        true
    }

    /// The same for a record without quotes: its fields are counted, and cut only in columns that may have a type.
    fn add_plain(&mut self, record: &[u8]) -> bool {
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        let delimiter = self.form.delimiter;
        if memchr::memchr_iter(delimiter, record).count() + 1 != self.form.fields {
            return false;
        }
        let (mut rest, mut open) = (record, 0);
        for (at, column) in self.columns[..self.open].iter_mut().enumerate() {
            let (length, integer) = field(rest, delimiter);
            let mut styles = self.styles.get_mut(at).filter(|styles| !styles.is_none());
            if !column.is_text() || styles.is_some() {
                if integer && column.takes_integers() && self.form.null.is_empty() {
                    if let Some(styles) = styles {
                        styles.add_integer();
                    }
                } else {
                    // The same text again, such as a day in a table of days, tells nothing new.
                    let (text, last) = (&rest[..length], &mut self.last[at]);
                    if last != text {
                        column.add_of(text, &self.form);
                        if let Some(styles) = &mut styles {
                            styles.add(text, &self.form.null);
                        }
                        last.clear();
                        last.extend_from_slice(text);
                    }
                }
                open = at + 1;
            }
            rest = rest.get(length + 1..).unwrap_or_default();
        }
        self.open = open;
        true
    }

    /// Finds rows whose bytes are not text: not UTF-8, as bytes that could not be decoded are, or NUL, which no text contains.
    fn find_undecodable(&mut self, block: Block<'_>) {
        let ascii = block.bytes.is_ascii();
        let has_nul = |bytes: &[u8]| memchr::memchr(0, bytes).is_some();
        let is_bad = |bytes: &[u8]| has_nul(bytes) || std::str::from_utf8(bytes).is_err();
        if has_nul(block.bytes) || !ascii && is_bad(block.bytes) {
            for (begin, _) in block.records().filter(|(_, record)| is_bad(record)) {
                self.undecodable.add(|| block.line_at(begin));
            }
        }
        self.is_ascii &= ascii;
    }
}

/// The length of the first field, and whether it is an integer that needs no parsing. Fields of up to eight characters are
/// examined in one machine word, because most fields are short.
fn field(bytes: &[u8], delimiter: u8) -> (usize, bool) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let Some(front) = bytes.first_chunk::<8>() else {
        return (bytes.iter().position(|byte| *byte == delimiter).unwrap_or(bytes.len()), false);
    };
    let word = u64::from_le_bytes(*front);
    let differs = word ^ (EACH * u64::from(delimiter));
    // The lowest bit that is set is that of the first delimiter; those above it are meaningless.
    let found = differs.wrapping_sub(EACH) & !differs & (EACH << 7);
    if found == 0 {
        return (memchr::memchr(delimiter, bytes).unwrap_or(bytes.len()), false);
    }
    let length = found.trailing_zeros() as usize / 8;
    let sign = usize::from(front[0] == b'-');
    let digits = length - sign;
    if digits == 0 || digits > 1 && front[sign] == b'0' {
        return (length, false);
    }
    // The high half of a digit is 3, and stays 3 if 6 is added.
    let digits_only = (word >> (8 * sign)) ^ (EACH * 0x30);
    let wrong = (digits_only.wrapping_add(EACH * 6) | digits_only) & (EACH * 0xF0);
    (length, wrong & ((1 << (8 * digits)) - 1) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CsvDialect, Kind, ValueFormat};
    use crate::rows::cutter::Cutter;
    use crate::rows::reading::{ColumnsFrom, CsvReading};

    fn stats(text: &'static [u8], fields: usize) -> CsvStats {
        let form = CsvForm {
            delimiter: b',',
            quote: Some(b'"'),
            fields,
            columns: Vec::new(),
            null: Vec::new(),
            values: ValueFormat::default(),
        };
        let dialect = CsvDialect::default();
        let mut cutter =
            Cutter::of_csv(Box::new(text), &CsvReading { dialect, columns: ColumnsFrom::Header, alike: false });
        let mut stats = CsvStats::new(form, HeaderRow::First);
        while let Some(block) = cutter.block().unwrap() {
            stats.add(block);
        }
        stats
    }

    #[test]
    fn rows_are_counted_and_bad_ones_have_a_place() {
        let stats = stats(b"a,b\n1,\"x\ny\"\n2\n\n3,z\xFF\n4,\"q\",5\n6,7", 2);
        assert_eq!(stats.runs.rows(), 5);
        assert_eq!(stats.runs.lengths().unwrap().collect::<Vec<_>>(), [2, 3]);
        assert_eq!(stats.ragged, Occurrences { rows: 2, first_line: 4 });
        assert_eq!(stats.undecodable, Occurrences { rows: 1, first_line: 6 });
        assert!(!stats.is_ascii);
    }

    #[test]
    fn types_come_from_all_rows_of_the_right_width() {
        let stats = stats(b"a,b,c,d\n1,2026-01-01,,x\n2.5,2026-01-02,,1\nno,no\n3,2026-01-03,,2\n", 4);
        let kinds: Vec<Kind> = stats.columns().iter().map(|column| column.kind()).collect();
        assert_eq!(kinds, [Kind::Number, Kind::Date, Kind::Text, Kind::Text]);
    }

    #[test]
    fn short_fields_are_measured_in_one_word() {
        let texts = [
            "", "1", "-1", "12345", "0", "01", "-", "1-", "x", "12x", "9:", "/5", "\u{e9}", "1234567", "12345678",
            "1.5",
        ];
        for text in texts {
            for behind in ["", ",", ",,", ",1,2,3", ",abcdefgh"] {
                let record = format!("{text}{behind}");
                let (length, integer) = field(record.as_bytes(), b',');
                assert_eq!(length, text.len(), "{record}");
                let digits = text.strip_prefix('-').unwrap_or(text);
                let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                assert!(!integer || plain && (digits.len() == 1 || !digits.starts_with('0')), "{record}");
                assert!(integer || !plain || digits.starts_with('0') || record.len() < 8 || text.len() > 7, "{record}");
            }
        }
    }
}
