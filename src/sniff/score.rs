//! How good a table a hypothesis gives: records alike in width, cells that look like values.
//!
//! The measure follows van den Burg, Nazábal and Sutton, "Wrangling messy CSV files by detecting row and type patterns" (2019):
//! the product of how regular the records are and how many cells have a known type.

use super::cells::Records;
use super::shape::Shape;

/// How many records are weighed.
const MOST_RECORDS: usize = 400;
/// How many cells of each are weighed.
const MOST_CELLS: usize = 200;

/// How good a table is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    /// From 0 to 1.
    pub(super) value: f64,
    /// The usual number of cells.
    pub(super) width: usize,
    /// The share of records that have this number.
    pub(super) alike: f64,
    /// The same below the first record, which may have a name too few.
    pub(super) below: f64,
    /// Whether some column has numbers, dates or the like.
    pub(super) typed: bool,
}

impl Score {
    /// The score of a table.
    pub(super) fn of(records: &Records) -> Self {
        let width = records.usual_width();
        let count = records.len().min(MOST_RECORDS);
        if count == 0 {
            return Self { value: 0.0, width, alike: 0.0, below: 0.0, typed: false };
        }
        let widths = || records.rows[..count].iter().map(|row| row.width);
        let alike = share(widths().filter(|other| *other == width).count(), count);
        let below = widths().skip(1).filter(|other| *other == width).count();
        let below = share(below, (count - 1).max(1));
        let neighbours = widths().zip(widths().skip(1)).filter(|(one, other)| one == other).count();
        let steady = if count == 1 { 1.0 } else { share(neighbours, count - 1) };
        let (cells, typed) = weigh(records, count, width);
        #[expect(clippy::cast_precision_loss, reason = "a width is small")]
        let columns = 1.0 - 0.55 / (width as f64).powf(1.5);
        Self { value: f64::midpoint(alike, steady) * cells * columns, width, alike, below, typed }
    }
}

/// The mean weight of the cells, and whether most cells of some column are typed.
fn weigh(records: &Records, count: usize, width: usize) -> (f64, bool) {
    let (mut sum, mut cells) = (0.0, 0_usize);
    let mut typed = vec![0_usize; width.min(MOST_CELLS)];
    let mut missing = typed.clone();
    for at in 0..count {
        for (column, cell) in records.row(at).take(MOST_CELLS).enumerate() {
            let shape = Shape::of(cell);
            sum += weight(cell, shape, records.is_quoted(at, column));
            cells += 1;
            if let Some(typed) = typed.get_mut(column) {
                *typed += usize::from(shape.is_typed());
                missing[column] += usize::from(shape.is_missing());
            }
        }
    }
    let is_typed = |(typed, missing): (&usize, &usize)| *typed > 0 && *typed * 3 >= (count - missing) * 2;
    let mean = if cells == 0 { 0.0 } else { sum / f64::from(u32::try_from(cells).unwrap_or(u32::MAX)) };
    (mean, typed.iter().zip(&missing).any(is_typed))
}

/// How much a cell looks like a value.
fn weight(cell: &[u8], shape: Shape, quoted: bool) -> f64 {
    let value = match shape {
        Shape::Empty => return 0.7,
        _ if quoted => return 0.95,
        Shape::Text => text_weight(cell),
        Shape::Code => 0.9,
        _ => 1.0,
    };
    let is_padded = matches!(cell, [b' ' | b'\t', ..] | [.., b' ' | b'\t']);
    if is_padded { value * 0.85 } else { value }
}

/// Text that holds what separates fields elsewhere was probably cut in the wrong places.
fn text_weight(cell: &[u8]) -> f64 {
    let ends_in_quotes = matches!(cell.trim_ascii(), [b'"' | b'\'', ..] | [.., b'"' | b'\'']);
    let strong = cell.iter().enumerate().any(|(at, byte)| match byte {
        b',' | b';' => cell.get(at + 1).is_some_and(|next| *next != b' '),
        b'\t' | b'|' => true,
        _ => false,
    });
    let soft = || cell.iter().any(|byte| matches!(byte, b',' | b';'));
    match () {
        () if strong || is_list_of_numbers(cell) => 0.25,
        () if ends_in_quotes => 0.4,
        () if soft() => 0.6,
        () => 0.85,
    }
}

/// Whether blanks probably separate fields within the cell.
fn is_list_of_numbers(cell: &[u8]) -> bool {
    let words = || cell.split(|byte| *byte == b' ' || *byte == b'\t').filter(|word| !word.is_empty());
    let numbers =
        words().filter(|word| word.iter().all(|byte| byte.is_ascii_digit() || b".-+/:eE".contains(byte))).count();
    numbers > 2 && numbers * 2 > words().count()
}

fn share(part: usize, whole: usize) -> f64 {
    f64::from(u32::try_from(part).unwrap_or(u32::MAX)) / f64::from(u32::try_from(whole).unwrap_or(u32::MAX))
}
