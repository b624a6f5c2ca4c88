//! What the text of a field means.

use super::BadRow;
use crate::model::{Column, CsvForm, Kind};
use jiff::civil::{Date, DateTime};
use std::borrow::Cow;

/// A field, read.
#[derive(Debug, Clone, PartialEq)]
pub enum Field<'a> {
    /// Nothing.
    Null,
    /// Text.
    Text(&'a str),
    /// The digits of an integer, in the form that JSON takes.
    Integer(Cow<'a, str>),
    /// A number.
    Number(f64),
    /// A truth value.
    Boolean(bool),
    /// The text of a date that is one.
    Date(&'a str),
    /// The text of a date and time that is one.
    Datetime(&'a str),
}

/// Reads the text of a column. An empty text of a column that is not text is nothing.
///
/// # Errors
/// Where the text is not of the column's type.
pub fn read<'a>(form: &CsvForm, column: &Column, text: Option<&'a str>) -> Result<Field<'a>, BadRow> {
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
    typed(column.kind, trimmed).ok_or_else(|| BadRow::of_kind(column, text))
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
        Kind::Date => (text.len() == 10 && text.parse::<Date>().is_ok()).then_some(Field::Date(text)),
        Kind::Datetime => {
            let fit = text.len() > 10 && (text.parse::<DateTime>().is_ok() || text.parse::<jiff::Timestamp>().is_ok());
            fit.then_some(Field::Datetime(text))
        }
    }
}

/// The digits without a plus and without zeros in front.
fn integer(text: &str) -> Option<Cow<'_, str>> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if !digits.starts_with('0') {
        return Some(Cow::Borrowed(text));
    }
    // JSON knows no number with zeros in front, and its -0 is no integer.
    Some(match digits.trim_start_matches('0') {
        "" => Cow::Borrowed("0"),
        plain if digits.len() == text.len() => Cow::Borrowed(plain),
        plain => Cow::Owned(format!("-{plain}")),
    })
}

/// Finds the narrowest type that all texts of a column have. Empty ones and those that stand for nothing say nothing. An
/// integer with zeros in front is an identifier, and stays text.
#[derive(Debug, Clone)]
pub struct Guess {
    left: Vec<Kind>,
    seen: bool,
}

impl Default for Guess {
    fn default() -> Self {
        Self { left: vec![Kind::Integer, Kind::Number, Kind::Boolean, Kind::Date, Kind::Datetime], seen: false }
    }
}

impl Guess {
    /// Takes a further text into account.
    pub fn see(&mut self, text: &str, null: &[String]) {
        let trimmed = text.trim();
        if self.left.is_empty() || trimmed.is_empty() || null.iter().any(|null| null == text) {
            return;
        }
        self.seen = true;
        let digits = trimmed.trim_start_matches(['-', '+']);
        let identifier = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
        self.left.retain(|kind| {
            !(identifier && matches!(kind, Kind::Integer | Kind::Number)) && typed(*kind, trimmed).is_some()
        });
    }

    /// The type.
    pub fn kind(&self) -> Kind {
        self.left.first().copied().filter(|_| self.seen).unwrap_or(Kind::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_inferred_from_all_texts() {
        let kind = |texts: &[&str]| {
            let mut guess = Guess::default();
            texts.iter().for_each(|text| guess.see(text, &["NA".to_owned()]));
            guess.kind()
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
        assert_eq!(kind(&["", "NA"]), Kind::Text);
    }

    #[test]
    fn a_text_is_read_by_the_type_of_its_column() {
        let form = CsvForm { delimiter: b',', quote: None, fields: 1, columns: Vec::new(), null: vec!["-".to_owned()] };
        let column = |kind| Column { name: "c".to_owned(), from: crate::model::From::Field(0), kind };
        let read = |kind, text| read(&form, &column(kind), Some(text));
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
        assert_eq!(read(Kind::Date, ""), Ok(Field::Null));
        assert_eq!(read(Kind::Text, "-"), Ok(Field::Null));
        assert!(read(Kind::Integer, "1.0").is_err() && read(Kind::Boolean, "yes").is_err());
        assert!(read(Kind::Number, "nan").is_err());
    }
}
