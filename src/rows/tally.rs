//! What a whole file of records holds, in one pass and in flat memory: how many rows, which are bad, what its columns can be.

use super::cutter::is_blank;
use super::fields::Fields;
use super::{Block, Inference};
use crate::model::CsvForm;

/// Rows that have something in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Places {
    /// How many there are.
    pub rows: u64,
    /// The line of the first, from 1; 0 where there is none.
    pub line: u64,
}

impl Places {
    /// Counts a row, and finds its line if it is the first.
    pub(super) fn add(&mut self, line: impl FnOnce() -> u64) {
        if self.rows == 0 {
            self.line = line();
        }
        self.rows += 1;
    }
}

/// Rows as they follow each other: how many stand between two gaps, because a batch never spans one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs {
    ended: Vec<u64>,
    last: u64,
    rows: u64,
}

impl Runs {
    /// With more gaps than these, nobody counts batches.
    const MOST: usize = 1 << 12;

    pub(super) fn row(&mut self) {
        self.last += 1;
        self.rows += 1;
    }

    pub(super) fn gap(&mut self) {
        if self.last > 0 && self.ended.len() <= Self::MOST {
            self.ended.push(std::mem::take(&mut self.last));
        }
    }

    /// All rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The lengths of the runs, where there are not too many of them.
    pub fn lengths(&self) -> Option<impl Iterator<Item = u64> + '_> {
        let all = self.ended.iter().copied().chain(std::iter::once(self.last)).filter(|run| *run > 0);
        (self.ended.len() <= Self::MOST).then_some(all)
    }
}

/// Takes note of the records of a CSV file.
#[derive(Debug)]
pub struct Tally {
    form: CsvForm,
    /// For records with quotes.
    fields: Fields,
    /// Whether the next record names the columns.
    header: bool,
    columns: Vec<Inference>,
    /// The text that each column took last.
    last: Vec<Vec<u8>>,
    /// So many columns, from the first, may be other than text.
    open: usize,
    /// The rows.
    pub runs: Runs,
    /// Those with another number of fields.
    pub ragged: Places,
    /// Those with bytes that are no text of the encoding.
    pub broken: Places,
    /// Whether all of it is ASCII.
    pub is_ascii: bool,
}

impl Tally {
    /// For records of this form. With `header` the first one names the columns.
    pub fn new(form: CsvForm, header: bool) -> Self {
        Self {
            fields: Fields::new(&form),
            last: vec![Vec::new(); form.fields],
            columns: vec![Inference::default(); form.fields],
            open: form.fields,
            form,
            header,
            runs: Runs::default(),
            ragged: Places::default(),
            broken: Places::default(),
            is_ascii: true,
        }
    }

    /// What the texts of the columns can be.
    pub fn columns(&self) -> &[Inference] {
        &self.columns
    }

    /// Takes note of some records.
    pub fn take(&mut self, block: Block<'_>) {
        self.look_for_broken(block);
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
            if !self.record(record, quotes) {
                self.ragged.add(|| block.line_at(begin));
            }
        }
    }

    /// Looks at the fields of a record; false where it has another number of them.
    fn record(&mut self, record: &[u8], quotes: bool) -> bool {
        if !quotes {
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            return self.plain(record.strip_suffix(b"\r").unwrap_or(record));
        }
        let split = self.fields.split(record);
        if split.len() != self.form.fields {
            return false;
        }
        for (at, column) in self.columns[..self.open].iter_mut().enumerate() {
            column.add(split.get(at), &self.form.null);
        }
        true
    }

    /// The same of a record without quotes: its fields are counted, and cut only where a column may have a type.
    fn plain(&mut self, record: &[u8]) -> bool {
        let delimiter = self.form.delimiter;
        if memchr::memchr_iter(delimiter, record).count() + 1 != self.form.fields {
            return false;
        }
        let (mut rest, mut open) = (record, 0);
        for (at, column) in self.columns[..self.open].iter_mut().enumerate() {
            let (length, integer) = field(rest, delimiter);
            if !column.is_text() {
                if !(integer && column.takes_integers() && self.form.null.is_empty()) {
                    // The same text again, as a day in a table of days, says nothing new.
                    let (text, last) = (&rest[..length], &mut self.last[at]);
                    if last != text {
                        column.add(text, &self.form.null);
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

    /// Bytes that are no text: what is not UTF-8, as what could not be decoded is, and NUL, which no text has.
    fn look_for_broken(&mut self, block: Block<'_>) {
        let ascii = block.bytes.is_ascii();
        let broken = |bytes: &[u8], ascii: bool| {
            memchr::memchr(0, bytes).is_some() || !ascii && std::str::from_utf8(bytes).is_err()
        };
        if broken(block.bytes, ascii) {
            for (begin, _) in block.records().filter(|(_, record)| broken(record, false)) {
                self.broken.add(|| block.line_at(begin));
            }
        }
        self.is_ascii &= ascii;
    }
}

/// The length of the field at the front, and whether it is an integer that needs no parsing, of at most eight characters:
/// these are looked at in one word, because most fields are short.
fn field(bytes: &[u8], delimiter: u8) -> (usize, bool) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let Some(front) = bytes.first_chunk::<8>() else {
        return (bytes.iter().position(|byte| *byte == delimiter).unwrap_or(bytes.len()), false);
    };
    let word = u64::from_le_bytes(*front);
    let differs = word ^ (EACH * u64::from(delimiter));
    // The lowest bit that is set is that of the first delimiter; those above it mean nothing.
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
    // A byte of a digit has a high half of 3, and keeps it when 6 is added.
    let digits_only = (word >> (8 * sign)) ^ (EACH * 0x30);
    let wrong = (digits_only.wrapping_add(EACH * 6) | digits_only) & (EACH * 0xF0);
    (length, wrong & ((1 << (8 * digits)) - 1) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;
    use crate::rows::Cutter;

    fn tally(text: &'static [u8], fields: usize) -> Tally {
        let form = CsvForm { delimiter: b',', quote: Some(b'"'), fields, columns: Vec::new(), null: Vec::new() };
        let mut cutter = Cutter::of_csv(Box::new(text), form.quote, form.delimiter);
        let mut tally = Tally::new(form, true);
        while let Some(block) = cutter.block().unwrap() {
            tally.take(block);
        }
        tally
    }

    #[test]
    fn rows_are_counted_and_bad_ones_have_a_place() {
        let tally = tally(b"a,b\n1,\"x\ny\"\n2\n\n3,z\xFF\n4,\"q\",5\n6,7", 2);
        assert_eq!(tally.runs.rows(), 5);
        assert_eq!(tally.runs.lengths().unwrap().collect::<Vec<_>>(), [2, 3]);
        assert_eq!(tally.ragged, Places { rows: 2, line: 4 });
        assert_eq!(tally.broken, Places { rows: 1, line: 6 });
        assert!(!tally.is_ascii);
    }

    #[test]
    fn types_come_from_all_rows_of_the_right_width() {
        let tally = tally(b"a,b,c,d\n1,2026-01-01,,x\n2.5,2026-01-02,,1\nno,no\n3,2026-01-03,,2\n", 4);
        let kinds: Vec<Kind> = tally.columns().iter().map(|column| column.kind()).collect();
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
