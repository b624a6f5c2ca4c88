//! `fields`: a result that is made of chosen fields of the response.

use crate::model::{Failure, FailureKind};
use crate::spec::Field;
use serde_json::{Map, Value};

/// The fields that a response has, as JSON, by the names that the result gives them. What is not there is null.
///
/// # Errors
/// If a field is looked for in what is neither a mapping nor a list, such as a text.
pub(super) fn chosen(line: &[u8], fields: &[(String, Field)]) -> Result<Vec<u8>, Failure> {
    let response: Value = serde_json::from_slice(line).expect("the response was just written as JSON");
    let mut result = Map::new();
    for (name, field) in fields {
        let value = find(&response, field).map_err(|(place, value)| {
            let message = format!("the response has no field `{field}`: `{place}` is {}", kind(value));
            Failure::new(FailureKind::HttpStatus, "FieldError", message).permanent()
        })?;
        result.insert(name.clone(), value.clone());
    }
    Ok(serde_json::to_vec(&result).expect("JSON can be written again"))
}

/// The value of a field, or the place of a value that has no fields.
fn find<'a>(response: &'a Value, field: &Field) -> Result<&'a Value, (String, &'a Value)> {
    let mut value = response;
    let mut place = String::new();
    for name in field.names() {
        value = match value {
            Value::Null => return Ok(&Value::Null),
            Value::Object(map) => map.get(name).unwrap_or(&Value::Null),
            Value::Array(list) => match name.parse::<usize>() {
                Ok(index) => list.get(index).unwrap_or(&Value::Null),
                Err(_) => return Err((place, value)),
            },
            _ => return Err((place, value)),
        };
        if !place.is_empty() {
            place.push('.');
        }
        place.push_str(name);
    }
    Ok(value)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "a list; name an element by its index, from 0",
        Value::String(_) => "a string",
        Value::Number(_) => "a number",
        Value::Bool(_) => "true or false",
        Value::Null => "null",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_mappings_and_lists_with_all_their_digits() {
        let line = br#"{"status":200,"json":{"id":12345678901234567890123,"tags":["a",{"b":1.10}],"none":null}}"#;
        let one = |field: &str| {
            let chosen = chosen(line, &[("x".to_owned(), Field(field.to_owned()))]);
            chosen.map(|line| String::from_utf8(line).unwrap()).map_err(|failure| failure.message)
        };
        for (field, expected) in [
            ("status", "200"),
            ("json.id", "12345678901234567890123"),
            ("json.tags.1.b", "1.10"),
            ("json.tags.9", "null"),
            ("json.none.deeper", "null"),
            ("json.other", "null"),
        ] {
            assert_eq!(one(field).unwrap(), format!("{{\"x\":{expected}}}"), "{field}");
        }
        assert_eq!(one("json.id.x").unwrap_err(), "the response has no field `json.id.x`: `json.id` is a number");
        assert!(one("json.tags.b").unwrap_err().contains("`json.tags` is a list"));
    }
}
