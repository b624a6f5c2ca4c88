//! Settings: values with a type, such as durations, counts and switches.
//!
//! A setting is read from the file, or from the result of a template, by the same rules and with the same messages.

use super::node::describe;
use crate::model::Text;
use serde_json::Value;
use std::num::NonZeroUsize;
use std::time::Duration;

/// A value, or a template for it that is rendered when the step starts.
#[derive(Debug, Clone)]
pub enum Setting<T> {
    /// A value.
    Fixed(T),
    /// A template. Its result is read like a value in the file.
    Template(Text),
}

impl<T> Setting<T> {
    /// The template, if it is one.
    pub fn template(&self) -> Option<&Text> {
        match self {
            Self::Fixed(_) => None,
            Self::Template(text) => Some(text),
        }
    }
}

/// Why a value is wrong, in words that continue after the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError {
    /// For example "must be a positive integer; found the string \"ten\"".
    pub message: String,
    /// What to do about it.
    pub help: Option<&'static str>,
}

impl ValueError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    /// "must be `expected`; found .."
    pub(super) fn expected(expected: &str, value: &Value) -> Self {
        Self::new(format!("must be {expected}; found {}", describe(value)))
    }

    pub(super) fn help(self, help: &'static str) -> Self {
        Self { help: Some(help), ..self }
    }
}

/// A type that a [`Setting`] can have.
pub trait Readable: Sized {
    /// Reads the value, or returns what is wrong with it.
    fn read(value: &Value) -> Result<Self, ValueError>;
}

impl Readable for bool {
    fn read(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Bool(value) => Ok(*value),
            Value::String(text) => match text.to_lowercase().as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                "yes" | "on" | "y" => Err(ValueError::expected("`true` or `false`", value).help("write `true`")),
                "no" | "off" | "n" => Err(ValueError::expected("`true` or `false`", value).help("write `false`")),
                _ => Err(ValueError::expected("`true` or `false`", value)),
            },
            _ => Err(ValueError::expected("`true` or `false`", value)),
        }
    }
}

impl Readable for i64 {
    fn read(value: &Value) -> Result<Self, ValueError> {
        integer(value).ok_or_else(|| ValueError::expected("an integer", value))
    }
}

impl Readable for NonZeroUsize {
    fn read(value: &Value) -> Result<Self, ValueError> {
        match integer(value) {
            Some(number) => {
                usize::try_from(number).ok().and_then(Self::new).ok_or_else(|| ValueError::new("must be at least 1"))
            }
            None if is_huge(value) => Err(too_large(i64::MAX.unsigned_abs(), value)),
            None => Err(ValueError::expected("a positive integer", value)),
        }
    }
}

/// An integer from 1 to `most`.
pub(super) fn count_up_to(most: usize, value: &Value) -> Result<NonZeroUsize, ValueError> {
    let count = NonZeroUsize::read(value)?;
    if count.get() > most { Err(too_large(most as u64, value)) } else { Ok(count) }
}

/// A number of lines, from 0.
pub(super) fn line_count(value: &Value) -> Result<u32, ValueError> {
    match i64::read(value) {
        Ok(count) => u32::try_from(count).map_err(|_| match count {
            ..0 => ValueError::new("must not be negative"),
            _ => too_large(u32::MAX.into(), value),
        }),
        Err(_) if is_huge(value) => Err(too_large(u32::MAX.into(), value)),
        Err(_) => Err(ValueError::expected("a number of lines", value)),
    }
}

/// Whether it is an integer beyond 64 bits.
pub(super) fn is_huge(value: &Value) -> bool {
    let digits = match value {
        Value::Number(number) => number.as_str(),
        Value::String(text) => text.trim(),
        _ => return false,
    };
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<i64>().is_err()
}

pub(super) fn too_large(most: u64, value: &Value) -> ValueError {
    ValueError::new(format!("must be at most {most}; found {}", describe(value)))
}

/// A timeout, which is never 0.
impl Readable for Duration {
    fn read(value: &Value) -> Result<Self, ValueError> {
        match duration(value)? {
            Self::ZERO => Err(ValueError::new("must be greater than 0").help("remove it for no limit")),
            duration => Ok(duration),
        }
    }
}

/// The longest duration: nobody waits longer, and sums of several are still times that the system can express.
const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);

const DURATION: &str = "a number of seconds, or a duration such as `500ms`, `2s`, `2m`, `1.5h` or `1d`";

/// A number of seconds, or a duration with a unit. May be 0.
pub(super) fn duration(value: &Value) -> Result<Duration, ValueError> {
    let wrong = || ValueError::expected(DURATION, value);
    let seconds = match value {
        Value::Number(number) => number.as_f64().ok_or_else(wrong)?,
        Value::String(text) => seconds(text).ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    if seconds < 0.0 {
        return Err(ValueError::new("must not be negative"));
    }
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err(ValueError::new(format!("must be at most `36500d`, which is 100 years; found {}", describe(value)))),
    }
}

fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '-')).unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return None,
    };
    Some(number * unit)
}

/// A number per second, or a rate such as `10/s`, `600/m` or `1000/h`.
pub(super) fn rate(value: &Value) -> Result<f64, ValueError> {
    let wrong = || ValueError::expected("a number per second, or a rate such as `10/s`, `600/m` or `1000/h`", value);
    let rate = match value {
        Value::Number(number) => number.as_f64().ok_or_else(wrong)?,
        Value::String(text) => {
            let (number, unit) = text.split_once('/').ok_or_else(wrong)?;
            let number: f64 = number.trim().parse().map_err(|_| wrong())?;
            match unit.trim() {
                "s" => number,
                "m" => number / 60.0,
                "h" => number / 3600.0,
                _ => return Err(wrong()),
            }
        }
        _ => return Err(wrong()),
    };
    if rate.is_nan() || rate <= 0.0 {
        return Err(ValueError::new("must be greater than 0"));
    }
    if rate < 1.0 / 86_400.0 {
        return Err(ValueError::new(format!("must be at least one request per day; found {}", describe(value))));
    }
    if rate.is_finite() { Ok(rate) } else { Err(wrong()) }
}

/// An integer, or a string with one, as templates produce.
pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            (float.fract() == 0.0 && float.abs() < 9.0e15).then_some(float as i64)
        }),
        Value::String(text) => {
            let text = text.trim();
            text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
            text.parse().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations_are_seconds_or_have_a_unit() {
        for (value, milliseconds) in [
            (json!(2), 2_000),
            (json!(0.25), 250),
            (json!("500ms"), 500),
            (json!("2s"), 2_000),
            (json!("2m"), 120_000),
            (json!("1.5h"), 5_400_000),
            (json!(" 1 d "), 86_400_000),
        ] {
            assert_eq!(Duration::read(&value), Ok(Duration::from_millis(milliseconds)), "{value}");
        }
        for value in [
            json!("ten"),
            json!("1w"),
            json!([]),
            json!(null),
            json!(-1),
            json!(0),
            json!(1e300),
            json!(""),
            json!(1.5e19),
            json!("36501d"),
        ] {
            assert!(Duration::read(&value).is_err(), "{value}");
        }
        assert_eq!(duration(&json!(0)), Ok(Duration::ZERO));
    }

    #[test]
    fn rates_are_per_second() {
        assert_eq!(rate(&json!(5)), Ok(5.0));
        assert_eq!(rate(&json!("600/m")), Ok(10.0));
        assert_eq!(rate(&json!("36 / h")), Ok(0.01));
        assert!(rate(&json!(1e-30)).unwrap_err().message.starts_with("must be at least one request per day"));
        assert!(rate(&json!("10")).is_err() && rate(&json!(0)).is_err() && rate(&json!("1/d")).is_err());
    }

    #[test]
    fn the_error_of_a_count_says_what_it_expects() {
        let wrong = NonZeroUsize::read(&json!("ten")).unwrap_err();
        assert_eq!(wrong.message, "must be a positive integer; found the string \"ten\"");
        let huge = "must be at most 9223372036854775807; found the number 20000000000000000000";
        assert_eq!(
            NonZeroUsize::read(&serde_json::from_str("20000000000000000000").unwrap()).unwrap_err().message,
            huge
        );
        assert_eq!(count_up_to(5, &json!(5)).unwrap().get(), 5);
        assert_eq!(count_up_to(5, &json!("6")).unwrap_err().message, "must be at most 5; found the string \"6\"");
        assert_eq!(NonZeroUsize::read(&json!(0)).unwrap_err().message, "must be at least 1");
        assert_eq!(bool::read(&json!("yes")).unwrap_err().help, Some("write `true`"));
    }
}
