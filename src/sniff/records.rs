//! Reads a sample by a dialect that may be wrong. Takes whatever comes, and notes what was odd about it.
//!
//! Always holds: reading is linear in the length of the sample, and every byte sequence has records.

use super::cells::{Cell, Records, Row};
use crate::model::{CsvDialect, Delimiter, StrayQuotes};

/// The records of a text in this dialect. Lines that the dialect skips at the beginning and comments are not records; the header
/// and the records that it skips at the end are.
pub(super) fn read(text: &[u8], dialect: &CsvDialect) -> Records {
    let mut reader = Reader {
        text,
        dialect,
        at: 0,
        line: 1,
        // How far all attempts to find a closing quote may look in vain.
        budget: text.len().saturating_mul(2).saturating_add(1 << 16),
        stops: stops(dialect),
        out: Records::default(),
    };
    (0..dialect.bounds.skip_lines).for_each(|_| reader.skip_line());
    reader.records();
    reader.out
}

struct Reader<'a> {
    text: &'a [u8],
    dialect: &'a CsvDialect,
    at: usize,
    line: usize,
    budget: usize,
    /// Bytes that may end a field, or mean something within it.
    stops: [bool; 256],
    out: Records,
}

/// How the search for a closing quote ended.
enum Quoted {
    /// At this position.
    Closed(usize),
    /// Text follows the closing quote at this position.
    Continued(usize),
    /// The opening quote is a character like others.
    Stray,
    /// The text is over.
    Open,
}

impl Reader<'_> {
    fn records(&mut self) {
        let mut after_blank = false;
        while self.at < self.text.len() {
            if self.is_break(self.at) {
                self.end_line();
                after_blank = true;
            } else if self.is_comment() {
                self.out.comments.push(self.line);
                self.skip_line();
            } else {
                self.record(after_blank);
                after_blank = false;
            }
        }
    }

    fn record(&mut self, after_blank: bool) {
        let (start, line) = (self.at, self.line);
        let mut row =
            Row { first: self.out.cells.len(), width: 0, line, lines: 1, odd: 0, mended: 0, open: false, after_blank };
        self.skip_blanks_before_fields();
        loop {
            self.field(&mut row);
            let Some(length) = self.delimiter_at(self.at) else { break };
            self.at += length;
            if self.dialect.delimiter == Delimiter::Whitespace && self.is_end_of_line(self.at) {
                break;
            }
        }
        row.width = self.out.cells.len() - row.first;
        let breaks = count_breaks(&self.text[start..self.at]);
        row.lines += breaks;
        self.line += breaks;
        self.end_line();
        self.out.rows.push(row);
    }

    fn field(&mut self, row: &mut Row) {
        let start = self.out.text.len();
        let from = self.at;
        if self.dialect.trim {
            self.skip_blanks();
        }
        let opens = self.dialect.quote.is_some_and(|quote| self.text.get(self.at) == Some(&quote)) && self.budget > 0;
        let mut quoted = false;
        if opens {
            let open = self.at;
            quoted = true;
            match self.quoted(row) {
                Quoted::Closed(at) => self.at = at,
                Quoted::Continued(at) => {
                    row.odd += 1;
                    self.at = at;
                    self.unquoted();
                }
                Quoted::Open => {
                    row.odd += 1;
                    row.open = true;
                    self.at = self.text.len();
                }
                Quoted::Stray => {
                    row.mended += 1;
                    quoted = false;
                    self.out.text.truncate(start);
                    self.at = open;
                    self.unquoted();
                }
            }
        } else {
            self.unquoted();
        }
        let padded = !quoted && self.dialect.trim;
        let mut cell = Cell { start, end: self.out.text.len(), quoted };
        if padded {
            let text = &self.out.text[start..];
            let lead = text.len() - text.trim_ascii_start().len();
            cell.start += lead;
            cell.end = cell.start + text.trim_ascii().len();
        }
        debug_assert!(self.at > from || self.is_end_of_line(from) || self.delimiter_at(from).is_some());
        self.out.cells.push(cell);
    }

    /// Takes text up to the next delimiter or the end of the line.
    fn unquoted(&mut self) {
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            let plain = rest.iter().position(|byte| self.stops[usize::from(*byte)]).unwrap_or(rest.len());
            self.out.text.extend_from_slice(&rest[..plain]);
            self.at += plain;
            let Some(&byte) = self.text.get(self.at) else { break };
            if Some(byte) == self.dialect.escape {
                let Some(&next) = self.text.get(self.at + 1) else { break };
                if next == b'N' {
                    self.out.text.push(byte);
                }
                self.out.text.push(next);
                self.at += 2;
                continue;
            }
            if self.is_break(self.at) || self.delimiter_at(self.at).is_some() {
                return;
            }
            if byte != 0 || !self.dialect.drop_nul {
                self.out.text.push(byte);
            }
            self.at += 1;
        }
        self.at = self.text.len();
    }

    /// Takes the text from the opening quote on.
    fn quoted(&mut self, row: &mut Row) -> Quoted {
        let quote = self.text[self.at];
        let open = self.at;
        let mut at = open + 1;
        let mended = row.mended;
        let escape = self.dialect.escape.unwrap_or(quote);
        let ended = loop {
            let rest = &self.text[at..];
            let plain = memchr::memchr2(quote, escape, rest).unwrap_or(rest.len());
            self.out.text.extend_from_slice(&rest[..plain]);
            at += plain;
            let Some(&byte) = self.text.get(at) else {
                break if self.dialect.stray_quotes == StrayQuotes::Literal { Quoted::Stray } else { Quoted::Open };
            };
            let next = self.text.get(at + 1);
            if Some(byte) == self.dialect.escape && byte != quote && next.is_some() {
                self.out.text.extend(next);
                at += 2;
            } else if byte != quote {
                self.out.text.push(byte);
                at += 1;
            } else if next == Some(&quote) {
                self.out.text.push(quote);
                at += 2;
            } else if let Some(end) = self.closes(at + 1) {
                break Quoted::Closed(end);
            } else if self.dialect.stray_quotes != StrayQuotes::Literal {
                break Quoted::Continued(at + 1);
            } else if at > open + 1 && self.is_behind_delimiter(at) {
                break Quoted::Stray;
            } else {
                row.mended += 1;
                self.out.text.push(quote);
                at += 1;
            }
        };
        if matches!(ended, Quoted::Stray) {
            self.budget = self.budget.saturating_sub(at - open);
            row.mended = mended;
        }
        ended
    }

    /// The end of a field whose closing quote ends here; none if it goes on.
    fn closes(&self, at: usize) -> Option<usize> {
        let blanks = if self.dialect.trim { count_blanks(&self.text[at..]) } else { 0 };
        [at, at + blanks].into_iter().find(|at| self.is_end_of_line(*at) || self.delimiter_at(*at).is_some())
    }

    fn is_behind_delimiter(&self, at: usize) -> bool {
        let before = &self.text[..at];
        match &self.dialect.delimiter {
            Delimiter::Whitespace => matches!(before.last(), Some(b' ' | b'\t' | b'\n' | b'\r')),
            delimiter => {
                let before = if self.dialect.trim { before.trim_ascii_end() } else { before };
                before.ends_with(delimiter.text()) || matches!(before.last(), Some(b'\n' | b'\r'))
            }
        }
    }

    /// The length of the delimiter here.
    fn delimiter_at(&self, at: usize) -> Option<usize> {
        let rest = self.text.get(at..)?;
        match &self.dialect.delimiter {
            Delimiter::Byte(byte) => (rest.first() == Some(byte)).then_some(1),
            Delimiter::Text(text) => rest.starts_with(text.as_bytes()).then_some(text.len()),
            Delimiter::Whitespace => Some(count_blanks(rest)).filter(|blanks| *blanks > 0),
        }
    }

    fn skip_blanks_before_fields(&mut self) {
        if self.dialect.delimiter == Delimiter::Whitespace {
            self.skip_blanks();
        }
    }

    fn skip_blanks(&mut self) {
        // A delimiter may itself be a tab or a blank.
        while matches!(self.text.get(self.at), Some(b' ' | b'\t')) {
            if self.dialect.delimiter != Delimiter::Whitespace && self.delimiter_at(self.at).is_some() {
                break;
            }
            self.at += 1;
        }
    }

    fn is_comment(&self) -> bool {
        let comment = self.dialect.bounds.comment.as_deref().unwrap_or_default();
        !comment.is_empty() && self.text[self.at..].starts_with(comment.as_bytes())
    }

    fn is_break(&self, at: usize) -> bool {
        matches!(self.text.get(at), Some(b'\n' | b'\r'))
    }

    fn is_end_of_line(&self, at: usize) -> bool {
        at >= self.text.len() || self.is_break(at)
    }

    fn skip_line(&mut self) {
        self.at = line_end(self.text, self.at);
        self.end_line();
    }

    fn end_line(&mut self) {
        if self.text.get(self.at) == Some(&b'\r') && self.text.get(self.at + 1) == Some(&b'\n') {
            self.at += 1;
        }
        self.at = (self.at + 1).min(self.text.len());
        self.line += 1;
    }
}

fn stops(dialect: &CsvDialect) -> [bool; 256] {
    let mut stops = [false; 256];
    let delimiter = if dialect.delimiter == Delimiter::Whitespace { b" \t" } else { dialect.delimiter.text() };
    let delimiter =
        if dialect.delimiter == Delimiter::Whitespace { delimiter } else { &delimiter[..delimiter.len().min(1)] };
    let nul = dialect.drop_nul.then_some(0);
    for byte in delimiter.iter().copied().chain(dialect.escape).chain(nul).chain(*b"\r\n") {
        stops[usize::from(byte)] = true;
    }
    stops
}

/// Where the line from `at` on ends.
pub(super) fn line_end(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    memchr::memchr2(b'\n', b'\r', rest).map_or(text.len(), |end| at + end)
}

fn count_blanks(text: &[u8]) -> usize {
    text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

fn count_breaks(text: &[u8]) -> usize {
    memchr::memchr2_iter(b'\n', b'\r', text).filter(|at| text[*at] == b'\n' || text.get(at + 1) != Some(&b'\n')).count()
}
