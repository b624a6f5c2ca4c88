//! Numbers with more digits than minijinja computes with: integers beyond 128 bits, and decimals that a float would round.

use minijinja::value::{DynObject, Object, ObjectRepr};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A number as its JSON text. It prints and compares; arithmetic refuses it.
#[derive(Debug)]
pub(super) struct ExactNumber(pub(super) Box<str>);

impl ExactNumber {
    /// The nearest float.
    pub(super) fn to_float(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }
}

/// Whether this float, read from the text of a number, prints with all of its digits.
pub(super) fn has_all_digits(text: &str, float: f64) -> bool {
    /// Any number of so many digits comes out of a float as it went in (DBL_DIG of C).
    const SAFE: usize = 15;
    let is_short = text.len() <= SAFE && !text.contains(['e', 'E']);
    is_short || Parts::of(text) == Parts::of(&format!("{float:e}"))
}

/// A number as `0.DIGITS` times ten to a power. Equal numbers have equal parts.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'t> {
    is_negative: bool,
    /// Without zeros at either end; none for 0.
    digits: Cow<'t, str>,
    power: i64,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Self {
        let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        // What does not fit is as good as zero; the other end is no float at all.
        let exponent: i64 = exponent.parse().unwrap_or(i64::MIN / 2);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Cow<'t, str> = if fraction.is_empty() { whole.into() } else { format!("{whole}{fraction}").into() };
        let leading = digits.len() - digits.trim_start_matches('0').len();
        if leading == digits.len() {
            return Self { is_negative: false, digits: "".into(), power: 0 };
        }
        let power = exponent.saturating_add(whole.len() as i64 - leading as i64);
        let digits = match digits {
            Cow::Borrowed(digits) => digits.trim_matches('0').into(),
            Cow::Owned(digits) => digits.trim_matches('0').to_owned().into(),
        };
        Self { is_negative, digits, power }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let size = || (self.power, &self.digits).cmp(&(other.power, &other.digits));
        match (self.is_negative, other.is_negative) {
            // Nothing is smaller than no digits, whatever their power.
            _ if self.digits.is_empty() || other.digits.is_empty() => self.sign().cmp(&other.sign()),
            (false, false) => size(),
            (true, true) => size().reverse(),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl Object for ExactNumber {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        other.downcast_ref::<Self>().map(|other| Parts::of(&self.0).compare(&Parts::of(&other.0)))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_that_rounds_is_told_from_one_that_does_not() {
        let exact = |text: &str| has_all_digits(text, text.parse().unwrap());
        for text in
            ["0.1", "2.50", "-0.0", "1e5", "100000.0", "1.7976931348623157e308", "5e-324", "0.30000000000000004"]
        {
            assert!(exact(text), "{text}");
        }
        for text in [
            "0.1234567890123456789",
            "-78380162180.177895838545",
            "1e-400",
            "9007199254740993.0",
            "1.00000000000000000001",
        ] {
            assert!(!exact(text), "{text}");
        }
    }

    #[test]
    fn numbers_compare_by_their_values() {
        let order = |one: &str, other: &str| Parts::of(one).compare(&Parts::of(other));
        let rising = [
            "-1e400",
            "-12345678901234567890.5",
            "-0.10000000000000000001",
            "0.0",
            "1e-400",
            "0.1",
            "12",
            "12.5",
            "123",
            "9e99",
        ];
        for (at, one) in rising.iter().enumerate() {
            for (other_at, other) in rising.iter().enumerate() {
                assert_eq!(order(one, other), at.cmp(&other_at), "{one} {other}");
            }
        }
        assert_eq!(order("0.50", "5e-1"), Ordering::Equal);
    }
}
