//! What the text of a field means: its value by the type of its column, and the types that texts can have.

use super::bad_row::BadRow;
use super::nan::named;
use super::usual;
use crate::model::{Column, CsvForm, Kind, Nan};
use jiff::civil::{Date, DateTime};
use std::borrow::Cow;

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Field<'a> {
    /// Null.
    Null,
    /// Text.
    Text(&'a str),
    /// The digits of an integer, as JSON writes them.
    Integer(Cow<'a, str>),
    /// A number.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// The text of a valid date, in ISO 8601.
    Date(Cow<'a, str>),
    /// The text of a valid date and time, in ISO 8601.
    Datetime(Cow<'a, str>),
}

/// Reads the text of a column. An empty text is null unless the column is text.
///
/// # Errors
/// If the text is not of the column's type.
pub fn read_field<'a>(form: &CsvForm, column: &Column, text: Option<&'a str>) -> Result<Field<'a>, BadRow> {
    let Some(text) = text else { return Ok(Field::Null) };
    if !form.null.is_empty() && form.null.iter().any(|null| null == text) {
        return Ok(Field::Null);
    }
    if column.kind == Kind::Text {
        return Ok(Field::Text(text));
    }
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(Field::Null);
    }
    let field = if column.format.is_none() && form.values.is_usual() {
        typed(column.kind, trimmed)
    } else {
        formatted(form, column, trimmed)
    };
    field.ok_or_else(|| BadRow::of_kind(column, text))
}

/// A value that is written in a format of its own.
fn formatted<'a>(form: &CsvForm, column: &Column, text: &'a str) -> Option<Field<'a>> {
    if column.kind == Kind::Number
        && !form.values.nan.is_usual()
        && let Some(number) = named(text)
    {
        return Some(if form.values.nan == Nan::Keep { Field::Number(number) } else { Field::Null });
    }
    match (column.kind, &column.format) {
        (Kind::Integer | Kind::Number, _) => match usual::number(&form.values, text)? {
            Cow::Borrowed(text) => typed(column.kind, text),
            Cow::Owned(text) => match typed(column.kind, &text)? {
                Field::Number(number) => Some(Field::Number(number)),
                Field::Integer(digits) => Some(Field::Integer(Cow::Owned(digits.into_owned()))),
                _ => None,
            },
        },
        (Kind::Boolean, _) => usual::boolean(&form.values, text).map(Field::Boolean),
        (Kind::Date, Some(format)) => usual::date(format, Kind::Date, text).map(|date| Field::Date(Cow::Owned(date))),
        (Kind::Datetime, Some(format)) => {
            usual::date(format, Kind::Datetime, text).map(|time| Field::Datetime(Cow::Owned(time)))
        }
        (kind, _) => typed(kind, text),
    }
}

fn typed(kind: Kind, text: &str) -> Option<Field<'_>> {
    match kind {
        Kind::Text => Some(Field::Text(text)),
        Kind::Integer => integer(text).map(Field::Integer),
        Kind::Number => {
            // Neither `inf` nor `1e999`: JSON has no such number.
            text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Field::Number)
        }
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Some(Field::Boolean(true)),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Some(Field::Boolean(false)),
        Kind::Boolean => None,
        Kind::Date => {
            let date = (text.len() == 10).then(|| text.parse::<Date>().ok()).flatten();
            date.is_some_and(|date| date.year() > 0).then_some(Field::Date(Cow::Borrowed(text)))
        }
        Kind::Datetime => (text.len() > 10 && is_datetime(text)).then_some(Field::Datetime(Cow::Borrowed(text))),
    }
}

/// The digits without a plus sign and leading zeros.
fn integer(text: &str) -> Option<Cow<'_, str>> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if !digits.starts_with('0') {
        return Some(Cow::Borrowed(text));
    }
    // JSON allows no leading zeros, and its -0 is not an integer.
    Some(match digits.trim_start_matches('0') {
        "" => Cow::Borrowed("0"),
        plain if digits.len() == text.len() => Cow::Borrowed(plain),
        plain => Cow::Owned(format!("-{plain}")),
    })
}

/// The types that texts can have, narrowed down one text after another, without keeping any. Empty texts and those that mean
/// null do not count. An integer with leading zeros is an identifier, and stays text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inference {
    /// A bit for each of [`CANDIDATES`] that fits all texts so far.
    left: u8,
    seen: bool,
}

/// Whether Python has such a time: from the year 1 on, without leap seconds.
fn is_datetime(text: &str) -> bool {
    let is_leap = text.get(16..19) == Some(":60");
    let from_year_1 = match text.parse::<jiff::Timestamp>() {
        Ok(time) => time.as_second() >= FIRST_SECOND,
        Err(_) => text.parse::<DateTime>().is_ok_and(|time| time.year() > 0),
    };
    from_year_1 && !is_leap
}

/// The first second of the year 1.
const FIRST_SECOND: i64 = -62_135_596_800;

/// The types other than text, the narrowest first.
const CANDIDATES: [Kind; 5] = [Kind::Integer, Kind::Number, Kind::Boolean, Kind::Date, Kind::Datetime];
const INTEGER: u8 = 1;
const NUMBER: u8 = 1 << 1;
const DATE: u8 = 1 << 3;
const DATETIME: u8 = 1 << 4;

impl Default for Inference {
    fn default() -> Self {
        Self { left: (1 << CANDIDATES.len()) - 1, seen: false }
    }
}

impl Inference {
    /// Adds a text. Bytes that are not UTF-8 count as text.
    pub fn add(&mut self, text: &[u8], null: &[String]) {
        let is_null = || text.is_empty() || null.iter().any(|null| null.as_bytes() == text);
        if self.left == 0 || is_null() || self.seen && self.is_plain(text) {
            return;
        }
        let Ok(text) = std::str::from_utf8(text) else {
            (self.left, self.seen) = (0, true);
            return;
        };
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        self.seen = true;
        let digits = text.trim_start_matches(['-', '+']);
        if digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.") {
            self.left &= !(INTEGER | NUMBER);
        }
        for (at, kind) in CANDIDATES.into_iter().enumerate() {
            if self.left & 1 << at != 0 && typed(kind, text).is_none() {
                self.left &= !(1 << at);
            }
        }
    }

    /// Adds a text of a record of this form.
    pub fn add_of(&mut self, text: &[u8], form: &CsvForm) {
        if form.values.is_usual() || self.left == 0 || form.null.iter().any(|null| null.as_bytes() == text) {
            return self.add(text, &form.null);
        }
        match std::str::from_utf8(text) {
            Ok(text) => self.add(usual::for_inference(&form.values, text).as_bytes(), &[]),
            Err(_) => self.add(text, &[]),
        }
    }

    /// Whether the text is of a common form that changes nothing; decided from its bytes, without parsing.
    fn is_plain(&self, text: &[u8]) -> bool {
        match self.left {
            DATE => is_plain_date(text),
            DATETIME => is_plain_datetime(text),
            left if left & !(INTEGER | NUMBER) == 0 => {
                let digits = text.strip_prefix(b"-").unwrap_or(text);
                let whole = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
                // A number with more digits may exceed every float.
                if whole == 0 || whole > 300 || whole > 1 && digits[0] == b'0' {
                    return false;
                }
                let fraction = &digits[whole..];
                let point = fraction.len() > 1 && fraction[0] == b'.' && fraction[1..].iter().all(u8::is_ascii_digit);
                fraction.is_empty() || left == NUMBER && point
            }
            _ => false,
        }
    }

    /// Whether a whole number changes nothing.
    pub(super) fn takes_integers(&self) -> bool {
        self.seen && self.left != 0 && self.left & !(INTEGER | NUMBER) == 0
    }

    /// Whether the texts can only be text, whatever follows.
    pub fn is_text(&self) -> bool {
        self.left == 0
    }

    /// The narrowest type of the texts so far.
    pub fn kind(&self) -> Kind {
        let first = CANDIDATES.into_iter().enumerate().find(|(at, _)| self.left & 1 << at != 0);
        first.filter(|_| self.seen).map_or(Kind::Text, |(_, kind)| kind)
    }

    /// The types that fit these texts and the other ones.
    pub fn and(self, other: Self) -> Self {
        match (self.seen, other.seen) {
            (true, true) => Self { left: self.left & other.left, seen: true },
            (false, _) => other,
            (_, false) => self,
        }
    }
}

/// `2026-01-28`, with a day that every month has.
fn is_plain_date(text: &[u8]) -> bool {
    let two = |at: usize| (text[at] & 15) * 10 + (text[at + 1] & 15);
    let shape = |(at, byte): (usize, &u8)| if matches!(at, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() };
    text.len() == 10 && text.iter().enumerate().all(shape) && (1..=12).contains(&two(5)) && (1..=28).contains(&two(8))
}

/// `2026-01-28T10:00:00`, with or without a trailing `Z`.
fn is_plain_datetime(text: &[u8]) -> bool {
    let Some((date, time)) = text.split_at_checked(10) else { return false };
    let time = time.strip_suffix(b"Z").unwrap_or(time);
    let two = |at: usize| (time[at] & 15) * 10 + (time[at + 1] & 15);
    let shape = |(at, byte): (usize, &u8)| match at {
        0 => matches!(byte, b'T' | b' '),
        3 | 6 => *byte == b':',
        _ => byte.is_ascii_digit(),
    };
    let fits = time.len() == 9 && time.iter().enumerate().all(shape) && is_plain_date(date);
    fits && two(1) < 24 && two(4) < 60 && two(7) < 60
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ValueFormat;

    #[test]
    fn types_are_inferred_from_all_texts() {
        let kind = |texts: &[&str]| {
            let mut inference = Inference::default();
            texts.iter().for_each(|text| inference.add(text.as_bytes(), &["NA".to_owned()]));
            inference.kind()
        };
        assert_eq!(kind(&["1", "-20", "", "NA"]), Kind::Integer);
        assert_eq!(kind(&["1", "2.5", "1e3"]), Kind::Number);
        assert_eq!(kind(&["true", "FALSE"]), Kind::Boolean);
        assert_eq!(kind(&["2026-01-31", "1999-12-01"]), Kind::Date);
        assert_eq!(kind(&["2026-01-31T10:00:00", "2026-01-31 10:00:00.5"]), Kind::Datetime);
        assert_eq!(kind(&["2026-02-30"]), Kind::Text);
        assert_eq!(kind(&["01234", "98765"]), Kind::Text);
        assert_eq!(kind(&["1", "x"]), Kind::Text);
        assert_eq!(kind(&["inf", "nan"]), Kind::Text);
        assert_eq!(kind(&["1.5", "1e999"]), Kind::Text);
        assert_eq!(kind(&["1.5", &"9".repeat(400)]), Kind::Text);
        assert_eq!(kind(&["", "NA"]), Kind::Text);
    }

    #[test]
    fn a_text_is_read_by_the_type_of_its_column() {
        let form = CsvForm {
            delimiter: b',',
            quote: None,
            fields: 1,
            columns: Vec::new(),
            null: vec!["-".to_owned()],
            values: ValueFormat::default(),
        };
        let column = |kind| Column { name: "c".to_owned(), from: crate::model::From::Field(0), kind, format: None };
        let read = |kind, text| read_field(&form, &column(kind), Some(text));
        for (text, digits) in [
            (" +007 ", "7"),
            ("-007", "-7"),
            ("-0", "0"),
            ("000", "0"),
            ("12345678901234567890", "12345678901234567890"),
        ] {
            assert_eq!(read(Kind::Integer, text), Ok(Field::Integer(digits.into())));
        }
        assert!(read(Kind::Number, "1e999").is_err());
        assert_eq!(read(Kind::Number, "2.50"), Ok(Field::Number(2.5)));
        assert_eq!(read(Kind::Text, ""), Ok(Field::Text("")));
        for odd in [
            "0000-01-01T00:00:00",
            "-000005-01-01T00:00:00",
            "2016-12-31T23:59:60",
            "2016-12-31 23:59:60Z",
            "0000-12-31T23:59:59Z",
        ] {
            assert!(read(Kind::Datetime, odd).is_err(), "{odd}");
        }
        assert!(read(Kind::Date, "0000-12-31").is_err() && read(Kind::Date, "0001-01-01").is_ok());
        assert!(
            read(Kind::Datetime, "0001-01-01T00:00:00Z").is_ok() && read(Kind::Datetime, "0001-01-01 00:00").is_ok()
        );
        assert_eq!(read(Kind::Date, ""), Ok(Field::Null));
        assert_eq!(read(Kind::Text, "-"), Ok(Field::Null));
        assert!(read(Kind::Integer, "1.0").is_err() && read(Kind::Boolean, "yes").is_err());
        assert!(read(Kind::Number, "nan").is_err());
    }

    #[test]
    fn types_that_are_narrowed_down_in_parts_are_those_of_the_whole() {
        let of = |texts: &[&str]| {
            let mut inference = Inference::default();
            texts.iter().for_each(|text| inference.add(text.as_bytes(), &[]));
            inference
        };
        assert_eq!(of(&["1", "2"]).and(of(&["2.5"])).kind(), Kind::Number);
        assert_eq!(of(&["1", "2"]).and(of(&["", " "])).kind(), Kind::Integer);
        assert_eq!(of(&["1"]).and(of(&["2026-01-01"])).kind(), Kind::Text);
        assert!(of(&["x"]).and(of(&["1"])).is_text());
    }

    #[test]
    fn the_short_way_takes_what_the_long_way_takes() {
        let firsts =
            [("5", INTEGER | NUMBER), ("5.5", NUMBER), ("2026-01-31", DATE), ("2026-01-31T01:02:03", DATETIME)];
        let texts = [
            "0",
            "-0",
            "-7",
            "00",
            "-01",
            "+1",
            "1.",
            ".5",
            "0.25",
            "-0.5",
            "1e3",
            "12345678901",
            "1.2.3",
            "-",
            "2026-12-28",
            "2026-13-01",
            "2026-00-10",
            "2026-02-30",
            "2026-1-1",
            "2026/01/01",
            "2026-01-28T23:59:59",
            "2026-01-28T24:00:00",
            "2026-01-28 10:00:00",
            "2026-01-28T10:00:00Z",
            "2026-01-28T10:00:00.5Z",
            "2026-01-28T10:60:00",
            "2026-01-28TZ",
        ];
        for (first, left) in firsts {
            let mut inference = Inference::default();
            inference.add(first.as_bytes(), &[]);
            assert_eq!(inference.left, left, "{first}");
            for text in texts.into_iter().filter(|text| inference.is_plain(text.as_bytes())) {
                let kept = CANDIDATES.into_iter().enumerate().filter(|(at, _)| left & 1 << at != 0);
                let fits = kept.map(|(_, kind)| typed(kind, text).is_some());
                assert!(fits.into_iter().all(|fits| fits), "{first} and then {text}");
            }
        }
    }
}
