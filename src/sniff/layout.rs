//! Where the table is among the records of a sample.

use super::cells::Records;
use super::finding::{Found, FoundHeader, Reason};
use crate::model::CsvDialect;

/// Where a table is.
pub(super) struct Layout {
    /// How many columns it has.
    pub(super) width: usize,
    pub(super) header: FoundHeader,
    /// The record of the header, or else the first row. Everything before it is skipped.
    pub(super) first: usize,
    pub(super) header_lines: usize,
    /// Records between header and rows.
    pub(super) after_header: usize,
    /// Behind the last row.
    pub(super) end: usize,
    pub(super) reasons: Vec<Reason>,
}

impl Layout {
    /// The first row.
    pub(super) fn rows(&self) -> std::ops::Range<usize> {
        let header = if self.header == FoundHeader::InFile { self.header_lines } else { 0 };
        self.first + header + self.after_header..self.end
    }
}

impl Layout {
    pub(super) fn because(&mut self, line: Option<usize>, what: Found) {
        self.reasons.push(Reason { line, what });
    }

    /// What the dialect says about the surroundings of the table.
    pub(super) fn bounds(&mut self, records: &Records, dialect: &mut CsvDialect) {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let before = records.rows.get(self.first).map_or(1, |row| row.line);
        let known = dialect.bounds.skip_lines;
        // A comment before the table is skipped anyway.
        let comments = records.comments.iter().filter(|line| **line < before).count();
        if self.first > 0 {
            dialect.bounds.skip_lines = count(before - 1);
            let named = usize::from(matches!(self.header, FoundHeader::Named(_)));
            let lines = before - 1 - named;
            if lines > known as usize + comments {
                self.reasons.insert(0, Reason { line: Some(1), what: Found::Preamble(lines) });
            }
        }
        if self.header == FoundHeader::InFile {
            dialect.bounds.header_lines = count(self.header_lines);
        }
        dialect.bounds.skip_after_header = count(self.after_header);
        dialect.bounds.skip_footer = count(records.len() - self.end);
    }
}
