//! Finds the table among the records of a sample: what stands before it, and its header.

use super::cells::Records;
use super::columns::{Column, columns};
use super::finding::{Found, FoundHeader, HeaderSign, NoHeaderSign};
use super::header::{Evidence, are_units, evidence, goes_up};
use super::layout::Layout;
use super::sample::{Hints, Sample};
use super::tail::tail;

/// How many records may stand before a table.
const MOST_BEFORE: usize = 64;

/// The layout of these records.
pub(super) fn layout(records: &Records, sample: &Sample<'_>, hints: &Hints) -> Layout {
    let width = table_width(records);
    let width = header_width(records, hints, width);
    let columns = columns(records, body(records, width), width);
    let finder = Finder { records, hints, width, columns: &columns };
    let mut layout = finder.top();
    if sample.whole {
        tail(records, &columns, &mut layout);
    }
    layout
}

/// The width of the first run of records that makes up a good part of the sample, or else of most records.
fn table_width(records: &Records) -> usize {
    let least = (records.len() / 4).max(3);
    let mut run = (0, 0);
    for row in &records.rows {
        run = if row.width == run.0 { (run.0, run.1 + 1) } else { (row.width, 1) };
        if run.1 >= least && run.0 > 1 {
            return run.0;
        }
    }
    records.usual_width()
}

/// The number of names, if a header has more than most records have cells and some record has as many.
fn header_width(records: &Records, hints: &Hints, width: usize) -> usize {
    let first = (0..records.len()).find(|at| records.rows[*at].width == width).unwrap_or(0);
    let is_wider = |at: &usize| records.rows[*at].width > width && records.filled(*at) == records.rows[*at].width;
    let Some(at) = (0..first.min(MOST_BEFORE)).find(is_wider).filter(|_| width > 1) else { return width };
    let columns = columns(records, body(records, width), width);
    let texts: Vec<&[u8]> = records.row(at).collect();
    let found = evidence(&texts[..width], &columns, hints);
    let has_rows = records.rows.iter().filter(|other| other.width == texts.len()).count() > 1;
    let is_header = found.score > 0.0 && found.like == 0 && found.unlike > 0 && has_rows;
    if is_header { texts.len() } else { width }
}

/// The records that certainly are rows, if there are enough: those after the first few.
fn body(records: &Records, width: usize) -> std::ops::Range<usize> {
    let is_row = |at: &usize| records.rows[*at].width == width && (width == 1 || records.filled(*at) > 1);
    let wide: Vec<usize> = (0..records.len()).filter(is_row).collect();
    let skipped = match wide.len() {
        24.. => 8,
        10.. => 3,
        2.. => (wide.len() / 2).min(2),
        count => count,
    };
    let start = wide.get(skipped).copied().unwrap_or(records.len());
    // The last record may be a total.
    let end = if wide.len() > 4 { records.len() - 1 } else { records.len() };
    start..end.max(start)
}

struct Finder<'a> {
    records: &'a Records,
    hints: &'a Hints,
    width: usize,
    columns: &'a [Column<'a>],
}

/// What a record before the rows is.
enum Kind {
    /// Not part of the table.
    Outside,
    /// A header, though with one name too few or too many.
    Named(Vec<String>, HeaderSign),
    /// A header or a row.
    Table,
}

impl Finder<'_> {
    fn top(&self) -> Layout {
        let limit = self.records.len().min(MOST_BEFORE);
        let mut first = 0;
        let mut named = None;
        while first < limit {
            match self.kind(first) {
                Kind::Outside => first += 1,
                Kind::Named(names, sign) => {
                    named = Some((names, sign));
                    break;
                }
                Kind::Table => break,
            }
        }
        if first == limit {
            // Nothing looks like a table.
            first = 0;
        }
        let mut layout = Layout {
            width: self.width,
            header: FoundHeader::Missing,
            first,
            header_lines: 1,
            after_header: 0,
            end: self.records.len(),
            reasons: Vec::new(),
        };
        match named {
            Some((names, sign)) if self.hints.header != Some(false) => {
                layout.because(self.line(first), Found::Header(sign));
                layout.header = FoundHeader::Named(names);
                layout.first = first + 1;
            }
            _ => self.header(&mut layout),
        }
        layout
    }

    fn line(&self, at: usize) -> Option<usize> {
        self.records.rows.get(at).map(|row| row.line)
    }

    fn kind(&self, at: usize) -> Kind {
        let (row, width) = (self.records.rows[at], self.width);
        let filled = self.records.filled(at);
        if row.width == width {
            // A title that was filled up with delimiters.
            let follows = self.records.rows.get(at + 1).is_some_and(|next| next.width == width);
            let is_title = filled == 1 && !self.records.cell(at, 0).is_empty();
            let stands_apart = || width > 2 && self.is_fuller(at + 1) || width == 2 && self.records.filled(at + 1) == 0;
            return if follows && (filled == 0 || is_title && stands_apart()) { Kind::Outside } else { Kind::Table };
        }
        let follows = (at + 1..self.records.len()).take(3).any(|next| self.records.rows[next].width == width);
        let first_is_empty = usize::from(self.records.cell(at, 0).is_empty());
        let short = row.width + 1 == width && filled > 0 && filled + first_is_empty == row.width;
        let near = short || row.width == width + 1 && filled + 2 >= row.width;
        // A title is followed by a header.
        let is_title = row.width == 1 && self.is_header(at + 1);
        let named = if follows && near && width > 1 && !is_title { self.shifted(at) } else { None };
        if let Some((names, sign)) = named {
            return Kind::Named(names, sign);
        }
        // A row that is cut short or too long is not left out.
        let texts: Vec<&[u8]> = self.records.row(at).collect();
        let own = evidence(&texts, self.columns, self.hints);
        if width > 1 && row.width * 3 >= width * 2 && own.like > 0 { Kind::Table } else { Kind::Outside }
    }

    fn is_header(&self, at: usize) -> bool {
        self.records.rows.get(at).is_some_and(|row| row.width == self.width) && self.evidence(at).score > 0.0
    }

    /// Whether a record or the one after it has about as many values as rows have.
    fn is_fuller(&self, at: usize) -> bool {
        (at..self.records.len())
            .take(3)
            .any(|at| self.records.filled(at) > self.width / 2 + 1 || self.records.filled(at) == self.width)
    }

    /// The names of a header that does not have as many as there are fields.
    fn shifted(&self, at: usize) -> Option<(Vec<String>, HeaderSign)> {
        let texts: Vec<&[u8]> = self.records.row(at).collect();
        let names = self.records.texts(at);
        if texts.len() > self.width {
            let empty = names.iter().position(String::is_empty)?;
            let mut rest = texts.clone();
            rest.remove(empty);
            let found = evidence(&rest, self.columns, self.hints);
            let mut names = names;
            names.remove(empty);
            return (found.score > 0.0).then_some((names, HeaderSign::OneMore));
        }
        let is_quoted = self.records.is_quoted(at + 1, self.width - 1);
        let last_is_empty = !is_quoted && self.columns.last().is_some_and(|column| column.filled == 0);
        let from_left = evidence(&texts, self.columns, self.hints);
        let from_right = evidence(&texts, &self.columns[1..], self.hints);
        let first = &self.columns[0];
        let row_names =
            first.is_distinct() && !last_is_empty && !names[0].is_empty() && from_right.score + 1.0 >= from_left.score;
        if row_names && from_right.score > 0.0 {
            let names = std::iter::once("row_names".to_owned()).chain(names).collect();
            return Some((names, HeaderSign::OneFewer));
        }
        let names: Vec<String> = names.into_iter().chain(std::iter::once(format!("column_{}", self.width))).collect();
        (from_left.score > 0.0).then_some((names, from_left.sign))
    }

    fn header(&self, layout: &mut Layout) {
        let at = layout.first;
        let Some(row) = self.records.rows.get(at) else { return };
        let mut found = self.evidence(at);
        if found.sign == HeaderSign::Sequence
            && at + 1 < self.records.len()
            && goes_up(self.records, at + 1, self.columns)
        {
            found.score = -1.0;
        }
        let is_header = self.hints.header.unwrap_or(found.score > 0.0 && row.width == self.width);
        if !is_header {
            layout.because(Some(row.line), Found::NoHeader(NoHeaderSign::Alike));
            return;
        }
        layout.because(Some(row.line), Found::Header(found.sign));
        layout.header = FoundHeader::InFile;
        self.more_header(layout);
    }

    fn evidence(&self, at: usize) -> Evidence {
        let texts: Vec<&[u8]> = self.records.row(at).collect();
        evidence(&texts, self.columns, self.hints)
    }

    /// Further lines of a header.
    fn more_header(&self, layout: &mut Layout) {
        let first = layout.first;
        let typed = self.columns.iter().filter(|column| column.is_typed()).count();
        loop {
            let at = first + layout.header_lines;
            let is_wide = self.records.rows.get(at).is_some_and(|row| row.width == self.width);
            if !is_wide || at + 1 >= self.records.len() || layout.header_lines > 9 {
                break;
            }
            let (own, filled) = (self.evidence(at), self.records.filled(at));
            let texts: Vec<&[u8]> = self.records.row(at).collect();
            let no_row = own.like == 0 && own.unlike > 0;
            if no_row && are_units(&texts) {
                layout.after_header = 1;
                layout.because(self.line(at), Found::Units);
                break;
            }
            let repeats = self.records.texts(at) == self.records.texts(first);
            let is_name = no_row && own.unlike > 1 && own.unlike * 3 >= typed * 2 && filled > 1;
            if !(repeats || is_name && own.score > 0.0) {
                break;
            }
            layout.header_lines += 1;
        }
        if layout.header_lines > 1 {
            layout.because(self.line(first), Found::HeaderLines(layout.header_lines));
        }
    }
}
