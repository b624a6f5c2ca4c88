//! Values of one part: numbers and texts.

use super::number::Number;

/// A number or a text.
#[derive(Clone)]
pub(super) enum Scalar {
    Number(Number),
    Text(String),
}

/// What is wrong with a value where only a number will do.
pub(super) const NO_NUMBER: &str = "not a number";

/// Reads a number or a text. The error is what is wrong with the value.
pub(super) fn scalar(json: &str) -> Result<Scalar, &'static str> {
    match json.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => {
            Number::read(json).map(Scalar::Number).ok_or("which exceeds 128 bits or the range of a float")
        }
        Some(b'"') => serde_json::from_str(json).map(Scalar::Text).map_err(|_| NO_NUMBER),
        _ => Err(NO_NUMBER),
    }
}

/// Reads a number.
pub(super) fn number(json: &str) -> Result<Number, &'static str> {
    match scalar(json)? {
        Scalar::Number(number) => Ok(number),
        Scalar::Text(_) => Err(NO_NUMBER),
    }
}
