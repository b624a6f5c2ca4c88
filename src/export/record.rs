//! Records, as the formats read them.

use super::error::WriteError;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The column for records that are not mappings.
pub(super) const VALUE: &str = "value";

/// The most columns. More of them mean that keys are data, and would have to be held in memory.
pub(super) const MOST_COLUMNS: usize = 10_000;

/// Where a record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Its number in the file.
    Record(u64),
    /// The index of its item.
    Item(u64),
    /// The indexes of the first and the last item of its batch.
    Batch(u64, u64),
}

impl Default for Place {
    fn default() -> Self {
        Self::Record(0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(number) => write!(f, "record {number}"),
            Self::Item(index) => write!(f, "the result of item {index}"),
            Self::Batch(first, last) => write!(f, "a result of items {first} to {last}"),
        }
    }
}

/// The error for records with more columns.
pub(super) fn too_many_columns(place: Place) -> WriteError {
    WriteError::Records(format!("more than {MOST_COLUMNS} different columns up to {place}"))
}

/// The error for a record that is not JSON.
pub(super) fn unreadable(place: Place, error: &serde_json::Error) -> WriteError {
    WriteError::Records(format!("{place} is not valid JSON: {error}"))
}

/// The lines of a piece, without their newlines.
pub(super) fn lines(piece: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    memchr::memchr_iter(b'\n', piece).map(move |at| {
        let line = &piece[from..at];
        from = at + 1;
        line
    })
}

/// The fields of a record that is a mapping, with the JSON text of their values.
pub(super) struct Fields<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Reads them; `record` is the number of the record, for the message.
    pub(super) fn read(line: &'a [u8], record: u64) -> Result<Self, WriteError> {
        serde_json::from_slice(line).map_err(|error| unreadable(Place::Record(record), &error))
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some(Key(key)) = map.next_key()? {
                    fields.push((key, map.next_value()?));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// A key, borrowed if it is written without escapes.
pub(super) struct Key<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
