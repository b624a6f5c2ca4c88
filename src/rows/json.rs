//! A record as JSON, for templates, commands and messages.

use super::{BadRow, Field, Fields, read};
use crate::model::{Form, Items, Origin};

/// The JSON text of the item at `position`: what a template or a command sees of it.
///
/// # Errors
/// Where it cannot be read.
pub fn to_json(form: &Form, items: &Items, position: usize, origin: Option<&Origin>) -> Result<Vec<u8>, BadRow> {
    let item = items.get(position);
    let Form::Csv(form) = form else {
        let item = item.trim_ascii_end();
        if origin.is_some() {
            // The text came from a file as it stood there.
            serde_json::from_slice::<serde::de::IgnoredAny>(item).map_err(|error| BadRow::Json(error.to_string()))?;
        }
        return Ok(item.to_vec());
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
        match read(form, column, split.text(column, file)?)? {
            Field::Null => json.extend_from_slice(b"null"),
            Field::Text(text) | Field::Date(text) | Field::Datetime(text) => write(&mut json, text),
            Field::Integer(digits) => json.extend_from_slice(digits.as_bytes()),
            Field::Number(number) => write(&mut json, &number),
            Field::Boolean(value) => write(&mut json, &value),
        }
    }
    json.push(b'}');
    Ok(json)
}

/// Of a row that cannot be read, so many characters are kept: enough to find it, and to see what is wrong.
const KEPT: usize = 4096;

/// The same for the ledger and for people: a row that cannot be read is its text, or the beginning of it.
pub fn describe(form: &Form, items: &Items, position: usize, origin: Option<&Origin>) -> Vec<u8> {
    to_json(form, items, position, origin).unwrap_or_else(|_| {
        let item = items.get(position);
        let text = String::from_utf8_lossy(&item[..item.len().min(4 * KEPT)]);
        let text: String = text.trim_end_matches(['\n', '\r']).chars().take(KEPT).collect();
        serde_json::to_vec(&text).expect("a string can always be written")
    })
}

fn write(json: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    serde_json::to_writer(json, value).expect("texts, numbers and truth values can always be written to memory");
}
