//! What must be mended for all records to be rows of the table.

use super::cells::Records;
use super::finding::{Found, FoundHeader, Reason};
use super::layout::Layout;
use crate::model::{CsvDialect, Delimiter, Ragged};

/// Adds to the dialect what makes the rows of the layout fit.
pub(super) fn repair(text: &[u8], records: &Records, layout: &mut Layout, dialect: &mut CsvDialect) {
    trailing_delimiter(records, layout, dialect);
    if layout.width == 1 {
        return single(text, records, layout, dialect);
    }
    let width = layout.width + usize::from(dialect.trailing_delimiter);
    let (mut short, mut long) = (Vec::new(), Vec::new());
    for at in layout.rows() {
        let row = records.rows[at];
        if row.width < width && !(dialect.trailing_delimiter && row.width + 1 == width) {
            short.push(row.line);
        } else if row.width > width {
            long.push(row.line);
        }
    }
    let what = match (short.first(), long.first()) {
        (None, None) => return,
        (_, Some(line)) => {
            dialect.ragged = Ragged::Truncate;
            Reason { line: Some(*line), what: Found::Long(long.len()) }
        }
        (Some(line), None) => {
            dialect.ragged = Ragged::Pad;
            Reason { line: Some(*line), what: Found::Short(short.len()) }
        }
    };
    if let (false, Some(line)) = (long.is_empty(), short.first()) {
        layout.because(Some(*line), Found::Short(short.len()));
    }
    layout.reasons.push(what);
}

/// A delimiter at the end of each record begins no column.
fn trailing_delimiter(records: &Records, layout: &mut Layout, dialect: &mut CsvDialect) {
    if layout.width < 2 || dialect.delimiter == Delimiter::Whitespace {
        return;
    }
    let last = layout.width - 1;
    let mut rows = layout.rows().filter(|at| records.rows[*at].width > last).peekable();
    let is_empty = rows.peek().is_some()
        && rows.all(|at| {
            records.rows[at].width == last + 1 && records.cell(at, last).is_empty() && !records.is_quoted(at, last)
        });
    let names_too_few = match &layout.header {
        FoundHeader::InFile => {
            let names = records.texts(layout.first);
            names.len() == layout.width && names[last].is_empty() && names[..last].iter().all(|name| !name.is_empty())
        }
        FoundHeader::Named(_) => layout.first > 0 && records.rows[layout.first - 1].width == last,
        FoundHeader::Missing => false,
    };
    if is_empty && names_too_few {
        dialect.trailing_delimiter = true;
        layout.width = last;
        layout.because(None, Found::TrailingDelimiter);
        if let FoundHeader::Named(names) = &mut layout.header {
            names.truncate(last);
            // Its header then has as many names as rows have fields.
            layout.header = FoundHeader::InFile;
            layout.first -= 1;
        }
    }
}

/// In a table of one column, a delimiter is a character like others.
fn single(text: &[u8], records: &Records, layout: &Layout, dialect: &mut CsvDialect) {
    if layout.rows().all(|at| records.rows[at].width == 1) {
        return;
    }
    let unused = [b'\t', b'|', b';', 0x1f].into_iter().find(|byte| !text.contains(byte));
    dialect.delimiter = Delimiter::Byte(unused.unwrap_or(0x1f));
}
