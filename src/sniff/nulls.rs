//! Words for missing values, in columns that have values of another type.

use super::cells::Records;
use super::layout::Layout;
use super::shape::{NULLS, Shape};

/// The words that stand for missing values, in the order in which they occur.
pub(super) fn nulls(records: &Records, layout: &Layout) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for column in 0..layout.width {
        let mut typed: Option<Shape> = None;
        let mut words: Vec<&[u8]> = Vec::new();
        let mut fits = true;
        for at in layout.rows() {
            let cell = records.cell(at, column).trim_ascii();
            match Shape::of(cell) {
                Shape::Empty => {}
                Shape::Null => {
                    if !words.contains(&cell) {
                        words.push(cell);
                    }
                }
                shape
                    if shape.is_typed() && shape != Shape::Link && typed.is_none_or(|typed| typed.goes_with(shape)) =>
                {
                    typed = Some(shape);
                }
                _ => {
                    fits = false;
                    break;
                }
            }
        }
        if fits && typed.is_some() {
            let words = words.into_iter().map(|word| String::from_utf8_lossy(word).into_owned());
            let new: Vec<String> =
                words.filter(|word| NULLS.contains(&word.as_str()) && !found.contains(word)).collect();
            found.extend(new);
        }
    }
    found
}
