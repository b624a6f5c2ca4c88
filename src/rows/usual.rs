//! Values that are written in a format of their own, in the usual one.

use super::nan::named;
use crate::model::{Kind, ValueFormat};
use jiff::fmt::strtime;
use std::borrow::Cow;

/// The number in the usual format; none if the text is not a number in this one.
pub(super) fn number<'a>(format: &ValueFormat, text: &'a str) -> Option<Cow<'a, str>> {
    if format.decimal.is_none() && format.thousands.is_none() {
        return Some(Cow::Borrowed(text));
    }
    let mantissa = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = &text[..text.len() - mantissa.len()];
    let (mantissa, exponent) = mantissa.split_at(mantissa.find(['e', 'E']).unwrap_or(mantissa.len()));
    let decimal = format.decimal.unwrap_or('.');
    let (whole, fraction) = match mantissa.split_once(decimal) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let whole = match format.thousands {
        Some(between) if whole.contains(between) => grouped(whole, between)?,
        _ => whole.to_owned(),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = is_digits(&whole) && fraction.is_none_or(is_digits);
    if !fits || whole.is_empty() && fraction.is_none_or(str::is_empty) {
        return None;
    }
    let point = if fraction.is_some() { "." } else { "" };
    Some(Cow::Owned(format!("{sign}{whole}{point}{}{exponent}", fraction.unwrap_or_default())))
}

/// The digits of `1.234.567`, or of `12.34.567` as in India: between groups of two or three digits, with three in the last.
fn grouped(text: &str, between: char) -> Option<String> {
    let groups: Vec<&str> = text.split(between).collect();
    let (first, last) = (groups.first()?, groups.last()?);
    let inner = groups[1..].iter().all(|group| matches!(group.len(), 2 | 3));
    (matches!(first.len(), 1..=3) && inner && last.len() == 3).then(|| groups.concat())
}

/// The truth value; none if the text is neither.
pub(super) fn boolean(format: &ValueFormat, text: &str) -> Option<bool> {
    let has = |texts: &[String], usual: &str| text.eq_ignore_ascii_case(usual) || texts.iter().any(|it| it == text);
    match (has(&format.true_values, "true"), has(&format.false_values, "false")) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// A year with fewer digits than four is rather one without its century.
const FIRST_YEAR: i16 = 1000;

/// The date, or the date and time, in ISO 8601; none if the text does not have this `strftime` format.
pub(super) fn date(format: &str, kind: Kind, text: &str) -> Option<String> {
    let parsed = strtime::parse(format, text).ok()?;
    if kind == Kind::Date {
        return parsed.to_date().ok().filter(|date| date.year() >= FIRST_YEAR).map(|date| date.to_string());
    }
    let local = parsed.to_datetime().ok().filter(|time| time.year() >= FIRST_YEAR);
    match parsed.to_timestamp() {
        // Without a date of its own, it is a number of seconds.
        Ok(time) if local.is_some() || parsed.year().is_none() => Some(time.to_string()),
        _ => local.map(|time| time.to_string()),
    }
}

/// The text as inference takes it: a value of this format in the usual one.
pub(super) fn for_inference<'a>(format: &ValueFormat, text: &'a str) -> Cow<'a, str> {
    let text = text.trim();
    if let Some(value) = boolean(format, text) {
        return Cow::Borrowed(if value { "true" } else { "false" });
    }
    if !format.nan.is_usual() && named(text).is_some() {
        // Any number that is not an integer.
        return Cow::Borrowed("0.5");
    }
    match number(format, text) {
        Some(number) => number,
        // A number in the usual format is none here.
        None if text.parse::<f64>().is_ok() => Cow::Borrowed("?"),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_their_own_decimal_and_thousands() {
        let format = ValueFormat { decimal: Some(','), thousands: Some('.'), ..ValueFormat::default() };
        let of = |text| number(&format, text).map(Cow::into_owned);
        for (text, usual) in [
            ("1.234,5", Some("1234.5")),
            ("-12,", Some("-12.")),
            (",5", Some(".5")),
            ("1,5e3", Some("1.5e3")),
            ("12.34.567", Some("1234567")),
            ("1234", Some("1234")),
            ("1.23", None),
            ("1.2345", None),
            (".123", None),
            ("1,2,3", None),
            ("", None),
            (",", None),
            ("1,234.5", None),
        ] {
            assert_eq!(of(text).as_deref(), usual, "{text}");
        }
        let blanks = ValueFormat { thousands: Some('\u{a0}'), ..ValueFormat::default() };
        assert_eq!(number(&blanks, "1\u{a0}234.5").as_deref(), Some("1234.5"));
    }

    #[test]
    fn dates_are_read_by_their_format() {
        let of = |format, kind, text| date(format, kind, text);
        assert_eq!(of("%d/%m/%Y", Kind::Date, "31/01/2018").as_deref(), Some("2018-01-31"));
        assert_eq!(of("%d/%m/%Y", Kind::Date, "31/13/2018"), None);
        assert_eq!(of("%d/%m/%Y", Kind::Date, "1/2/18"), None);
        assert_eq!(of("%d/%m/%Y %H", Kind::Datetime, "1/2/18 5"), None);
        assert_eq!(of("%d/%m/%y", Kind::Date, "1/2/18").as_deref(), Some("2018-02-01"));
        assert_eq!(of("%Y%m%d %H:%M", Kind::Datetime, "20180131 09:30").as_deref(), Some("2018-01-31T09:30:00"));
        let zoned = of("%d %b %Y %H:%M:%S %z", Kind::Datetime, "31 Jan 2018 09:30:00 +0200");
        assert_eq!(zoned.as_deref(), Some("2018-01-31T07:30:00Z"));
    }
}
