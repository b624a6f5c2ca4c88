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
    quoted: Fields,
    plain: Fields,
    /// Whether the next record names the columns.
    header: bool,
    /// Whether the text was made of another encoding, and has a sign where that failed.
    decoded: bool,
    columns: Vec<Inference>,
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
    /// For records of this form. With `header` the first one names the columns; `decoded` text had another encoding.
    pub fn new(form: CsvForm, header: bool, decoded: bool) -> Self {
        Self {
            quoted: Fields::new(&form),
            plain: Fields::new(&CsvForm { quote: None, ..form.clone() }),
            columns: vec![Inference::default(); form.fields],
            open: form.fields,
            form,
            header,
            decoded,
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
        if self.open == 0 && !quotes {
            return memchr::memchr_iter(self.form.delimiter, record).count() + 1 == self.form.fields;
        }
        let split = if quotes { self.quoted.split(record) } else { self.plain.split(record) };
        if split.len() != self.form.fields {
            return false;
        }
        let mut open = 0;
        for (at, column) in self.columns[..self.open].iter_mut().enumerate() {
            column.add(split.get(at), &self.form.null);
            if !column.is_text() {
                open = at + 1;
            }
        }
        self.open = open;
        true
    }

    /// Bytes that are no text: what is not UTF-8, what could not be decoded, and NUL, which no text has.
    fn look_for_broken(&mut self, block: Block<'_>) {
        const REPLACED: &[u8] = "\u{FFFD}".as_bytes();
        let ascii = block.bytes.is_ascii();
        let replaced = |bytes: &[u8]| self.decoded && memchr::memmem::find(bytes, REPLACED).is_some();
        let broken = |bytes: &[u8], ascii: bool| {
            memchr::memchr(0, bytes).is_some() || !ascii && (std::str::from_utf8(bytes).is_err() || replaced(bytes))
        };
        if broken(block.bytes, ascii) {
            for (begin, _) in block.records().filter(|(_, record)| broken(record, false)) {
                self.broken.add(|| block.line_at(begin));
            }
        }
        self.is_ascii &= ascii;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;
    use crate::rows::Cutter;

    fn tally(text: &'static [u8], fields: usize) -> Tally {
        let form = CsvForm { delimiter: b',', quote: Some(b'"'), fields, columns: Vec::new(), null: Vec::new() };
        let mut cutter = Cutter::new(Box::new(text), form.quote, form.delimiter);
        let mut tally = Tally::new(form, true, false);
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
}
