//! A record as JSON, for templates, commands and messages.

use super::bad_row::BadRow;
use super::fields::Fields;
use super::kind::{Field, read_field};
use super::nan::without_nan;
use crate::model::{Form, Items, Origin};
use std::borrow::Cow;

/// The JSON text of the item at `position`, as a template or a command sees it.
///
/// # Errors
/// If it cannot be read.
pub fn to_json(form: &Form, items: &Items, position: usize, origin: Option<&Origin>) -> Result<Vec<u8>, BadRow> {
    let item = items.get(position);
    if *form == Form::Pickle {
        return Ok(b"null".to_vec());
    }
    let loose = matches!(form, Form::LooseJson);
    let Form::Csv(form) = form else {
        let item = item.trim_ascii_end();
        let item = if loose { without_nan(item) } else { Cow::Borrowed(item) };
        if origin.is_some() {
            // The text was taken from a file as it is.
            serde_json::from_slice::<serde::de::IgnoredAny>(&item).map_err(|error| BadRow::Json(error.to_string()))?;
        }
        return Ok(item.into_owned());
    };
    let mut fields = Fields::new(form);
    let split = fields.split(item).as_text(None);
    split.check(form)?;
    let file = origin.map_or("", |origin| &origin.file);
    let mut json = vec![b'{'];
    for column in &form.columns {
        json.extend_from_slice(if json.len() == 1 { b"" } else { b"," });
        write(&mut json, &column.name);
        json.push(b':');
        let text = split.text(column, file)?;
        match read_field(form, column, text.as_deref())? {
            Field::Null => json.extend_from_slice(b"null"),
            Field::Text(text) => write(&mut json, text),
            Field::Date(text) | Field::Datetime(text) => write(&mut json, &*text),
            Field::Integer(digits) => json.extend_from_slice(digits.as_bytes()),
            Field::Number(number) => write(&mut json, &number),
            Field::Boolean(value) => write(&mut json, &value),
        }
    }
    json.push(b'}');
    Ok(json)
}

/// Whether the item at `position` is a record, that is, a mapping.
///
/// # Errors
/// If it cannot be read.
pub fn is_record(form: &Form, items: &Items, position: usize, origin: Option<&Origin>) -> Result<bool, BadRow> {
    let json = to_json(form, items, position, origin)?;
    Ok(matches!(form, Form::Csv(_)) || json.starts_with(b"{"))
}

/// How many characters of an unreadable row to keep: enough to find it and to see what is wrong.
const KEPT_CHARS: usize = 4096;

/// The same for the ledger and for people: a row that cannot be read becomes its text, or the beginning of it.
pub fn describe(form: &Form, items: &Items, position: usize, origin: Option<&Origin>) -> Vec<u8> {
    to_json(form, items, position, origin).unwrap_or_else(|_| {
        let item = items.get(position);
        let text = String::from_utf8_lossy(&item[..item.len().min(4 * KEPT_CHARS)]);
        let text: String = text.trim_end_matches(['\n', '\r']).chars().take(KEPT_CHARS).collect();
        serde_json::to_vec(&text).expect("a string can always be written")
    })
}

/// A row that cannot be read, whole and with its place: JSON of `file`, `line` and `text`. Bytes that are not text are replaced.
pub fn saved(items: &Items, position: usize, origin: Option<&Origin>) -> Vec<u8> {
    let text = String::from_utf8_lossy(items.get(position));
    let text = text.trim_end_matches(['\n', '\r']);
    let line = origin.map(|origin| origin.line(items, 0, position));
    let saved = serde_json::json!({"file": origin.map(|origin| &*origin.file), "line": line, "text": text});
    saved.to_string().into_bytes()
}

fn write(json: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    serde_json::to_writer(json, value).expect("text, numbers and booleans can always be written to memory");
}
