//! Finds out how fields are quoted, once the delimiter is known.

use super::cells::Records;
use super::finding::{Found, Reason};
use super::records::read;
use super::sample::{Hints, Sample};
use crate::model::{CsvDialect, StrayQuotes};

/// A dialect, and the records that it gives.
pub(super) struct Reading {
    pub(super) dialect: CsvDialect,
    pub(super) records: Records,
    cost: f64,
}

/// The simplest way of quoting that leaves the fewest odd records. `tolerant` has the delimiter and what the text suggests.
pub(super) fn quoting(sample: &Sample<'_>, hints: &Hints, tolerant: &CsvDialect) -> Reading {
    let quote = hints.quote.unwrap_or(Some(b'"'));
    let plain = CsvDialect { quote, escape: None, stray_quotes: StrayQuotes::Python, ..tolerant.clone() };
    let mut best = reading(sample, plain.clone(), 0.0);
    if best.cost == 0.0 && (quote != tolerant.quote || tolerant.escape.is_none()) && tolerant.quote == quote {
        return best;
    }
    let mut attempt = |dialect: CsvDialect, complexity: f64| {
        if dialect != plain {
            let other = reading(sample, dialect, complexity);
            if other.cost < best.cost {
                best = other;
            }
        }
    };
    for quote in quotes(hints, tolerant) {
        let other = if quote == plain.quote { 0.0 } else { 0.3 };
        for escape in [None, tolerant.escape] {
            let escaped = if escape.is_some() { 0.3 } else { 0.0 };
            let dialect = CsvDialect { quote, escape, ..plain.clone() };
            attempt(dialect.clone(), other + escaped);
            if quote.is_some() {
                attempt(CsvDialect { stray_quotes: StrayQuotes::Literal, ..dialect }, other + escaped + 0.4);
            }
        }
    }
    best
}

/// The quotes to try.
fn quotes(hints: &Hints, tolerant: &CsvDialect) -> Vec<Option<u8>> {
    match hints.quote {
        Some(quote) => vec![quote],
        None if tolerant.quote == Some(b'\'') => vec![Some(b'"'), Some(b'\''), None],
        None => vec![Some(b'"'), None],
    }
}

/// Reads the sample and counts what is odd: records that are not as wide as most, and quotes that are nowhere explained.
fn reading(sample: &Sample<'_>, dialect: CsvDialect, complexity: f64) -> Reading {
    let mut records = read(sample.text, &dialect);
    // A sample may end within a quoted field.
    if !sample.whole && records.rows.last().is_some_and(|row| row.open) && records.len() > 1 {
        records.rows.pop();
    }
    let width = records.usual_width();
    let mut cost = complexity;
    for (at, row) in records.rows.iter().enumerate() {
        let lines = if row.odd > 0 { row.lines } else { 1 };
        let lines = f64::from(u32::try_from(lines).unwrap_or(u32::MAX));
        if row.odd > 0 {
            cost += lines;
        }
        if row.odd == 0 && row.lines > 1 && holds_lines(&records, at, &dialect) {
            // Perhaps its quotes are none.
            cost += 0.7 * f64::from(u32::try_from(row.lines).unwrap_or(u32::MAX));
        }
        if row.width != width {
            cost += 1.0;
        }
        if row.mended > 0 {
            cost += 0.3;
        }
        if dialect.escape.is_none() && unquoted(&records, at).any(|cell| memchr::memmem::find(cell, b"\\\"").is_some())
        {
            cost += 0.35;
        }
        if unquoted(&records, at).any(keeps_quotes) {
            cost += if row.mended > 0 { 0.1 } else { 0.7 };
        }
    }
    Reading { dialect, records, cost }
}

/// The cells of a record that do not stand in quotes.
fn unquoted(records: &Records, at: usize) -> impl Iterator<Item = &[u8]> {
    let cells = records.row(at).enumerate();
    cells.filter(move |(column, _)| !records.is_quoted(at, *column)).map(|(_, cell)| cell)
}

/// Whether a cell holds a line break and delimiters.
fn holds_lines(records: &Records, at: usize, dialect: &CsvDialect) -> bool {
    let delimiter = dialect.delimiter.text();
    records.row(at).any(|cell| cell.contains(&b'\n') && memchr::memmem::find(cell, delimiter).is_some())
}

/// Whether an unquoted cell looks as if it were quoted, or half quoted.
fn keeps_quotes(cell: &[u8]) -> bool {
    match cell.trim_ascii() {
        [b'"', .., b'"'] | [b'\'', .., b'\''] | [b'"', ..] => true,
        // Five inches.
        [.., b'"'] => false,
        _ => false,
    }
}

impl Reading {
    /// Why fields are quoted like this.
    pub(super) fn reasons(&self) -> Vec<Reason> {
        let dialect = &self.dialect;
        let first = |is: &dyn Fn(usize) -> bool| {
            (0..self.records.len()).find(|at| is(*at)).map(|at| self.records.rows[at].line)
        };
        let mut reasons = Vec::new();
        match dialect.quote {
            None => {
                let line = first(&|at| self.records.row(at).any(|cell| cell.contains(&b'"')));
                reasons.push(Reason { line, what: Found::NoQuotes });
            }
            Some(b'"') => {}
            Some(quote) => {
                let line =
                    first(&|at| (0..self.records.rows[at].width).any(|column| self.records.is_quoted(at, column)));
                reasons.push(Reason { line, what: Found::Quote(quote) });
            }
        }
        if let Some(escape) = dialect.escape {
            let line = first(&|at| self.records.row(at).any(|cell| cell.contains(&b'"')));
            reasons.push(Reason { line, what: Found::Escape(escape) });
        }
        if dialect.stray_quotes == StrayQuotes::Literal {
            let line = first(&|at| self.records.rows[at].mended > 0);
            reasons.push(Reason { line, what: Found::StrayQuote });
        }
        reasons
    }
}
