//! What the text of a field means.

use super::BadRow;
use crate::model::{Column, CsvForm, Kind};
use jiff::civil::{Date, DateTime};

/// A field, read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field<'a> {
    /// Nothing.
    Null,
    /// Text.
    Text(&'a str),
    /// The digits of an integer, in the form that JSON takes.
    Integer(&'a str),
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
    typed(column.kind, trimmed).ok_or_else(|| BadRow::Kind {
        column: column.name.clone(),
        text: text.chars().take(40).collect(),
        kind: column.kind,
    })
}

fn typed(kind: Kind, text: &str) -> Option<Field<'_>> {
    match kind {
        Kind::Text => Some(Field::Text(text)),
        Kind::Integer => integer(text).map(Field::Integer),
        Kind::Number => {
            text.parse::<f64>().ok().filter(|_| text.bytes().any(|byte| byte.is_ascii_digit())).map(Field::Number)
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
fn integer(text: &str) -> Option<&str> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if digits.len() > 1 && digits.starts_with('0') {
        // JSON knows no such number; the sign of a negative one stands in the way of cutting, and is rare enough.
        let plain = digits.trim_start_matches('0');
        return if plain.is_empty() { Some("0") } else { Some(plain).filter(|_| digits.len() == text.len()) };
    }
    Some(text)
}

/// The narrowest type that all these texts have; empty ones and those that stand for nothing say nothing. An integer with
/// zeros in front is an identifier, and stays text.
pub fn infer<'a>(texts: impl Iterator<Item = &'a str>, null: &[String]) -> Kind {
    const CANDIDATES: [Kind; 5] = [Kind::Integer, Kind::Number, Kind::Boolean, Kind::Date, Kind::Datetime];
    let mut left = CANDIDATES.to_vec();
    let mut seen = false;
    for text in texts {
        if text.trim().is_empty() || null.iter().any(|null| null == text) {
            continue;
        }
        seen = true;
        let digits = text.trim_start_matches(['-', '+']);
        let identifier = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
        left.retain(|kind| {
            !(identifier && matches!(kind, Kind::Integer | Kind::Number)) && typed(*kind, text.trim()).is_some()
        });
        if left.is_empty() {
            return Kind::Text;
        }
    }
    if seen { left.first().copied().unwrap_or(Kind::Text) } else { Kind::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_inferred_from_all_texts() {
        let kind = |texts: &[&str]| infer(texts.iter().copied(), &["NA".to_owned()]);
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
        assert_eq!(read(Kind::Integer, " +007 "), Ok(Field::Integer("7")));
        assert_eq!(read(Kind::Integer, "12345678901234567890123"), Ok(Field::Integer("12345678901234567890123")));
        assert_eq!(read(Kind::Number, "2.50"), Ok(Field::Number(2.5)));
        assert_eq!(read(Kind::Text, ""), Ok(Field::Text("")));
        assert_eq!(read(Kind::Date, ""), Ok(Field::Null));
        assert_eq!(read(Kind::Text, "-"), Ok(Field::Null));
        assert!(read(Kind::Integer, "1.0").is_err() && read(Kind::Boolean, "yes").is_err());
        assert!(read(Kind::Number, "nan").is_err());
    }
}
