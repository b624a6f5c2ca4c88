//! Converts JSON text to template values and back.

use minijinja::value::Value;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Converts JSON text to a template value. An integer beyond 64 bits keeps its digits if it is the whole text.
pub fn json_to_value(json: &[u8]) -> Value {
    let digits = json.strip_prefix(b"-").unwrap_or(json);
    if digits.len() > 18 && digits.iter().all(u8::is_ascii_digit) {
        let text = String::from_utf8_lossy(json);
        return text.parse::<i128>().map_or_else(|_| Value::from(text.into_owned()), Value::from);
    }
    serde_json::from_slice(json).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(json).into_owned()))
}

/// Converts a template value to JSON text.
pub fn value_to_json(value: &Value) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|error| format!("cannot convert the value to JSON: {error}"))
}

/// Converts JSON text to a template value, with integers of up to 128 bits exact at every depth. Slower than
/// [`json_to_value`], which is exact up to 64 bits.
pub fn exact_json_to_value(json: &RawValue) -> Value {
    let text = json.get();
    match text.as_bytes().first() {
        Some(b'{') => serde_json::from_str::<Pairs<'_>>(text).map_or_else(
            |_| json_to_value(text.as_bytes()),
            |Pairs(pairs)| Value::from_pairs(pairs.into_iter().map(|(key, value)| (key, exact_json_to_value(value)))),
        ),
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text).map_or_else(
            |_| json_to_value(text.as_bytes()),
            |list| list.into_iter().map(exact_json_to_value).collect(),
        ),
        _ => json_to_value(text.as_bytes()),
    }
}

/// A mapping in its own order.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_keep_their_digits() {
        assert_eq!(
            value_to_json(&json_to_value(b"-123456789012345678901234567890")).unwrap(),
            b"-123456789012345678901234567890"
        );
        assert_eq!(json_to_value(b"12").to_string(), "12");
    }

    #[test]
    fn whole_numbers_keep_their_digits_at_every_depth() {
        let json = r#"{"z":[18446744073709551617,{"a":-170141183460469231731687303715884105728}],"b":1.5,"c":"x"}"#;
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        assert_eq!(String::from_utf8(value_to_json(&exact_json_to_value(&raw)).unwrap()).unwrap(), json);
    }
}
