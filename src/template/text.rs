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
