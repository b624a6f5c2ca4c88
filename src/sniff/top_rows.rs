//! Names of columns in a line that is written unlike the rows: with another delimiter, or as a comment.

use super::cells::Records;
use super::finding::{Found, FoundHeader, Reason};
use super::layout::Layout;
use super::records::{line_end, read};
use super::shape::Shape;
use crate::model::{CsvDialect, Delimiter, StrayQuotes};

/// How many lines before the table are looked at.
const MOST_LINES: usize = 64;

/// Takes the names from the line before the table, if it has as many as there are columns.
pub(super) fn name_from_other_lines(text: &[u8], dialect: &CsvDialect, records: &Records, layout: &mut Layout) {
    let Some(first) = records.rows.get(layout.first).filter(|_| layout.header == FoundHeader::Missing) else { return };
    if layout.width < 2 || first.line < 2 || first.line > MOST_LINES {
        return;
    }
    let mut at = 0;
    let mut line = &text[..0];
    for _ in 1..first.line {
        let end = line_end(text, at);
        line = &text[at..end];
        at = if text[end..].starts_with(b"\r\n") { end + 2 } else { (end + 1).min(text.len()) };
    }
    let commented = ["#", "%", "//"].iter().find_map(|prefix| line.strip_prefix(prefix.as_bytes()));
    let own = dialect.delimiter.clone();
    let others = [b',', b';', b'\t', b'|', b' '].map(Delimiter::Byte);
    for delimiter in std::iter::once(own.clone()).chain(others).chain([Delimiter::Whitespace]) {
        let dialect = CsvDialect {
            delimiter: delimiter.clone(),
            stray_quotes: StrayQuotes::Literal,
            quote: dialect.quote,
            trim: delimiter != Delimiter::Byte(b' '),
            ..CsvDialect::default()
        };
        let line = commented.map_or(line, <[u8]>::trim_ascii);
        let found = read(line, &dialect);
        let is_names = found.len() == 1 && found.rows[0].width == layout.width;
        if is_names && are_names(&found) {
            layout.header = FoundHeader::Named(found.texts(0));
            layout.reasons.retain(|reason| !matches!(reason.what, Found::NoHeader(_)));
            let line = Some(first.line - 1);
            if delimiter != own {
                layout.reasons.push(Reason { line, what: Found::OtherDelimiter(delimiter) });
            }
            layout.reasons.push(Reason { line, what: Found::Header(super::finding::HeaderSign::Distinct) });
            return;
        }
    }
}

/// Whether all cells can be names. R and pandas leave the first one empty.
fn are_names(found: &Records) -> bool {
    let mut cells = found.row(0).enumerate();
    cells.all(|(at, cell)| (at == 0 || !cell.is_empty()) && !Shape::of(cell).is_typed())
}
