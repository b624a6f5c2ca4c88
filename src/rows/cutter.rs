//! Cuts a stream of bytes into whole records with their line breaks, as many as requested.
//!
//! The `csv` crate gives only copies of parsed fields; records must keep their bytes, because workers parse them.

use super::block::Block;
use super::messy::Rewriter;
use super::reading::{CsvReading, LONGEST_RECORD, too_long, unclosed};
use crate::model::{Items, line_breaks};
use std::io::{self, Read};

/// How much is read at a time.
const CHUNK: usize = 256 << 10;

/// A record of this size is looked at again with every line that a stream gives, a larger one when it has doubled.
const SMALL: usize = 64 << 10;

/// Consecutive records, cut from a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// The records, each with its line break.
    pub items: Items,
    /// The line at which the first record begins, from 1.
    pub line: u64,
}

/// What ends a record.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// A line feed.
    LineFeed,
    /// A line break of any kind, outside quotes.
    Csv { quote: Option<u8>, delimiter: u8 },
}

/// Cuts one stream into records.
pub struct Cutter {
    input: Box<dyn Read + Send>,
    rule: Rule,
    buffer: Vec<u8>,
    /// How much of the buffer has been used.
    start: usize,
    /// The line at `start`, from 1.
    line: u64,
    /// How much of the stream came before the buffer.
    passed: u64,
    ended: bool,
    /// Why the input cannot be read further; reported after the records before it.
    broken: Option<io::Error>,
    /// Whether records are given as soon as they are here.
    is_stream: bool,
    /// For [`Self::block`].
    ends: Vec<usize>,
}

/// Where a scan stopped.
enum Scan {
    /// The record ends here, its line break included.
    End(usize),
    /// The buffer ends first.
    More,
}

impl Cutter {
    /// The longest record. A longer one more likely means a quote that is never closed.
    pub const LONGEST: usize = LONGEST_RECORD;

    /// Cuts the text of a CSV file. The records of a messy one are those of a plain one that says the same.
    pub fn of_csv(input: Box<dyn Read + Send>, reading: &CsvReading) -> Self {
        let (form, must_rewrite) = reading.cut();
        let input = match must_rewrite {
            true => Box::new(Rewriter::new(input, reading.dialect.clone(), reading.columns)),
            false => input,
        };
        Self::new(input, Rule::Csv { quote: form.quote, delimiter: form.delimiter })
    }

    /// Cuts text into lines.
    pub fn of_lines(input: Box<dyn Read + Send>) -> Self {
        Self::new(input, Rule::LineFeed)
    }

    fn new(input: Box<dyn Read + Send>, rule: Rule) -> Self {
        let (buffer, ends) = (Vec::new(), Vec::new());
        Self { input, rule, buffer, start: 0, line: 1, passed: 0, ended: false, broken: None, is_stream: false, ends }
    }

    /// The same of a stream whose bytes come when they come: whole records do not wait for those that follow.
    pub fn of_stream(self) -> Self {
        Self { is_stream: true, ..self }
    }

    /// How many whole records the buffer has, up to `most`.
    pub fn at_hand(&self, most: usize) -> usize {
        let (mut at, mut count) = (self.start, 0);
        while count < most
            && let Scan::End(end) = self.scan(at)
        {
            count += usize::from(!is_blank(&self.buffer[at..end]));
            at = end;
        }
        count
    }

    /// How many bytes of the stream have been cut or skipped.
    pub fn taken(&self) -> u64 {
        self.passed + self.start as u64
    }

    /// All whole records in the buffer, which is filled if it has none; none at the end. Nothing is copied.
    ///
    /// # Errors
    /// If the input cannot be read further, or ends inside quotes. Whole records before that come first.
    pub fn block(&mut self) -> io::Result<Option<Block<'_>>> {
        let mut ends = std::mem::take(&mut self.ends);
        ends.clear();
        let mut flat = false;
        while ends.is_empty() {
            flat = self.find(&mut ends);
            if ends.is_empty() && !self.more()? {
                self.check_last()?;
                let rest = self.buffer.len() - self.start;
                if rest == 0 {
                    return Ok(None);
                }
                // The last record has no line break, or half of one.
                ends.push(rest);
            }
        }
        let from = self.start;
        self.start = from + ends.last().copied().unwrap_or(0);
        self.ends = ends;
        let (line, bytes) = (self.line, &self.buffer[from..self.start]);
        self.line += if flat { self.ends.len() as u64 } else { line_breaks(bytes) };
        Ok(Some(Block { bytes, ends: &self.ends, line, flat }))
    }

    /// Finds where the records in the buffer end, counted from where the first begins. True if each is one line.
    fn find(&self, ends: &mut Vec<usize>) -> bool {
        let bytes = &self.buffer[self.start..];
        let flat = match self.rule {
            Rule::LineFeed => true,
            Rule::Csv { quote, .. } => {
                quote.is_none_or(|quote| memchr::memchr(quote, bytes).is_none()) && !has_lone_return(bytes)
            }
        };
        if flat {
            ends.extend(memchr::memchr_iter(b'\n', bytes).map(|at| at + 1));
            return true;
        }
        let mut at = self.start;
        while let Scan::End(end) = self.scan(at) {
            ends.push(end - self.start);
            at = end;
        }
        false
    }

    /// The next records, up to `most`; empty at the end. Empty lines are skipped.
    ///
    /// # Errors
    /// If the input cannot be read further, or ends inside quotes. Whole records before that come first.
    pub fn cut(&mut self, most: usize) -> io::Result<Cut> {
        let mut cut = Cut { line: self.line, ..Cut::default() };
        while cut.items.len() < most && !cut.items.is_full() {
            // Consecutive records are copied together.
            let from = self.start;
            let mut ends = Vec::new();
            let mut at = from;
            let (mut blank, mut short) = (None, false);
            while cut.items.len() + ends.len() < most {
                match self.scan(at) {
                    Scan::End(end) if is_blank(&self.buffer[at..end]) => {
                        blank = Some(end);
                        break;
                    }
                    Scan::End(end) => {
                        ends.push(end - from);
                        at = end;
                    }
                    Scan::More => {
                        short = true;
                        break;
                    }
                }
            }
            if !ends.is_empty() {
                if cut.items.is_empty() {
                    cut.line = self.line;
                }
                let copied = &self.buffer[from..at];
                self.line += if matches!(self.rule, Rule::LineFeed) { ends.len() as u64 } else { line_breaks(copied) };
                cut.items.extend(copied, &ends);
                self.start = at;
            }
            if let Some(end) = blank {
                // The lines of a batch are counted from its first record, so a gap ends it.
                if !cut.items.is_empty() {
                    break;
                }
                self.line += 1;
                self.start = end;
                continue;
            }
            if short {
                match self.more() {
                    Ok(true) => {}
                    Ok(false) => {
                        self.last(&mut cut)?;
                        break;
                    }
                    // Whole records come first, the error with the next call.
                    Err(error) if !cut.items.is_empty() => {
                        self.broken = Some(error);
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(cut)
    }

    /// The last record, which may have no line break.
    fn last(&mut self, cut: &mut Cut) -> io::Result<()> {
        if let Err(error) = self.check_last() {
            if cut.items.is_empty() {
                return Err(error);
            }
            self.broken = Some(error);
            return Ok(());
        }
        let rest = std::mem::take(&mut self.start);
        self.passed += self.buffer.len() as u64;
        let record = self.buffer.split_off(rest);
        self.buffer.clear();
        if !is_blank(&record) {
            if cut.items.is_empty() {
                cut.line = self.line;
            }
            cut.items.push(&record);
        }
        Ok(())
    }

    /// Checks that the rest, which has no line break, is a record. If not, it is skipped.
    fn check_last(&mut self) -> io::Result<()> {
        // With a line break after it, the record ends, unless it is still inside quotes.
        self.buffer.push(b'\n');
        let open = matches!(self.scan(self.start), Scan::More);
        self.buffer.pop();
        if !open {
            return Ok(());
        }
        self.passed += self.buffer.len() as u64;
        self.buffer.clear();
        self.start = 0;
        Err(io::Error::new(io::ErrorKind::InvalidData, unclosed(self.line)))
    }

    /// Fills the buffer, so that what it holds is not searched again for every few bytes; false at the end.
    fn more(&mut self) -> io::Result<bool> {
        if let Some(error) = self.broken.take() {
            self.ended = true;
            return Err(error);
        }
        if self.ended {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.passed += self.start as u64;
            self.start = 0;
        }
        if self.buffer.len() > Self::LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, too_long(self.line)));
        }
        let old = self.buffer.len();
        self.buffer.resize(old + CHUNK.max(old), 0);
        let mut filled = old;
        while filled < self.buffer.len() && !self.ended && self.broken.is_none() {
            match self.input.read(&mut self.buffer[filled..]) {
                Ok(read) => {
                    let new = filled..filled + read;
                    filled += read;
                    self.ended = read == 0;
                    // A long record is not searched again with every line that comes.
                    let may_be_whole = self.is_stream && (old <= SMALL || filled >= 2 * old);
                    if may_be_whole && memchr::memchr2(b'\n', b'\r', &self.buffer[new]).is_some() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.broken = Some(error),
            }
        }
        self.buffer.truncate(filled);
        if filled > old { Ok(true) } else { self.broken.take().map_or(Ok(false), Err) }
    }

    /// Finds the end of the record that begins at `from`.
    fn scan(&self, from: usize) -> Scan {
        let buffer = &self.buffer;
        let Rule::Csv { quote, delimiter } = self.rule else {
            return memchr::memchr(b'\n', &buffer[from..]).map_or(Scan::More, |at| Scan::End(from + at + 1));
        };
        // Without a quote character, a line feed is searched for twice.
        let quote = quote.unwrap_or(b'\n');
        let mut at = from;
        loop {
            let Some(found) = memchr::memchr3(b'\n', b'\r', quote, &buffer[at..]) else { return Scan::More };
            let place = at + found;
            match (buffer[place], buffer.get(place + 1)) {
                (b'\n', _) => return Scan::End(place + 1),
                (b'\r', None) => return Scan::More,
                (b'\r', Some(b'\n')) => return Scan::End(place + 2),
                (b'\r', Some(_)) => return Scan::End(place + 1),
                _ => {}
            }
            at = place + 1;
            // A quote in the middle of a field is an ordinary character.
            if place == from || buffer[place - 1] == delimiter {
                match closing(buffer, at, quote) {
                    Some(end) => at = end,
                    None => return Scan::More,
                }
            }
        }
    }
}

/// The position after the quote that closes the field opened before `at`; none if the buffer ends before that is clear.
fn closing(buffer: &[u8], mut at: usize, quote: u8) -> Option<usize> {
    loop {
        let place = at + memchr::memchr(quote, &buffer[at..])?;
        if *buffer.get(place + 1)? != quote {
            return Some(place + 1);
        }
        at = place + 2;
    }
}

/// Whether a carriage return alone ends a line. What follows the last one is not known yet.
fn has_lone_return(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'\r', bytes).any(|at| bytes.get(at + 1).is_some_and(|next| *next != b'\n'))
}

/// Whether the line is empty.
pub(super) fn is_blank(record: &[u8]) -> bool {
    matches!(record, b"" | b"\n" | b"\r\n" | b"\r")
}

#[cfg(test)]
mod tests;
