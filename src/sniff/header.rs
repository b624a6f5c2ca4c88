//! Tells whether a record is the header of the rows below it.

use super::cells::Records;
use super::columns::{Column, Fit};
use super::finding::HeaderSign;
use super::sample::Hints;
use super::shape::Shape;
use std::collections::HashSet;

/// What speaks for a record being a header.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Evidence {
    /// Above 0 if it is one.
    pub(super) score: f64,
    /// Columns of numbers, dates or the like where the record has something else.
    pub(super) unlike: usize,
    /// Columns where it has something that could stand below.
    pub(super) like: usize,
    /// What shows it best.
    pub(super) sign: HeaderSign,
}

/// How much the cells of a record look like names of these columns. `at` is the record, `texts` its cells in the order of the
/// columns.
pub(super) fn evidence(texts: &[&[u8]], columns: &[Column<'_>], hints: &Hints) -> Evidence {
    let mut found = Evidence { score: 0.4, unlike: 0, like: 0, sign: HeaderSign::Distinct };
    let sequence = is_sequence(texts, columns);
    let mut different = None;
    for (text, column) in texts.iter().zip(columns) {
        match column.fit(text) {
            // Its numbers are names.
            Fit::Like | Fit::Same if sequence && column.is_numeric() => found.score += 0.5,
            Fit::Same if column.is_typed() && column.is_distinct() => {
                found.score -= 1.5;
                found.like += 1;
            }
            Fit::Same => {
                found.score -= 2.0;
                found.like += 1;
            }
            Fit::Like => {
                found.score -= 1.5;
                found.like += 1;
            }
            Fit::Unlike => {
                found.score += 2.0;
                found.unlike += 1;
                different = different.or(Some(String::from_utf8_lossy(text).trim().to_owned()));
            }
            Fit::Perhaps => found.score += 0.7,
            Fit::Similar => found.score -= 0.05,
            Fit::Unknown => {}
        }
    }
    found.score += names(texts);
    let first_is_empty = texts.len() > 1 && texts[0].trim_ascii().is_empty() && is_filled(&texts[1..]);
    found.sign = match () {
        () if is_elsewhere(texts, hints) => {
            found.score += 10.0;
            HeaderSign::Elsewhere
        }
        () if sequence => HeaderSign::Sequence,
        () if first_is_empty => HeaderSign::EmptyFirst,
        () => different.map_or(HeaderSign::Distinct, HeaderSign::OtherType),
    };
    found
}

/// How much texts look like names, whatever stands below.
fn names(texts: &[&[u8]]) -> f64 {
    let mut score = 0.0;
    let filled: Vec<&[u8]> = texts.iter().map(|text| text.trim_ascii()).filter(|text| !text.is_empty()).collect();
    let different: HashSet<&[u8]> = filled.iter().copied().collect();
    if different.len() < filled.len() {
        score -= 1.0;
    }
    if filled.iter().any(|text| text.len() > 60) {
        score -= 0.7;
    }
    let typed = filled.iter().filter(|text| Shape::of(text).is_typed()).count();
    if typed * 2 > filled.len() {
        score -= 1.0;
    }
    // R and pandas leave the name of row names empty.
    let empty = texts.len() - filled.len();
    let first_is_empty = texts.first().is_some_and(|text| text.trim_ascii().is_empty());
    if first_is_empty && texts.len() > 1 && empty == 1 {
        score += 1.0;
    } else if empty > 0 {
        score -= 0.3;
    }
    score
}

fn is_filled(texts: &[&[u8]]) -> bool {
    texts.iter().all(|text| !text.trim_ascii().is_empty())
}

/// Whether the numbers over columns of numbers go up by one, or are years that go up steadily.
fn is_sequence(texts: &[&[u8]], columns: &[Column<'_>]) -> bool {
    let over_numbers = texts.iter().zip(columns).filter(|(_, column)| column.is_numeric() || column.filled == 0);
    let mut numbers: Vec<f64> = Vec::new();
    for (text, _) in over_numbers {
        let text = text.trim_ascii();
        match std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok()) {
            Some(number) if text.len() < 10 => numbers.push(number),
            // A number that is not a name.
            None if Shape::of(text).is_typed() => return false,
            _ => {}
        }
    }
    let (Some(first), Some(second)) = (numbers.first(), numbers.get(1)) else { return false };
    let step = second - first;
    let is_year = |number: &f64| (1500.0..2200.0).contains(number) && number.fract() == 0.0;
    let first_is_empty = texts.first().is_some_and(|text| text.trim_ascii().is_empty());
    if first_is_empty && numbers.len() > 2 && numbers.windows(2).all(|pair| pair[1] > pair[0]) {
        return true;
    }
    let plain = step == 1.0 && (*first == 0.0 || *first == 1.0) || step != 0.0 && numbers.iter().all(is_year);
    numbers.len() > 2 && plain && numbers.windows(2).all(|pair| pair[1] - pair[0] == step)
}

fn is_elsewhere(texts: &[&[u8]], hints: &Hints) -> bool {
    !hints.names.is_empty()
        && hints.names.len() == texts.len()
        && hints.names.iter().zip(texts).all(|(name, text)| name.as_bytes() == text.trim_ascii())
}

/// Whether the numbers of a record go up as those of the header do: then neither is a header.
pub(super) fn goes_up(records: &Records, at: usize, columns: &[Column<'_>]) -> bool {
    let texts: Vec<&[u8]> = records.row(at).collect();
    let numbers: Vec<i64> = texts
        .iter()
        .zip(columns)
        .filter(|(_, column)| column.is_numeric())
        .filter_map(|(text, _)| std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok())
        .collect();
    let step = |pair: &[i64]| pair[1].checked_sub(pair[0]);
    let Some(first) = numbers.get(..2).map(step) else { return false };
    numbers.len() > 2 && first != Some(0) && numbers.windows(2).all(|pair| step(pair) == first)
}

/// Whether texts are units of measurement: short and in parentheses, or such as `m/s`.
pub(super) fn are_units(texts: &[&[u8]]) -> bool {
    let filled: Vec<&[u8]> = texts.iter().map(|text| text.trim_ascii()).filter(|text| !text.is_empty()).collect();
    let is_unit = |text: &&[u8]| {
        let in_brackets = matches!(text, [b'(', .., b')'] | [b'[', .., b']']);
        let known = [
            "m", "s", "kg", "g", "mm", "cm", "km", "%", "K", "C", "V", "A", "W", "Hz", "Pa", "hPa", "mbar", "bar",
            "m/s", "km/h", "deg", "mg/l", "ppm", "h", "min", "ms", "°C", "EUR", "USD", "kWh", "W/m2", "UTC", "-",
            "unit", "units",
        ];
        text.len() <= 16 && (in_brackets || known.iter().any(|unit| unit.as_bytes() == *text))
    };
    let units = filled.iter().filter(|text| is_unit(text)).count();
    units > 0 && units * 2 >= filled.len()
}
