//! Rewrites the text of a messy CSV file as plain CSV while it is read.

use super::fields::{More, Patience, Reader};
use super::record::Record;
use super::repair::{self, REST};
use crate::model::{CsvDialect, Ragged, TableBounds, line_breaks};
use crate::rows::bad_row::write_stray_quote;
use crate::rows::reading::{ColumnsFrom, LONGEST_RECORD, too_long, unclosed};
use std::collections::VecDeque;
use std::io::{self, Read};

/// How much is read at a time.
const CHUNK: usize = 256 << 10;

/// A record of this size is looked at again with every line that a stream gives, a larger one whenever it has doubled.
const SMALL: usize = 64 << 10;

/// Reads a messy CSV file as a plain one.
pub(in crate::rows) struct Rewriter<R> {
    input: R,
    dialect: CsvDialect,
    /// How many fields a row has, once that is known.
    width: Option<usize>,
    part: Part,
    raw: Vec<u8>,
    /// How much of `raw` has been rewritten.
    start: usize,
    /// The line at `start`, from 1.
    line: u64,
    ended: bool,
    out: Vec<u8>,
    /// How much of `out` has been handed out.
    taken: usize,
    /// Rows that may turn out to be the footer.
    held: VecDeque<Vec<u8>>,
    /// Reported after the rows before it.
    broken: Option<io::Error>,
    record: Record,
    patience: Patience,
}

/// What comes next in the file.
enum Part {
    /// Lines to skip before the header, how many.
    Preamble(u32),
    /// Records of the header, with those read so far, and the lines they took.
    Header(Vec<Record>, u64),
    /// Lines to skip after the header.
    BehindHeader(u32),
    Rows,
}

impl<R: Read> Rewriter<R> {
    pub(in crate::rows) fn new(input: R, dialect: CsvDialect, columns: ColumnsFrom) -> Self {
        let width = match columns {
            ColumnsFrom::Named(width) => Some(width),
            ColumnsFrom::Header | ColumnsFrom::FirstRow => None,
        };
        let part = Part::Preamble(dialect.bounds.skip_lines);
        // Without a header in the file, rows follow at once.
        let dialect = match columns {
            ColumnsFrom::Header => dialect,
            _ => CsvDialect { bounds: TableBounds { header_lines: 0, ..dialect.bounds.clone() }, ..dialect },
        };
        Self {
            input,
            dialect,
            width,
            part,
            raw: Vec::new(),
            start: 0,
            line: 1,
            ended: false,
            out: Vec::new(),
            taken: 0,
            held: VecDeque::new(),
            broken: None,
            record: Record::default(),
            patience: Patience::default(),
        }
    }

    /// Rewrites what is in the buffer, as far as it is whole.
    fn rewrite(&mut self) {
        while self.start < self.raw.len() || self.ended && matches!(self.part, Part::Header(..)) {
            if self.step().is_err() {
                break;
            }
        }
    }

    /// Rewrites the next line or record.
    fn step(&mut self) -> Result<(), More> {
        let reader = Reader { dialect: &self.dialect, bytes: &self.raw, is_last: self.ended, patience: self.patience };
        let at = self.start;
        let bounds = &self.dialect.bounds;
        match &mut self.part {
            Part::Preamble(0) => {
                self.part = if bounds.header_lines == 0 { Part::Rows } else { Part::Header(Vec::new(), 0) };
                return Ok(());
            }
            Part::BehindHeader(0) => {
                self.part = Part::Rows;
                return Ok(());
            }
            Part::Preamble(left) | Part::BehindHeader(left) => {
                let end = reader.after_line(at)?;
                *left -= 1;
                self.out.push(b'\n');
                self.pass(end);
                return Ok(());
            }
            Part::Header(..) | Part::Rows => {}
        }
        if let Some(comment) = &bounds.comment
            && reader.starts(at, comment.as_bytes())?
        {
            let end = reader.after_line(at)?;
            self.blank_lines(1);
            self.pass(end);
            return Ok(());
        }
        let end = if at == self.raw.len() { at } else { reader.record(at, &mut self.record)? };
        self.patience = self.patience.after(&self.record);
        let lines = line_breaks(&self.raw[at..end]);
        self.pass(end);
        if end > at && self.record.is_blank() {
            self.blank_lines(1);
        } else if matches!(self.part, Part::Header(..)) {
            self.header(lines, end == at);
        } else {
            self.row(lines);
        }
        Ok(())
    }

    /// Takes a record of the header, or its end.
    fn header(&mut self, lines: u64, file_ended: bool) {
        let Part::Header(records, taken) = &mut self.part else { return };
        if !file_ended {
            records.push(std::mem::take(&mut self.record));
            *taken += lines;
        }
        let wanted = self.dialect.bounds.header_lines as usize;
        if records.len() < wanted && !file_ended {
            return;
        }
        let lines = *taken;
        if wanted == 1 {
            self.record = records.pop().unwrap_or_default();
        } else {
            repair::join(records, &mut self.record);
        }
        self.part = Part::BehindHeader(self.dialect.bounds.skip_after_header);
        repair::drop_trailing(&self.dialect, &mut self.record);
        if self.record.len() == 0 {
            return;
        }
        self.width = Some(self.record.len());
        if self.dialect.ragged == Ragged::Fill {
            self.record.push(REST.as_bytes());
        }
        self.record.write(&mut self.out, lines);
    }

    fn row(&mut self, lines: u64) {
        repair::drop_trailing(&self.dialect, &mut self.record);
        let width = *self.width.get_or_insert(self.record.len());
        let keep = self.dialect.bounds.skip_footer as usize;
        let mut held = Vec::new();
        let out = if keep == 0 { &mut self.out } else { &mut held };
        if self.record.stray > 0 {
            write_stray_quote(self.record.stray, out);
            out.extend(std::iter::repeat_n(b'\n', usize::try_from(lines.max(1)).unwrap_or(1)));
        } else {
            repair::fit(&self.dialect, width, &mut self.record);
            self.record.write(out, lines);
        }
        if keep == 0 {
            return;
        }
        self.held.push_back(held);
        if self.held.len() > keep {
            self.out.extend(self.held.pop_front().unwrap_or_default());
        }
    }

    /// Leaves empty lines for lines that are not rows, in their place.
    fn blank_lines(&mut self, count: usize) {
        let out = self.held.back_mut().unwrap_or(&mut self.out);
        out.extend(std::iter::repeat_n(b'\n', count));
    }

    fn pass(&mut self, end: usize) {
        self.line += line_breaks(&self.raw[self.start..end]);
        self.start = end;
    }

    /// Reads more of the input.
    fn fill(&mut self) -> io::Result<()> {
        self.raw.drain(..self.start);
        self.start = 0;
        let old = self.raw.len();
        if old > LONGEST_RECORD {
            return Err(invalid(too_long(self.line)));
        }
        // What is left was searched in vain, so it is searched again only when it has doubled.
        self.raw.resize(old + CHUNK.max(old), 0);
        let mut filled = old;
        let result = loop {
            match self.input.read(&mut self.raw[filled..]) {
                Ok(0) => {
                    self.ended = true;
                    break Ok(());
                }
                Ok(read) => {
                    filled += read;
                    // A stream that gives little at a time is not waited for.
                    let has_line = || memchr::memchr2(b'\n', b'\r', &self.raw[old..filled]).is_some();
                    if old == 0 || filled >= 2 * old || old <= SMALL && has_line() {
                        break Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.raw.truncate(filled);
        if self.dialect.drop_nul {
            let mut at = 0;
            self.raw.retain(|byte| {
                at += 1;
                at <= old || *byte != 0
            });
        }
        result
    }

    /// Makes some output; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        self.out.clear();
        self.taken = 0;
        while self.out.is_empty() {
            if self.broken.is_some() && !self.held.is_empty() {
                // The end is missing, and the footer with it.
                self.held.drain(..).for_each(|row| self.out.extend(row));
                break;
            }
            if let Some(error) = self.broken.take() {
                self.ended = true;
                self.raw.clear();
                self.start = 0;
                return Err(error);
            }
            self.rewrite();
            if !self.out.is_empty() {
                break;
            }
            if self.ended {
                if self.start < self.raw.len() {
                    self.broken = Some(invalid(unclosed(self.line)));
                    continue;
                }
                return Ok(false);
            }
            self.broken = self.fill().err();
            if self.broken.is_some() {
                // What is whole comes first.
                self.rewrite();
            }
        }
        Ok(true)
    }
}

impl<R: Read> Read for Rewriter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.out.len() && !self.advance()? {
            return Ok(0);
        }
        let count = buffer.len().min(self.out.len() - self.taken);
        buffer[..count].copy_from_slice(&self.out[self.taken..][..count]);
        self.taken += count;
        Ok(count)
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
