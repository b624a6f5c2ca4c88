//! How values are written to columns of the database, and read from them.

use crate::measure::wall_clock;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

pub(super) fn microseconds(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// SQLite's integers are signed. None of our counts and offsets reaches 2^63.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count or an offset. A negative number was never written, and counts as missing.
pub(super) fn unsigned(value: Option<i64>) -> Option<u64> {
    u64::try_from(value?).ok()
}

/// The name of a unit variant, as serde writes it.
pub(super) fn variant_name(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The unit variant of this name.
pub(super) fn from_variant_name<T: DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::from(name)).ok()
}

/// Milliseconds since 1970, UTC.
pub(super) fn now() -> i64 {
    wall_clock().as_millisecond()
}
