//! Values that can be told apart: to group by, to count.

use super::number::Number;
use super::scalar::{Scalar, scalar};
use std::mem::size_of;

/// A value to group by, or to count. Equal numbers are one value, however they are written.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Null,
    Bool(bool),
    Whole(i128),
    Float(u64),
    Text(String),
}

impl Key {
    /// Reads a value that is not null. The error is what is wrong with it; `verb` says what such values can do.
    pub(super) fn read(json: &str, verb: &'static str) -> Result<Self, &'static str> {
        match json {
            "true" | "false" => Ok(Self::Bool(json == "true")),
            _ if json.starts_with(['{', '[']) => Err(verb),
            _ => Ok(match scalar(json)? {
                Scalar::Text(text) => Self::Text(text),
                Scalar::Number(number) => match number.canonical() {
                    Number::Whole(number) => Self::Whole(number),
                    Number::Float(number) => Self::Float(number.to_bits()),
                },
            }),
        }
    }

    /// About how many bytes it takes in a table.
    pub(super) fn bytes(&self) -> u64 {
        let text = if let Self::Text(text) = self { text.len() } else { 0 };
        (2 * size_of::<Self>() + text) as u64
    }
}
