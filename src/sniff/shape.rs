//! What the text of a cell looks like.

/// The look of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// Nothing, or blanks.
    Empty,
    /// A word for a missing value.
    Null,
    /// Digits.
    Integer,
    /// Another number, an amount or a percentage.
    Number,
    Boolean,
    /// A date, a time or both.
    Moment,
    /// An address.
    Link,
    /// One word of letters and digits, such as `MG-8769`.
    Code,
    Text,
}

/// Words that stand for a missing value.
pub(super) const NULLS: [&str; 14] =
    ["NA", "N/A", "n/a", "\\N", "?", "-", "--", "NULL", "null", ".", "NaN", "nan", "None", "#N/A"];

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

impl Shape {
    /// The shape of a cell.
    pub(super) fn of(cell: &[u8]) -> Self {
        let cell = cell.trim_ascii();
        if cell.is_empty() {
            return Self::Empty;
        }
        let Ok(text) = std::str::from_utf8(cell) else { return Self::Text };
        if text.len() > 60 {
            return if is_link(text) { Self::Link } else { Self::Text };
        }
        if text.len() <= 5 && NULLS.contains(&text) {
            return Self::Null;
        }
        let digits = cell.iter().filter(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return match text {
                _ if is_boolean(text) => Self::Boolean,
                _ if is_link(text) => Self::Link,
                _ => Self::Text,
            };
        }
        let unsigned = cell.strip_prefix(b"-").or_else(|| cell.strip_prefix(b"+")).unwrap_or(cell);
        if digits == unsigned.len() {
            return Self::Integer;
        }
        match text {
            _ if is_number(text) => Self::Number,
            _ if is_moment(text) => Self::Moment,
            _ if is_link(text) => Self::Link,
            _ if is_code(text) => Self::Code,
            _ => Self::Text,
        }
    }

    /// Whether a table has such cells below a header rather than in it.
    pub(super) fn is_typed(self) -> bool {
        !matches!(self, Self::Empty | Self::Null | Self::Code | Self::Text)
    }

    /// Whether the cell says nothing about its column.
    pub(super) fn is_missing(self) -> bool {
        matches!(self, Self::Empty | Self::Null)
    }

    /// Whether both can be in one column.
    pub(super) fn goes_with(self, other: Self) -> bool {
        let is_number = |shape| matches!(shape, Self::Integer | Self::Number);
        self == other || is_number(self) && is_number(other)
    }
}

fn is_boolean(text: &str) -> bool {
    ["true", "false", "yes", "no"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn is_link(text: &str) -> bool {
    let has_scheme = || ["http://", "https://", "ftp://", "www."].iter().any(|start| text.starts_with(start));
    let is_mail = || text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    !text.contains([' ', ';', '|', '\t']) && (has_scheme() || is_mail())
}

fn is_code(text: &str) -> bool {
    text.len() <= 40 && text.chars().all(|char| char.is_alphanumeric() || "-_/.#:+()*".contains(char))
}

/// A number, also with units of thousands, a currency, a percent sign or an exponent.
fn is_number(text: &str) -> bool {
    let text = text.trim_start_matches(['-', '+', '$', '€', '£', '¥', '<', '>', '(']).trim_start();
    let text = text.trim_end_matches([')', '%', '$', '€', '£', '¥']).trim_end();
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    if exponent.is_empty() || !exponent.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let groups: Vec<&str> = mantissa.split(['.', ',', '\'']).collect();
    let all_digits = groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_digit()));
    if !all_digits || mantissa.bytes().all(|byte| !byte.is_ascii_digit()) {
        return false;
    }
    match groups.as_slice() {
        [_] | [_, _] => true,
        [_, middle @ .., last] => {
            let mut marks = mantissa.chars().filter(|char| !char.is_ascii_digit());
            let first = marks.next();
            let ends_otherwise = mantissa.chars().rfind(|char| !char.is_ascii_digit()) != first;
            middle.iter().all(|group| group.len() == 3) && (ends_otherwise || last.len() == 3)
        }
        [] => false,
    }
}

/// A date, a time of day, or both.
fn is_moment(text: &str) -> bool {
    if is_time(text) || is_date(text) {
        return true;
    }
    let mut cuts = text.match_indices(['T', ' ']);
    cuts.any(|(at, _)| is_date(&text[..at]) && is_time(text[at + 1..].trim_start()))
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['/', '-', '.', ' ', ',']).filter(|part| !part.is_empty()).collect();
    let is_digits = |part: &str| part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_month = |part: &str| {
        let start = part.get(..3).unwrap_or_default();
        part.bytes().all(|byte| byte.is_ascii_alphabetic())
            && MONTHS.iter().any(|month| start.eq_ignore_ascii_case(month))
    };
    let in_range = |part: &str| part.len() <= 2 && (1..=31).contains(&part.parse::<u8>().unwrap_or(0));
    match parts.as_slice() {
        [a, b, c] if is_digits(a) && is_digits(b) && is_digits(c) => {
            let year_first = a.len() == 4 && in_range(b) && in_range(c);
            year_first || in_range(a) && in_range(b) && (c.len() == 4 || c.len() == 2)
        }
        [a, b, c] => (is_month(a) && is_digits(b) || is_digits(a) && is_month(b)) && is_digits(c),
        [a, b] => {
            is_month(a) && is_digits(b) || is_digits(a) && is_month(b) || a.len() == 4 && is_digits(a) && in_range(b)
        }
        _ => false,
    }
}

fn is_time(text: &str) -> bool {
    let text = text.trim_end_matches(['Z', 'z']);
    let text = match text.split_once(['+', ' ']) {
        Some((time, zone)) if zone.len() <= 6 => time,
        Some(_) => return false,
        None => text,
    };
    let mut parts = text.splitn(3, ':');
    let is_short = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let (Some(hours), Some(minutes)) = (parts.next(), parts.next()) else { return false };
    let seconds = parts.next().unwrap_or("0");
    let is_seconds = |part: &str| {
        let digits = part.split(['-', '+']).next().unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b',')
    };
    is_short(hours) && minutes.len() == 2 && is_short(minutes) && is_seconds(seconds)
}

#[cfg(test)]
mod tests {
    use super::Shape::{self, Boolean, Code, Empty, Integer, Link, Moment, Null, Number, Text};

    #[test]
    fn a_shape_is_what_a_reader_sees() {
        let cases: [(&str, Shape); 38] = [
            ("", Empty),
            ("  ", Empty),
            ("NA", Null),
            ("\\N", Null),
            ("?", Null),
            ("7", Integer),
            ("-12", Integer),
            ("007", Integer),
            ("1.5", Number),
            ("1,5", Number),
            ("1,234,567.89", Number),
            ("1.234.567,8", Number),
            ("$74.69", Number),
            ("12 %", Number),
            ("6e-05", Number),
            ("1.2.3", Code),
            ("yes", Boolean),
            ("False", Boolean),
            ("28/01/2018", Moment),
            ("2018-01-28", Moment),
            ("2018-01-28T10:00:00Z", Moment),
            ("00:15", Moment),
            ("28.1.18 10:00", Moment),
            ("5 Jan 2018", Moment),
            ("Jan 2018", Moment),
            ("January 5, 2018", Moment),
            ("https://a.org/x?y=1", Link),
            ("ada@example.com", Link),
            ("MG-8769", Code),
            ("x1", Code),
            ("name", Text),
            ("Ada Lovelace", Text),
            ("e", Text),
            ("-", Null),
            ("2018-01-28 10:00:00+02:00", Moment),
            ("5 apples", Text),
            ("10\"", Text),
            ("1;2", Text),
        ];
        for (text, shape) in cases {
            assert_eq!(Shape::of(text.as_bytes()), shape, "{text}");
        }
        assert_eq!(Shape::of(b"\xff\xfe"), Text);
    }
}
