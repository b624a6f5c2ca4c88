//! Finds what stands after a table: notes, totals, another table.

use super::cells::Records;
use super::columns::{Column, Fit};
use super::finding::{Found, FoundHeader, HeaderSign};
use super::layout::Layout;
use super::shape::Shape;
use std::collections::HashSet;

/// Ends the layout where its table ends.
pub(super) fn tail(records: &Records, columns: &[Column<'_>], layout: &mut Layout) {
    second_table(records, columns, layout);
    if layout.end == records.len() {
        footer(records, columns, layout);
    }
}

/// Ends the layout where a second header stands.
fn second_table(records: &Records, columns: &[Column<'_>], layout: &mut Layout) {
    let rows = layout.rows();
    let header = match &layout.header {
        FoundHeader::InFile => records.texts(layout.first),
        _ => Vec::new(),
    };
    let repeats = |at: usize| {
        !header.is_empty() && header.len() > 1 && records.rows[at].width == header.len() && records.texts(at) == header
    };
    let repeated: Vec<usize> = rows.clone().filter(|at| repeats(*at)).collect();
    let begins = |at: &usize| repeats(*at) || is_header_again(records, columns, *at, &header);
    let Some(first) = rows.clone().skip(2).find(begins) else { return };
    if first + 1 >= records.len() {
        return;
    }
    if repeated.len() > 1 {
        // Files that were joined, each with its header.
        layout.because(Some(records.rows[repeated[0]].line), Found::RepeatedHeader);
        return;
    }
    if (first - rows.start) * 4 < records.len() - first && records.rows[first].width == layout.width {
        // What seemed to be a table was a text before it.
        layout.reasons.clear();
        layout.because(Some(records.rows[first].line), Found::Header(HeaderSign::Distinct));
        (layout.first, layout.header, layout.header_lines, layout.after_header) = (first, FoundHeader::InFile, 1, 0);
        return;
    }
    layout.because(Some(records.rows[first].line), Found::SecondTable(records.len() - first));
    layout.end = first;
    while layout.end > rows.start + 1 && is_note(records, columns, layout.end - 1) {
        layout.end -= 1;
    }
}

/// Whether a record is the header of another table than the one with these columns.
fn is_header_again(records: &Records, columns: &[Column<'_>], at: usize, header: &[String]) -> bool {
    let row = records.rows[at];
    if row.width < 2 || records.filled(at) < 2 || records.filled(at) * 2 < row.width {
        return false;
    }
    let cells: Vec<&[u8]> = records.row(at).map(<[u8]>::trim_ascii).filter(|cell| !cell.is_empty()).collect();
    let different: HashSet<&[u8]> = cells.iter().copied().collect();
    if different.len() < cells.len() || cells.iter().any(|cell| Shape::of(cell).is_typed() || cell.len() > 60) {
        return false;
    }
    let fits = || records.row(at).zip(columns).map(|(cell, column)| column.fit(cell));
    let unlike = fits().filter(|fit| *fit == Fit::Unlike).count();
    let like = fits().filter(|fit| matches!(fit, Fit::Same | Fit::Like)).count();
    if row.width == columns.len() {
        let typed = columns.iter().filter(|column| column.is_typed()).count();
        return like == 0 && unlike * 3 >= typed * 2 && (unlike > 1 || unlike == 1 && row.after_blank);
    }
    let names = cells.iter().filter(|cell| header.iter().any(|name| name.as_bytes() == **cell)).count();
    let has_names = || names > 1 && names * 2 > cells.len();
    let following = records.len() - at - 1;
    let alike = records.rows[at + 1..].iter().filter(|next| next.width == row.width).count();
    following > 1 && alike * 5 >= following * 4 && (row.after_blank || unlike > 0 || has_names())
}

/// Leaves out notes and totals at the end.
fn footer(records: &Records, columns: &[Column<'_>], layout: &mut Layout) {
    let start = layout.rows().start;
    let most = (layout.end.saturating_sub(start) / 3).min(50);
    let mut end = layout.end;
    while layout.end - end < most && end > start + 1 && is_note(records, columns, end - 1) {
        end -= 1;
    }
    // Where everything looks like a note, nothing does.
    let goes_on = layout.end - end == most && end > start + 1 && is_note(records, columns, end - 1);
    if end < layout.end && !goes_on {
        layout.because(Some(records.rows[end].line), Found::Footer(layout.end - end));
        layout.end = end;
    }
}

/// Whether a record at the end is none of the table.
fn is_note(records: &Records, columns: &[Column<'_>], at: usize) -> bool {
    let (row, width) = (records.rows[at], columns.len());
    if width < 2 {
        return false;
    }
    let filled = records.filled(at);
    let first = String::from_utf8_lossy(records.cell(at, 0)).trim().to_lowercase();
    let usually_filled = columns.iter().filter(|column| column.filled > 1).count();
    if filled == 0 {
        return usually_filled > 0;
    }
    let is_text = !Shape::of(first.as_bytes()).is_typed();
    if row.width != width {
        return row.width == 1 && is_text || row.width * 2 < width && filled <= 1;
    }
    let says_total = ["total", "grand total", "sum", "summe", "gesamt"]
        .iter()
        .any(|word| first == *word || first.starts_with(&format!("{word} ")) || first == format!("{word}:"));
    let fit = columns[0].fit(records.cell(at, 0));
    let gaps = || records.row(at).zip(columns).any(|(cell, column)| cell.trim_ascii().is_empty() && column.filled > 1);
    let is_total = says_total && fit != Fit::Same && (fit == Fit::Unlike || gaps());
    is_total
        || filled == 1 && width > 2 && usually_filled * 2 > width && is_text && !first.is_empty() && fit != Fit::Same
}
