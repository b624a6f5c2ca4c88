//! Decodes JSON into Python values.
//!
//! Integers keep all digits; `NaN` is rejected. What the fast parser rejects, Python's own parser tries.

use super::json::PARSE;
use super::support::Support;
use pyo3::prelude::*;

/// The value of this JSON text.
pub(super) fn decode<'py>(py: Python<'py>, support: &Support, json: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    if let Some(number) = small_integer(json) {
        return Ok(number.into_pyobject(py)?.into_any());
    }
    // jiter rejects some JSON that Python accepts: deep nesting, long numbers, lone surrogates.
    PARSE.python_parse(py, json).or_else(|_| support.decode(py, json))
}

/// An integer of up to 18 digits. It cannot overflow, and items are often just that.
fn small_integer(json: &[u8]) -> Option<i64> {
    let (negative, digits) = match json {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let plain = match digits {
        [] => false,
        [b'0', rest @ ..] => rest.is_empty(),
        _ => digits.len() <= 18 && digits.iter().all(u8::is_ascii_digit),
    };
    if !plain {
        return None;
    }
    let number = digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::small_integer;

    #[test]
    fn only_plain_short_integers_take_the_fast_path() {
        assert_eq!(small_integer(b"0"), Some(0));
        assert_eq!(small_integer(b"-17"), Some(-17));
        assert_eq!(small_integer(b"999999999999999999"), Some(999_999_999_999_999_999));
        for other in ["", "-", "01", "1.0", "1e3", "1000000000000000000", "\"1\"", " 1"] {
            assert_eq!(small_integer(other.as_bytes()), None, "{other}");
        }
    }
}
