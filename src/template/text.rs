//! Values as text: how they are inserted into strings, commands and requests.

use super::json::value_to_json;
use super::scope::ErrorValue;
use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind, Output, State, escape_formatter};
use std::borrow::Cow;

/// The text of a value: a string as it is, null, a bool, a list or a mapping as JSON, anything else as it prints.
///
/// # Errors
/// If a list or mapping has no JSON form, for example because a value in it is undefined.
pub(super) fn text_of(value: &Value) -> Result<Cow<'_, str>, String> {
    match value.kind() {
        ValueKind::String => Ok(Cow::Borrowed(value.as_str().unwrap_or_default())),
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map
            if value.downcast_object_ref::<ErrorValue>().is_none() =>
        {
            String::from_utf8(value_to_json(value)?).map(Cow::Owned).map_err(|error| error.to_string())
        }
        // As in a list, and as in JSON everywhere else.
        ValueKind::None => Ok(Cow::Borrowed("null")),
        ValueKind::Bool => Ok(Cow::Borrowed(if value.is_true() { "true" } else { "false" })),
        ValueKind::Invalid => value_to_json(value).map(|_| Cow::default()),
        _ => Ok(Cow::Owned(value.to_string())),
    }
}

/// The formatter for plain text.
pub(super) fn insert(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::None | ValueKind::Bool | ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
            let text = text_of(value).map_err(|message| Error::new(ErrorKind::InvalidOperation, message))?;
            out.write_str(&text).map_err(Error::from)
        }
        _ => escape_formatter(out, state, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Failure, FailureKind};

    fn text(value: impl Into<Value>) -> String {
        text_of(&value.into()).unwrap().into_owned()
    }

    #[test]
    fn lists_and_mappings_are_json_and_other_values_as_they_print() {
        let list = Value::from(vec!["a\"b", "é"]);
        assert_eq!([text("a\"b"), text(list.clone())], ["a\"b", r#"["a\"b","é"]"#]);
        assert_eq!(text(Value::from(vec![Value::from(true), Value::from(())])), "[true,null]");
        assert_eq!(text(std::collections::BTreeMap::from([("k", list)])), r#"{"k":["a\"b","é"]}"#);
        assert_eq!(text(Value::make_iterable(|| 0..3)), "[0,1,2]");
        assert_eq!([text(()), text(true), text(false)], ["null", "true", "false"]);
        assert_eq!([text(-7), text(2.0), text(0.1), text(u64::MAX)], ["-7", "2.0", "0.1", "18446744073709551615"]);
        assert_eq!(text(Value::UNDEFINED), "");
    }

    #[test]
    fn what_has_no_json_form_has_no_text() {
        let invalid = Value::from(Error::new(ErrorKind::InvalidOperation, "item is no JSON"));
        let why = text_of(&invalid).unwrap_err();
        assert!(why.contains("item is no JSON"), "{why}");
        let holds_one = Value::from(vec![Value::from(1), Value::UNDEFINED]);
        assert!(text_of(&holds_one).is_err());
    }

    #[test]
    fn the_error_of_an_item_is_its_message_and_no_mapping() {
        let failure = Failure::new(FailureKind::Exception, "ValueError", "no such row");
        let error = Value::from_object(ErrorValue { failure, attempts: 2 });
        assert_eq!(text_of(&error).unwrap(), error.to_string());
        assert!(error.to_string().contains("no such row"), "{error}");
    }
}
