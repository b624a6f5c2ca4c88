//! The fields of one record, and how they are written as plain CSV.

use crate::model::line_breaks;

/// The fields of one record, without quotes and escapes.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) text: Vec<u8>,
    pub(super) ends: Vec<usize>,
    /// The number of the first field, from 1, with a quote in an unexpected place; 0 if there is none.
    pub(super) stray: usize,
    /// Whether the last field was quoted.
    pub(super) quoted: bool,
    /// How many quotes open a field and were not closed within what was looked at.
    pub(super) unclosed: usize,
}

impl Record {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        (self.stray, self.quoted, self.unclosed) = (0, false, 0);
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Where the field that comes next begins.
    pub(super) fn begin(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    pub(super) fn get(&self, at: usize) -> &[u8] {
        let from = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[from..self.ends[at]]
    }

    /// Ends a field. What was added to the text since the last one is its content.
    pub(super) fn end_field(&mut self) {
        self.ends.push(self.text.len());
    }

    /// Adds a field.
    pub(super) fn push(&mut self, field: &[u8]) {
        self.text.extend_from_slice(field);
        self.end_field();
    }

    /// Notes a quote in an unexpected place of the field that comes next.
    pub(super) fn note_stray(&mut self) {
        if self.stray == 0 {
            self.stray = self.len() + 1;
        }
    }

    /// Drops the fields after the first `most`.
    pub(super) fn truncate(&mut self, most: usize) {
        self.ends.truncate(most);
        self.text.truncate(self.begin());
    }

    /// Whether it is an empty line.
    pub(super) fn is_blank(&self) -> bool {
        self.ends.is_empty() || self.len() == 1 && self.text.is_empty() && !self.quoted
    }

    /// Writes it as a line of plain CSV, with as many empty lines after it as it has lost of its `lines`.
    pub(super) fn write(&self, out: &mut Vec<u8>, lines: u64) {
        let from = out.len();
        for at in 0..self.len() {
            if at > 0 {
                out.push(b',');
            }
            let field = self.get(at);
            // One empty field would be an empty line, which is not a record.
            let odd = field.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'));
            if !(odd || field.is_empty() && self.len() == 1) {
                out.extend_from_slice(field);
                continue;
            }
            out.push(b'"');
            for piece in field.split_inclusive(|byte| *byte == b'"') {
                out.extend_from_slice(piece);
                if piece.ends_with(b"\"") {
                    out.push(b'"');
                }
            }
            out.push(b'"');
        }
        out.push(b'\n');
        let written = line_breaks(&out[from..]);
        out.extend(std::iter::repeat_n(b'\n', usize::try_from(lines.saturating_sub(written)).unwrap_or(0)));
    }
}
