//! Numbers and dates that are written in other ways than the usual one, found out from all texts of a column.

use super::usual;
use crate::model::{Kind, ValueFormat};

/// The decimal separator of a number, and the one between groups of its digits; the likeliest first.
const NUMBERS: [(Option<char>, Option<char>); 4] =
    [(Some(','), None), (None, Some(',')), (Some(','), Some('.')), (Some(','), Some(' '))];

/// The bits of numbers.
const ALL_NUMBERS: u32 = (1 << NUMBERS.len()) - 1;

/// The bits of a point before the fraction, and of one between groups of digits.
const POINT: u32 = 1 << 1;
const POINT_IN_GROUPS: u32 = 1 << 2;

/// `strftime` formats of dates.
const DATES: [(&str, Kind); 18] = [
    ("%d/%m/%Y", Kind::Date),
    ("%m/%d/%Y", Kind::Date),
    ("%Y/%m/%d", Kind::Date),
    ("%d.%m.%Y", Kind::Date),
    ("%d-%m-%Y", Kind::Date),
    ("%m-%d-%Y", Kind::Date),
    ("%d/%m/%y", Kind::Date),
    ("%m/%d/%y", Kind::Date),
    ("%d.%m.%y", Kind::Date),
    ("%d-%b-%Y", Kind::Date),
    ("%d %b %Y", Kind::Date),
    ("%b %d, %Y", Kind::Date),
    ("%d/%m/%Y %H:%M", Kind::Datetime),
    ("%m/%d/%Y %H:%M", Kind::Datetime),
    ("%d.%m.%Y %H:%M", Kind::Datetime),
    ("%d/%m/%Y %H:%M:%S", Kind::Datetime),
    ("%m/%d/%Y %H:%M:%S", Kind::Datetime),
    ("%d.%m.%Y %H:%M:%S", Kind::Datetime),
];

/// The ways in which all texts of a column can be written. Empty texts and those that mean null do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Styles {
    /// A bit for each of [`NUMBERS`], then one for each of [`DATES`].
    left: u32,
    seen: bool,
}

impl Default for Styles {
    fn default() -> Self {
        Self { left: (1 << (NUMBERS.len() + DATES.len())) - 1, seen: false }
    }
}

impl Styles {
    /// Adds a text.
    pub(super) fn add(&mut self, text: &[u8], null: &[String]) {
        if self.left == 0 || text.is_empty() || null.iter().any(|null| null.as_bytes() == text) {
            return;
        }
        if let Some(digits) = usual_number(text) {
            // Most texts that are numbers, and every one of a large column would be parsed several times otherwise.
            let fits = match digits {
                (_, 0) => ALL_NUMBERS,
                (1..=3, 3) => POINT | POINT_IN_GROUPS,
                _ => POINT,
            };
            (self.left, self.seen) = (self.left & fits, true);
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
        for at in 0..NUMBERS.len() + DATES.len() {
            if self.left & 1 << at != 0 && !is_written(at, text) {
                self.left &= !(1 << at);
            }
        }
    }

    /// Adds an integer without leading zeros.
    pub(super) fn add_integer(&mut self) {
        (self.left, self.seen) = (self.left & ALL_NUMBERS, true);
    }

    /// Whether the texts are written in none of these ways, whatever follows.
    pub(super) fn is_none(&self) -> bool {
        self.left == 0
    }

    /// The ways in which these texts and the other ones can be written.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.seen, other.seen) {
            (true, true) => Self { left: self.left & other.left, seen: true },
            (false, _) => other,
            (_, false) => self,
        }
    }

    /// Whether the texts can be numbers.
    pub fn may_be_numbers(&self) -> bool {
        self.seen && self.left & ALL_NUMBERS != 0
    }

    /// The format of dates, if there is exactly one that fits: which of two numbers is the month is not guessed.
    pub fn date(&self) -> Option<(&'static str, Kind)> {
        let fits = |at: usize| self.seen && self.left & 1 << (at + NUMBERS.len()) != 0;
        let mut found = DATES.into_iter().enumerate().filter(|(at, _)| fits(*at)).map(|(_, date)| date);
        found.next().filter(|_| found.next().is_none())
    }

    /// How the numbers of several columns are written, if that is certain: `1,234` alone may be either.
    pub fn numbers(columns: impl Iterator<Item = Self>) -> Option<ValueFormat> {
        let left = columns.fold(ALL_NUMBERS, |left, column| left & column.left);
        let fits = |at: usize| left & 1 << at != 0;
        if fits(0) && fits(1) {
            return None;
        }
        let at = (0..NUMBERS.len()).find(|at| fits(*at))?;
        Some(number_format(at))
    }
}

/// How many digits a number in the usual way has before and after its point. None if the text is something else, or an identifier.
fn usual_number(text: &[u8]) -> Option<(usize, usize)> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if whole == 0 || whole > 1 && digits[0] == b'0' {
        return None;
    }
    match &digits[whole..] {
        [] => Some((whole, 0)),
        [b'.', fraction @ ..] if !fraction.is_empty() && fraction.iter().all(u8::is_ascii_digit) => {
            Some((whole, fraction.len()))
        }
        _ => None,
    }
}

fn number_format(at: usize) -> ValueFormat {
    let (decimal, thousands) = NUMBERS[at];
    ValueFormat { decimal, thousands, ..ValueFormat::default() }
}

fn is_written(at: usize, text: &str) -> bool {
    let Some((format, kind)) = at.checked_sub(NUMBERS.len()).map(|at| DATES[at]) else {
        let digits = text.trim_start_matches(['-', '+']);
        // Identifiers, and what has a currency or an exponent.
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b' '));
        let mut bytes = digits.bytes();
        let is_id = bytes.next() == Some(b'0') && bytes.next().is_some_and(|byte| byte.is_ascii_digit());
        return is_plain
            && !is_id
            && usual::number(&number_format(at), text).is_some_and(|it| it.parse::<f64>().is_ok());
    };
    text.len() <= 24 && usual::date(format, kind, text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Styles {
        let mut styles = Styles::default();
        texts.iter().for_each(|text| styles.add(text.as_bytes(), &["NA".to_owned()]));
        styles
    }

    fn numbers(columns: &[&[&str]]) -> Option<(Option<char>, Option<char>)> {
        Styles::numbers(columns.iter().map(|texts| of(texts))).map(|format| (format.decimal, format.thousands))
    }

    #[test]
    fn numbers_are_taken_to_be_written_in_one_way_if_only_one_fits() {
        assert_eq!(numbers(&[&["1,5", "2", "NA", ""]]), Some((Some(','), None)));
        assert_eq!(numbers(&[&["1.234,5", "2"]]), Some((Some(','), Some('.'))));
        assert_eq!(numbers(&[&["1,234.5", "1,234"]]), Some((None, Some(','))));
        assert_eq!(numbers(&[&["1 234,5"]]), Some((Some(','), Some(' '))));
        assert_eq!(numbers(&[&["1,234", "2,345"]]), None, "either");
        assert_eq!(numbers(&[&["1,234"], &["2,5"]]), Some((Some(','), None)), "another column tells");
        assert_eq!(numbers(&[&["1,5"], &["1,234.5"]]), None);
        for other in ["12 %", "1,5 kg", "007", "€ 1,5", "1e5", "1,5,6", "x"] {
            assert!(!of(&[other]).may_be_numbers(), "{other}");
        }
    }

    #[test]
    fn numbers_in_the_usual_way_fit_what_they_fit_by_parsing_them() {
        let wholes = ["0", "1", "12", "123", "1234", "1234567", "-5", "-123", "00", "07", "", "-", "+1"];
        for whole in wholes {
            for fraction in ["", ".", ".0", ".12", ".123", ".1234", ",1", " 234", ".123.456"] {
                let text = format!("{whole}{fraction}").trim().to_owned();
                let fits = |at: &usize| !text.is_empty() && is_written(*at, &text);
                let by_parsing = (0..NUMBERS.len() + DATES.len()).filter(fits).fold(0, |left, at| left | 1 << at);
                let found = of(&[&text]);
                assert_eq!(if found.seen { found.left } else { 0 }, by_parsing, "{text}");
            }
        }
    }

    #[test]
    fn dates_have_a_format_if_only_one_fits() {
        let date = |texts: &[&str]| of(texts).date().map(|(format, _)| format);
        assert_eq!(date(&["01/02/2018", "31/01/2018"]), Some("%d/%m/%Y"));
        assert_eq!(date(&["1/2/2018", "1/31/2018"]), Some("%m/%d/%Y"));
        assert_eq!(date(&["01/02/2018", "03/04/2018"]), None, "either");
        assert_eq!(date(&["31.01.2018", ""]), Some("%d.%m.%Y"));
        assert_eq!(date(&["31.01.18"]), Some("%d.%m.%y"));
        assert_eq!(date(&["05-Jan-2018"]), Some("%d-%b-%Y"));
        assert_eq!(date(&["31/01/2018 10:00"]), Some("%d/%m/%Y %H:%M"));
        assert_eq!(date(&["31/01/2018", "12"]), None);
        assert_eq!(date(&[]), None);
    }
}
