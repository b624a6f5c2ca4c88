//! Cuts a stream of bytes into records: whole ones, with their line breaks, as many as asked for.

use crate::model::Items;
use std::io::{self, Read};

/// How much is read at a time.
const CHUNK: usize = 256 << 10;

/// The longest record: beyond it, a quote that is never closed is the likelier explanation.
const LONGEST: usize = 64 << 20;

/// Whole records at the front of a buffer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// The records, each with its line break.
    pub items: Items,
    /// The line at which the first of them begins, from 1.
    pub line: u64,
}

/// Whole records as they lie in the buffer, empty lines among them.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// The records, each with its line break.
    pub bytes: &'a [u8],
    /// Where each ends.
    pub ends: &'a [usize],
    /// The line at which the first of them begins, from 1.
    pub line: u64,
}

impl<'a> Block<'a> {
    /// The records, and where each begins.
    pub fn records(self) -> impl Iterator<Item = (usize, &'a [u8])> {
        let mut from = 0;
        self.ends.iter().map(move |end| {
            let begin = std::mem::replace(&mut from, *end);
            (begin, &self.bytes[begin..*end])
        })
    }

    /// The line of the record that begins there.
    pub fn line_at(&self, begin: usize) -> u64 {
        self.line + lines(&self.bytes[..begin])
    }
}

/// Cuts one stream.
pub struct Cutter {
    input: Box<dyn Read + Send>,
    quote: Option<u8>,
    delimiter: u8,
    buffer: Vec<u8>,
    /// What of the buffer is used up.
    start: usize,
    /// The line at `start`, from 1.
    line: u64,
    /// How much of the stream lies before the buffer.
    passed: u64,
    ended: bool,
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
    /// Cuts what `input` gives. Without a `quote` each line is a record.
    pub fn new(input: Box<dyn Read + Send>, quote: Option<u8>, delimiter: u8) -> Self {
        let (buffer, ends) = (Vec::new(), Vec::new());
        Self { input, quote, delimiter, buffer, start: 0, line: 1, passed: 0, ended: false, ends }
    }

    /// How many bytes of the stream were given out or passed over.
    pub fn taken(&self) -> u64 {
        self.passed + self.start as u64
    }

    /// All whole records that are in the buffer, read on where there is none; none at the end. Nothing is copied.
    ///
    /// # Errors
    /// Where the input cannot be read on.
    pub fn block(&mut self) -> io::Result<Option<Block<'_>>> {
        let mut ends = std::mem::take(&mut self.ends);
        ends.clear();
        let from = loop {
            let from = self.start;
            self.find(from, &mut ends);
            if !ends.is_empty() {
                break from;
            }
            if !self.more()? {
                let rest = self.buffer.len() - self.start;
                if rest == 0 {
                    return Ok(None);
                }
                // The last record has no line break.
                ends.push(rest);
                break self.start;
            }
        };
        self.start = from + ends.last().copied().unwrap_or(0);
        self.ends = ends;
        let (line, bytes) = (self.line, &self.buffer[from..self.start]);
        self.line += lines(bytes);
        Ok(Some(Block { bytes, ends: &self.ends, line }))
    }

    /// Where the records in the buffer end, counted from where the first begins.
    fn find(&self, from: usize, ends: &mut Vec<usize>) {
        let bytes = &self.buffer[from..];
        if self.quote.is_none_or(|quote| memchr::memchr(quote, bytes).is_none()) {
            ends.extend(memchr::memchr_iter(b'\n', bytes).map(|at| at + 1));
            return;
        }
        let mut at = from;
        while let Scan::End(end) = self.scan(at) {
            ends.push(end - from);
            at = end;
        }
    }

    /// The next records, up to `most`; empty at the end. Lines without anything on them are passed over.
    ///
    /// # Errors
    /// Where the input cannot be read on; what was cut before is given out first.
    pub fn cut(&mut self, most: usize) -> io::Result<Cut> {
        let mut cut = Cut { line: self.line, ..Cut::default() };
        while cut.items.len() < most && !cut.items.is_full() {
            // Records that follow each other are copied together.
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
                self.line += if self.quote.is_none() { ends.len() as u64 } else { lines(copied) };
                cut.items.extend(copied, &ends);
                self.start = at;
            }
            if let Some(end) = blank {
                // A batch knows its lines by counting from the first: a gap ends it.
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
                        self.last(&mut cut);
                        break;
                    }
                    // What is whole is given out; the error comes again with the next call.
                    Err(_) if !cut.items.is_empty() => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(cut)
    }

    /// The last record, which may have no line break.
    fn last(&mut self, cut: &mut Cut) {
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
    }

    /// Reads on; false at the end.
    fn more(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.passed += self.start as u64;
            self.start = 0;
        }
        if self.buffer.len() > LONGEST {
            let message =
                format!("the record at line {} is longer than 64 MiB; is a quote not closed there?", self.line);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let old = self.buffer.len();
        self.buffer.resize(old + CHUNK.max(old), 0);
        loop {
            match self.input.read(&mut self.buffer[old..]) {
                Ok(read) => {
                    self.buffer.truncate(old + read);
                    self.ended = read == 0;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.truncate(old);
                    return Err(error);
                }
            }
        }
    }

    /// Looks for the end of the record that begins at `from`.
    fn scan(&self, from: usize) -> Scan {
        let buffer = &self.buffer;
        let Some(quote) = self.quote else {
            return memchr::memchr(b'\n', &buffer[from..]).map_or(Scan::More, |at| Scan::End(from + at + 1));
        };
        let mut at = from;
        loop {
            let Some(found) = memchr::memchr2(b'\n', quote, &buffer[at..]) else { return Scan::More };
            let place = at + found;
            if buffer[place] == b'\n' {
                return Scan::End(place + 1);
            }
            at = place + 1;
            // A quote in the middle of a field is a letter like any other.
            if place == from || buffer[place - 1] == self.delimiter {
                match closing(buffer, at, quote) {
                    Some(end) => at = end,
                    None => return Scan::More,
                }
            }
        }
    }
}

/// Behind the quote that closes the field which opened before `at`; none where the buffer ends before that is known.
fn closing(buffer: &[u8], mut at: usize, quote: u8) -> Option<usize> {
    loop {
        let place = at + memchr::memchr(quote, &buffer[at..])?;
        if *buffer.get(place + 1)? != quote {
            return Some(place + 1);
        }
        at = place + 2;
    }
}

fn lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// Whether nothing stands on the line.
pub(super) fn is_blank(record: &[u8]) -> bool {
    matches!(record, b"" | b"\n" | b"\r\n" | b"\r")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Drops(std::vec::IntoIter<u8>);

    impl Read for Drops {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            Ok(self.0.next().map_or(0, |byte| {
                buffer[0] = byte;
                1
            }))
        }
    }

    fn records(text: &str, most: usize) -> Vec<(u64, Vec<String>)> {
        let mut cutter = Cutter::new(Box::new(Drops(text.as_bytes().to_vec().into_iter())), Some(b'"'), b',');
        let mut all = Vec::new();
        loop {
            let cut = cutter.cut(most).unwrap();
            if cut.items.is_empty() {
                return all;
            }
            all.push((cut.line, cut.items.iter().map(|it| String::from_utf8(it.to_vec()).unwrap()).collect()));
        }
    }

    #[test]
    fn records_are_cut_at_line_breaks_outside_quotes() {
        let text = "a,b\n\"x\ny\",1\r\n5\" pipe,\"say \"\"hi\"\"\"\n\n\r\nlast,";
        let expected = [
            (1, vec!["a,b\n".to_owned(), "\"x\ny\",1\r\n".to_owned()]),
            (4, vec!["5\" pipe,\"say \"\"hi\"\"\"\n".to_owned()]),
            (7, vec!["last,".to_owned()]),
        ];
        assert_eq!(records(text, 2), expected);
        let one_by_one: Vec<u64> = records(text, 1).into_iter().map(|(line, _)| line).collect();
        assert_eq!(one_by_one, [1, 2, 4, 7]);
    }

    #[test]
    fn a_quote_that_is_never_closed_takes_the_rest() {
        assert_eq!(records("a\n\"b\nc\n", 9), [(1, vec!["a\n".to_owned(), "\"b\nc\n".to_owned()])]);
    }

    #[test]
    fn nothing_has_no_records() {
        assert!(records("", 3).is_empty() && records("\n\r\n", 3).is_empty());
    }
    #[test]
    fn blocks_hold_the_records_that_cuts_hold() {
        let text = "a,b\n\"x\ny\",1\r\n\n5\" pipe,2\nlast,";
        for whole in [true, false] {
            let drops: Box<dyn Read + Send> = match whole {
                true => Box::new(io::Cursor::new(text)),
                false => Box::new(Drops(text.as_bytes().to_vec().into_iter())),
            };
            let mut cutter = Cutter::new(drops, Some(b'"'), b',');
            let mut all = Vec::new();
            while let Some(block) = cutter.block().unwrap() {
                let record = |(begin, record): (usize, &[u8])| {
                    (block.line_at(begin), String::from_utf8(record.to_vec()).unwrap())
                };
                all.extend(block.records().map(record));
            }
            let expected = [(1, "a,b\n"), (2, "\"x\ny\",1\r\n"), (4, "\n"), (5, "5\" pipe,2\n"), (6, "last,")];
            assert_eq!(all, expected.map(|(line, text)| (line, text.to_owned())));
            assert_eq!(cutter.taken(), text.len() as u64);
        }
    }
}
