//! Numbers in results: integers are exact, all others are floats.

use std::cmp::Ordering;

/// A number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// An integer, written as such.
    Whole(i128),
    /// Any other.
    Float(f64),
}

impl Number {
    /// Reads a JSON number; none if it fits neither 128 bits nor a float.
    pub(super) fn read(json: &str) -> Option<Self> {
        if json.contains(['.', 'e', 'E']) {
            return json.parse().ok().filter(|number: &f64| number.is_finite()).map(Self::Float);
        }
        json.parse().ok().map(Self::Whole)
    }

    /// As JSON text; none if it is not finite.
    pub(super) fn to_json(self) -> Option<String> {
        match self {
            Self::Whole(number) => Some(number.to_string()),
            Self::Float(number) if number.is_finite() => serde_json::to_string(&number).ok(),
            Self::Float(_) => None,
        }
    }

    /// The nearest float.
    pub(super) fn to_float(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    /// Compares by exact value, whatever the kinds.
    pub(super) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => one.cmp(&other),
            (Self::Float(one), Self::Float(other)) => one.partial_cmp(&other).unwrap_or(Ordering::Equal),
            (Self::Whole(one), Self::Float(other)) => compare_mixed(one, other),
            (Self::Float(one), Self::Whole(other)) => compare_mixed(other, one).reverse(),
        }
    }

    /// One form for all numbers that are equal, to group by.
    pub(super) fn canonical(self) -> Self {
        match self {
            // Every float that is a whole number within 128 bits converts exactly.
            Self::Float(number) if number.fract() == 0.0 && number.abs() < 1e38 => Self::Whole(number as i128),
            other => other,
        }
    }
}

fn compare_mixed(whole: i128, float: f64) -> Ordering {
    // 2^127; all floats between the two bounds have a whole part that is an i128.
    const BOUND: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;
    if float >= BOUND {
        return Ordering::Less;
    }
    if float < -BOUND {
        return Ordering::Greater;
    }
    let fraction = 0.0_f64.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal);
    whole.cmp(&(float.trunc() as i128)).then(fraction)
}

/// A sum: whole numbers exactly, floats with the running error carried along.
///
/// The floats are added by the improved Kahan-Babuska algorithm of A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur
/// Summation endlicher Summen", Zeitschrift fuer angewandte Mathematik und Mechanik 54 (1974), 39-51.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    whole: i128,
    float: f64,
    error: f64,
    has_float: bool,
    /// How many numbers were added.
    pub(super) count: u64,
}

impl Sum {
    /// Adds a number; false where the whole ones do not fit 128 bits any more.
    pub(super) fn add(&mut self, number: Number) -> bool {
        self.count += 1;
        match number {
            Number::Whole(number) => {
                let Some(sum) = self.whole.checked_add(number) else { return false };
                self.whole = sum;
            }
            Number::Float(number) => {
                self.has_float = true;
                self.add_float(number);
            }
        }
        true
    }

    /// Adds the sum of the numbers that follow; false where the whole ones do not fit 128 bits any more.
    pub(super) fn merge(&mut self, next: Self) -> bool {
        self.count += next.count;
        self.has_float |= next.has_float;
        self.add_float(next.float);
        self.error += next.error;
        let Some(sum) = self.whole.checked_add(next.whole) else { return false };
        self.whole = sum;
        true
    }

    fn add_float(&mut self, number: f64) {
        let sum = self.float + number;
        self.error +=
            if self.float.abs() >= number.abs() { (self.float - sum) + number } else { (number - sum) + self.float };
        self.float = sum;
    }

    /// The sum; a float as soon as one was among the numbers.
    pub(super) fn total(mut self) -> Number {
        if !self.has_float {
            return Number::Whole(self.whole);
        }
        // In two parts, so that a large one loses nothing.
        let high = self.whole as f64;
        self.add_float(high);
        self.add_float(self.whole.checked_sub(high as i128).unwrap_or(0) as f64);
        Number::Float(self.float + self.error)
    }

    /// The mean; none of no numbers.
    pub(super) fn mean(self) -> Option<Number> {
        (self.count > 0).then(|| Number::Float(self.total().to_float() / self.count as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(numbers: &[&str]) -> Number {
        let mut sum = Sum::default();
        assert!(numbers.iter().all(|number| sum.add(Number::read(number).unwrap())));
        sum.total()
    }

    #[test]
    fn whole_numbers_are_exact_and_floats_lose_nothing_on_the_way() {
        assert_eq!(sum(&["9223372036854775807"; 4]), Number::Whole(4 * i128::from(i64::MAX)));
        // The example of Neumaier's that Kahan's own algorithm gets wrong.
        assert_eq!(sum(&["1.0", "1e100", "1.0", "-1e100"]), Number::Float(2.0));
        assert_eq!(sum(&["0.1"; 10]), Number::Float(1.0));
        assert_eq!(sum(&["9007199254740993", "0.0", "-9007199254740992"]), Number::Float(1.0));
        assert_eq!(sum(&[]), Number::Whole(0));
    }

    #[test]
    fn a_sum_beyond_128_bits_is_noticed() {
        let mut sum = Sum::default();
        assert!(sum.add(Number::Whole(i128::MAX)));
        assert!(!sum.add(Number::Whole(1)));
        assert_eq!(Number::read(&"9".repeat(40)), None);
        assert_eq!(Number::read("1e999"), None);
    }

    #[test]
    fn numbers_of_both_kinds_are_compared_by_value() {
        let compare = |one: &str, other: &str| Number::read(one).unwrap().compare(Number::read(other).unwrap());
        assert_eq!(compare("9007199254740993", "9007199254740992.0"), Ordering::Greater);
        assert_eq!(compare("2", "2.5"), Ordering::Less);
        assert_eq!(compare("-2", "-2.5"), Ordering::Greater);
        assert_eq!(compare("-2.5", "-2"), Ordering::Less);
        assert_eq!(compare("1e300", "5"), Ordering::Greater);
        assert_eq!(compare("-1e300", "5"), Ordering::Less);
        assert_eq!(compare("3", "3.0"), Ordering::Equal);
        assert_eq!(Number::read("3.0").unwrap().canonical(), Number::Whole(3));
        assert_eq!(Number::read("-0.0").unwrap().canonical(), Number::Whole(0));
        assert_eq!(Number::read("2.5").unwrap().canonical(), Number::Float(2.5));
        assert_eq!(Number::read("1e39").unwrap().canonical(), Number::Float(1e39));
    }
}
