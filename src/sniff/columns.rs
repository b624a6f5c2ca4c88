//! What the columns of a table have in common, so that a record that is not a row of it stands out.

use super::cells::Records;
use super::shape::Shape;
use std::collections::HashSet;

/// How many rows are looked at.
const MOST_ROWS: usize = 300;

/// What the cells of one column are like.
#[derive(Debug, Default)]
pub(super) struct Column<'a> {
    /// The shape of most cells, if it is that of nearly all.
    pub(super) shape: Option<Shape>,
    /// The pattern of nearly all cells.
    pattern: Option<Vec<u8>>,
    /// The different values.
    values: HashSet<&'a [u8]>,
    /// How many cells are not missing.
    pub(super) filled: usize,
    /// How long the shortest and the longest value is.
    lengths: (usize, usize),
}

/// How a cell fits into a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is one of the others.
    Same,
    /// It is of the same type.
    Like,
    /// It is written in the same way.
    Similar,
    /// It is unlike them.
    Unlike,
    /// It is perhaps unlike them.
    Perhaps,
    /// It says nothing.
    Unknown,
}

/// The columns of the rows with this width among these records.
pub(super) fn columns(records: &Records, rows: std::ops::Range<usize>, width: usize) -> Vec<Column<'_>> {
    // A second table may have the same header.
    let first = (0..records.len()).find(|at| records.rows[*at].width == width && records.filled(*at) > 1);
    let repeats = |at: usize| first.is_some_and(|first| first != at && records.row(first).eq(records.row(at)));
    let wide = rows.filter(|at| records.rows[*at].width == width && !repeats(*at));
    let rows: Vec<usize> = wide.take(MOST_ROWS).collect();
    (0..width).map(|column| Column::of(records, &rows, column)).collect()
}

impl<'a> Column<'a> {
    fn of(records: &'a Records, rows: &[usize], column: usize) -> Self {
        let mut shapes = [0_usize; 9];
        let mut pattern: Option<Vec<u8>> = None;
        let mut same_pattern = true;
        let mut found = Self { lengths: (usize::MAX, 0), ..Self::default() };
        for at in rows {
            let cell = records.cell(*at, column);
            let shape = Shape::of(cell);
            if shape.is_missing() {
                continue;
            }
            found.filled += 1;
            shapes[shape as usize] += 1;
            found.values.insert(cell);
            found.lengths = (found.lengths.0.min(cell.len()), found.lengths.1.max(cell.len()));
            match &pattern {
                _ if !same_pattern => {}
                None => pattern = Some(pattern_of(cell)),
                Some(known) => same_pattern = *known == pattern_of(cell),
            }
        }
        // Whole numbers among others.
        let integers = Shape::Integer as usize;
        let numbers = Shape::Number as usize;
        if shapes[numbers] > 0 {
            shapes[numbers] += std::mem::take(&mut shapes[integers]);
        }
        let most = shapes.iter().enumerate().max_by_key(|(_, count)| **count).unwrap_or((0, &0));
        if found.filled > 0 && most.1 * 10 >= found.filled * 8 {
            let all = [
                Shape::Empty,
                Shape::Null,
                Shape::Integer,
                Shape::Number,
                Shape::Boolean,
                Shape::Moment,
                Shape::Link,
                Shape::Code,
                Shape::Text,
            ];
            found.shape = Some(all[most.0]);
        }
        found.pattern = pattern.filter(|_| same_pattern && found.filled > 2);
        found
    }

    /// Whether it has numbers, dates or the like.
    pub(super) fn is_typed(&self) -> bool {
        self.shape.is_some_and(Shape::is_typed)
    }

    /// Whether it has numbers.
    pub(super) fn is_numeric(&self) -> bool {
        matches!(self.shape, Some(Shape::Integer | Shape::Number))
    }

    /// Whether a value occurs in it.
    pub(super) fn has(&self, cell: &[u8]) -> bool {
        self.values.contains(cell)
    }

    /// Whether values repeat.
    pub(super) fn repeats(&self) -> bool {
        self.filled > 3 && self.values.len() * 2 <= self.filled
    }

    /// Whether all values differ.
    pub(super) fn is_distinct(&self) -> bool {
        self.values.len() == self.filled
    }

    /// How a cell fits.
    pub(super) fn fit(&self, cell: &[u8]) -> Fit {
        let cell = cell.trim_ascii();
        let shape = Shape::of(cell);
        if self.filled == 0 || shape.is_missing() {
            return Fit::Unknown;
        }
        if self.has(cell) {
            return Fit::Same;
        }
        match self.shape {
            Some(own) if own.is_typed() => {
                if own.goes_with(shape) {
                    Fit::Like
                } else {
                    Fit::Unlike
                }
            }
            _ if shape.is_typed() => Fit::Like,
            _ if self.repeats() => Fit::Perhaps,
            _ => match &self.pattern {
                Some(pattern) if *pattern == pattern_of(cell) => Fit::Similar,
                Some(_) => Fit::Perhaps,
                None if self.lengths.0 > 2 * cell.len() => Fit::Perhaps,
                None => Fit::Unknown,
            },
        }
    }
}

/// The kinds of characters of a cell: capitals, small letters, digits and the rest, runs of the same kind as one.
fn pattern_of(cell: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::new();
    for byte in cell.trim_ascii().iter().take(40) {
        let kind = match byte {
            b'A'..=b'Z' => b'A',
            b'a'..=b'z' | 128.. => b'a',
            b'0'..=b'9' => b'9',
            other => *other,
        };
        if pattern.last() != Some(&kind) {
            pattern.push(kind);
        }
    }
    pattern
}
