//! Cuts a stream of bytes into records: whole ones, with their line breaks, as many as asked for.

use crate::model::{Items, line_breaks};
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

/// What ends a record.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// A line feed.
    LineFeed,
    /// A line break of any kind, outside quotes.
    Csv { quote: Option<u8>, delimiter: u8 },
}

/// Cuts one stream.
pub struct Cutter {
    input: Box<dyn Read + Send>,
    rule: Rule,
    buffer: Vec<u8>,
    /// What of the buffer is used up.
    start: usize,
    /// The line at `start`, from 1.
    line: u64,
    ended: bool,
    /// Why the input cannot be read on; told once the records before it are given out.
    broken: Option<io::Error>,
}

/// Where a scan stopped.
enum Scan {
    /// The record ends here, its line break included.
    End(usize),
    /// The buffer ends first.
    More,
}

impl Cutter {
    /// Cuts the text of a CSV file.
    pub fn of_csv(input: Box<dyn Read + Send>, quote: Option<u8>, delimiter: u8) -> Self {
        Self::new(input, Rule::Csv { quote, delimiter })
    }

    /// Cuts text into lines.
    pub fn of_lines(input: Box<dyn Read + Send>) -> Self {
        Self::new(input, Rule::LineFeed)
    }

    fn new(input: Box<dyn Read + Send>, rule: Rule) -> Self {
        Self { input, rule, buffer: Vec::new(), start: 0, line: 1, ended: false, broken: None }
    }

    /// The next records, up to `most`; empty at the end. Lines without anything on them are passed over.
    ///
    /// # Errors
    /// Where the input cannot be read on, or ends inside quotes; what was cut before is given out first.
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
                self.line += if matches!(self.rule, Rule::LineFeed) { ends.len() as u64 } else { line_breaks(copied) };
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
                        self.last(&mut cut)?;
                        break;
                    }
                    // What is whole is given out, the error with the next call.
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
        // With a line break behind it, it ends; or else it is still inside quotes.
        self.buffer.push(b'\n');
        let open = matches!(self.scan(self.start), Scan::More);
        self.buffer.pop();
        if open {
            let message = format!("a quote in the record at line {} is not closed before the end", self.line);
            let error = io::Error::new(io::ErrorKind::InvalidData, message);
            self.buffer.clear();
            self.start = 0;
            if cut.items.is_empty() {
                return Err(error);
            }
            self.broken = Some(error);
            return Ok(());
        }
        let rest = std::mem::take(&mut self.start);
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

    /// Reads on until there is no room left, so that what is there is not looked through again for every few bytes; false
    /// at the end.
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
            self.start = 0;
        }
        if self.buffer.len() > LONGEST {
            let message =
                format!("the record at line {} is longer than 64 MiB; is a quote not closed there?", self.line);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let old = self.buffer.len();
        self.buffer.resize(old + CHUNK.max(old), 0);
        let mut filled = old;
        while filled < self.buffer.len() && !self.ended && self.broken.is_none() {
            match self.input.read(&mut self.buffer[filled..]) {
                Ok(read) => {
                    filled += read;
                    self.ended = read == 0;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.broken = Some(error),
            }
        }
        self.buffer.truncate(filled);
        if filled > old { Ok(true) } else { self.broken.take().map_or(Ok(false), Err) }
    }

    /// Looks for the end of the record that begins at `from`.
    fn scan(&self, from: usize) -> Scan {
        let buffer = &self.buffer;
        let Rule::Csv { quote, delimiter } = self.rule else {
            return memchr::memchr(b'\n', &buffer[from..]).map_or(Scan::More, |at| Scan::End(from + at + 1));
        };
        // Without a quote, a line feed is looked for twice.
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
            // A quote in the middle of a field is a letter like any other.
            if place == from || buffer[place - 1] == delimiter {
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

fn is_blank(record: &[u8]) -> bool {
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
        let mut cutter = Cutter::of_csv(Box::new(Drops(text.as_bytes().to_vec().into_iter())), Some(b'"'), b',');
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
    fn a_quote_that_is_never_closed_is_an_error_behind_what_is_whole() {
        let text = b"a\n\"b\nc\n";
        let mut cutter = Cutter::of_csv(Box::new(&text[..]), Some(b'"'), b',');
        assert_eq!(cutter.cut(9).unwrap().items.len(), 1);
        assert!(cutter.cut(9).unwrap_err().to_string().contains("line 2"));
        assert!(cutter.cut(9).unwrap().items.is_empty());
    }

    #[test]
    fn any_line_break_ends_a_record() {
        let expected =
            [(1, vec!["a\r".to_owned(), "\"b\rc\"\r".to_owned(), "d\r\n".to_owned()]), (5, vec!["e\r".to_owned()])];
        assert_eq!(records("a\r\"b\rc\"\rd\r\ne\r", 3), expected);
    }

    #[test]
    fn an_error_of_the_input_comes_behind_what_is_whole_and_once() {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let mut cutter = Cutter::of_lines(Box::new(b"a\nb\nhal".chain(Fails)));
        assert_eq!(cutter.cut(1).unwrap().items.len(), 1);
        assert_eq!(cutter.cut(9).unwrap().items.len(), 1);
        assert_eq!(cutter.cut(9).unwrap_err().to_string(), "gone");
    }

    #[test]
    fn nothing_has_no_records() {
        assert!(records("", 3).is_empty() && records("\n\r\n", 3).is_empty());
    }
}
