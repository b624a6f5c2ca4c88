//! Finds the fields of a record in a buffer, by the rules of a dialect.

use super::record::Record;
use crate::model::{CsvDialect, Delimiter, StrayQuotes};

/// How long a quoted field can be where quotes may be stray. A longer one more likely means a quote that is never closed.
const LONGEST_QUOTED: usize = 1 << 20;

/// The same after many quotes that were never closed.
const SHORTEST_QUOTED: usize = 1 << 10;

/// How far to look for a closing quote where quotes may be stray: less far with each one that is not found, so that a file full of
/// them takes no longer than others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience(usize);

impl Default for Patience {
    fn default() -> Self {
        Self(LONGEST_QUOTED)
    }
}

impl Patience {
    /// What is left of it after a record.
    pub(super) fn after(self, record: &Record) -> Self {
        Self((self.0 >> record.unclosed.min(10)).max(SHORTEST_QUOTED))
    }
}

/// The buffer ends before it is clear how to go on.
pub(super) struct More;

/// What follows in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// A delimiter that ends here.
    Delimiter(usize),
    /// The end of the record, with its line break.
    End(usize),
    /// Something else.
    Other,
}

/// The end of the record that begins in front of these bytes of a messy file, with its line break; none if it may go on behind
/// them.
pub fn record_end(dialect: &CsvDialect, bytes: &[u8], is_last: bool) -> Option<usize> {
    let reader = Reader { dialect, bytes, is_last, patience: Patience::default() };
    reader.record(0, &mut Record::default()).ok()
}

/// Reads records of a buffer.
pub(super) struct Reader<'a> {
    pub(super) dialect: &'a CsvDialect,
    pub(super) bytes: &'a [u8],
    /// Whether nothing follows the buffer.
    pub(super) is_last: bool,
    pub(super) patience: Patience,
}

/// How a quoted field ended.
enum Quoted {
    /// Behind the closing quote.
    Closed(usize),
    /// Its opening quote was a character like others.
    Stray,
}

impl Reader<'_> {
    /// Reads the record that begins at `at`; gives where the next one begins.
    ///
    /// # Errors
    /// If the buffer ends first.
    pub(super) fn record(&self, mut at: usize, record: &mut Record) -> Result<usize, More> {
        record.clear();
        let whitespace = self.dialect.delimiter == Delimiter::Whitespace;
        if whitespace {
            at = self.after_blanks(at)?;
            if let Next::End(end) = self.next(at)? {
                return Ok(end);
            }
        }
        loop {
            at = self.field(at, record)?;
            record.end_field();
            match self.next(at)? {
                Next::End(end) => return Ok(end),
                Next::Delimiter(end) if whitespace => match self.next(end)? {
                    Next::End(end) => return Ok(end),
                    _ => at = end,
                },
                Next::Delimiter(end) => at = end,
                Next::Other => unreachable!("a field ends at a delimiter or with its record"),
            }
        }
    }

    /// Reads one field; gives where its delimiter begins.
    fn field(&self, at: usize, record: &mut Record) -> Result<usize, More> {
        let begin = if self.dialect.trim { self.after_blanks(at)? } else { at };
        record.quoted = false;
        if let Some(quote) = self.dialect.quote
            && self.byte(begin)? == Some(quote)
        {
            let from = record.text.len();
            if let Quoted::Closed(end) = self.quoted(begin + 1, quote, record)? {
                record.quoted = true;
                let end = if self.dialect.trim { self.after_blanks(end)? } else { end };
                if self.next(end)? != Next::Other {
                    return Ok(end);
                }
                self.note_stray(record);
                return self.unquoted(end, record);
            }
            record.text.truncate(from);
        }
        self.unquoted(begin, record)
    }

    /// Reads text outside quotes.
    fn unquoted(&self, mut at: usize, record: &mut Record) -> Result<usize, More> {
        let from = record.text.len();
        let (begin, quote) = (at, self.dialect.quote);
        let first = self.dialect.delimiter.text()[0];
        let whitespace = self.dialect.delimiter == Delimiter::Whitespace;
        loop {
            let special = |byte: &u8| {
                matches!(byte, b'\n' | b'\r')
                    || *byte == first
                    || whitespace && *byte == b'\t'
                    || Some(*byte) == self.dialect.escape
                    || Some(*byte) == quote
            };
            let length = self.bytes[at..].iter().position(special).unwrap_or(self.bytes.len() - at);
            record.text.extend_from_slice(&self.bytes[at..at + length]);
            at += length;
            let Some(byte) = self.byte(at)? else { break };
            if Some(byte) == self.dialect.escape {
                at = self.escaped(at, begin, record)?;
                continue;
            }
            if self.next(at)? != Next::Other {
                break;
            }
            if Some(byte) == quote {
                self.note_stray(record);
            }
            record.text.push(byte);
            at += 1;
        }
        if self.dialect.trim {
            let blanks = record.text[from..].iter().rev().take_while(|byte| is_blank(**byte)).count();
            record.text.truncate(record.text.len() - blanks);
        }
        Ok(at)
    }

    /// Reads an escape and the character after it. `\N`, which means null in some databases, stays if it is a whole field.
    fn escaped(&self, at: usize, begin: usize, record: &mut Record) -> Result<usize, More> {
        let Some(next) = self.byte(at + 1)? else {
            record.text.push(self.bytes[at]);
            return Ok(at + 1);
        };
        if next == b'\r' && self.byte(at + 2)? == Some(b'\n') {
            // A line break of two characters is escaped as one.
            record.text.extend_from_slice(b"\r\n");
            return Ok(at + 3);
        }
        if next == b'N' && at == begin && self.bytes[at] == b'\\' && self.next(at + 2)? != Next::Other {
            record.text.push(b'\\');
        }
        record.text.push(next);
        Ok(at + 2)
    }

    /// Reads the text after an opening quote.
    fn quoted(&self, begin: usize, quote: u8, record: &mut Record) -> Result<Quoted, More> {
        let literal = self.dialect.stray_quotes == StrayQuotes::Literal;
        let mut at = begin;
        // Where the field ends if a doubled quote before a delimiter was an extra one and a closing one.
        let mut other_end = None;
        let stray = |other_end: Option<(usize, usize)>, record: &mut Record| match other_end {
            Some((length, end)) => {
                record.text.truncate(length);
                Quoted::Closed(end)
            }
            None => Quoted::Stray,
        };
        loop {
            let special = |byte: &u8| *byte == quote || Some(*byte) == self.dialect.escape;
            let length = self.bytes[at..].iter().position(special).unwrap_or(self.bytes.len() - at);
            record.text.extend_from_slice(&self.bytes[at..at + length]);
            at += length;
            if literal && (at - begin > self.patience.0 || self.is_last && at == self.bytes.len()) {
                record.unclosed += 1;
                return Ok(stray(other_end, record));
            }
            let Some(byte) = self.byte(at)? else { return Err(More) };
            let next = self.byte(at + 1)?;
            if Some(byte) == self.dialect.escape {
                record.text.push(next.unwrap_or(byte));
                at += if next.is_some() { 2 } else { 1 };
            } else if next == Some(quote) {
                record.text.push(quote);
                at += 2;
                if literal && other_end.is_none() && self.closes(at - 1)? {
                    other_end = Some((record.text.len(), at));
                }
            } else if !literal || self.closes(at)? {
                return Ok(Quoted::Closed(at + 1));
            } else if at > begin && self.opens(at) {
                return Ok(stray(other_end, record));
            } else {
                record.text.push(quote);
                at += 1;
            }
        }
    }

    /// Whether a field ends after the quote at `at`.
    fn closes(&self, at: usize) -> Result<bool, More> {
        let behind = if self.dialect.trim { self.after_blanks(at + 1)? } else { at + 1 };
        Ok(self.next(behind)? != Next::Other)
    }

    /// Whether the quote at `at` stands where a field begins.
    fn opens(&self, at: usize) -> bool {
        let mut before = &self.bytes[..at];
        if self.dialect.trim {
            let blanks = before.iter().rev().take_while(|byte| is_blank(**byte)).count();
            before = &before[..at - blanks];
        }
        let delimiter = before.ends_with(self.dialect.delimiter.text());
        delimiter
            || self.dialect.delimiter == Delimiter::Whitespace && before.ends_with(b"\t")
            || matches!(before.last(), None | Some(b'\n' | b'\r'))
    }

    /// What follows at `at`.
    fn next(&self, at: usize) -> Result<Next, More> {
        let Some(byte) = self.byte(at)? else { return Ok(Next::End(at)) };
        match byte {
            b'\n' => return Ok(Next::End(at + 1)),
            b'\r' => return Ok(Next::End(at + if self.byte(at + 1)? == Some(b'\n') { 2 } else { 1 })),
            _ => {}
        }
        match &self.dialect.delimiter {
            Delimiter::Byte(delimiter) if byte == *delimiter => Ok(Next::Delimiter(at + 1)),
            Delimiter::Byte(_) => Ok(Next::Other),
            Delimiter::Whitespace if is_blank(byte) => Ok(Next::Delimiter(self.after_blanks(at)?)),
            Delimiter::Whitespace => Ok(Next::Other),
            Delimiter::Text(text) => {
                Ok(if self.starts(at, text.as_bytes())? { Next::Delimiter(at + text.len()) } else { Next::Other })
            }
        }
    }

    /// Whether the bytes at `at` are these.
    ///
    /// # Errors
    /// If the buffer ends first.
    pub(super) fn starts(&self, at: usize, with: &[u8]) -> Result<bool, More> {
        let here = &self.bytes[at.min(self.bytes.len())..];
        let known = here.len().min(with.len());
        if here[..known] != with[..known] {
            return Ok(false);
        }
        if known < with.len() && !self.is_last { Err(More) } else { Ok(known == with.len()) }
    }

    /// Where the next line begins.
    ///
    /// # Errors
    /// If the buffer ends first.
    pub(super) fn after_line(&self, at: usize) -> Result<usize, More> {
        match memchr::memchr2(b'\n', b'\r', &self.bytes[at..]) {
            Some(found) if self.bytes[at + found] == b'\n' => Ok(at + found + 1),
            Some(found) => Ok(at + found + if self.byte(at + found + 1)? == Some(b'\n') { 2 } else { 1 }),
            None if self.is_last => Ok(self.bytes.len()),
            None => Err(More),
        }
    }

    /// Behind the blanks at `at`. A delimiter is none.
    fn after_blanks(&self, mut at: usize) -> Result<usize, More> {
        while let Some(byte) = self.byte(at)?
            && is_blank(byte)
        {
            let delimiter = match &self.dialect.delimiter {
                Delimiter::Byte(delimiter) => byte == *delimiter,
                Delimiter::Text(text) => self.starts(at, text.as_bytes())?,
                Delimiter::Whitespace => false,
            };
            if delimiter {
                break;
            }
            at += 1;
        }
        Ok(at)
    }

    /// The byte at `at`; none at the end of the text.
    fn byte(&self, at: usize) -> Result<Option<u8>, More> {
        match self.bytes.get(at) {
            None if !self.is_last => Err(More),
            byte => Ok(byte.copied()),
        }
    }

    fn note_stray(&self, record: &mut Record) {
        if self.dialect.stray_quotes == StrayQuotes::Fail {
            record.note_stray();
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
