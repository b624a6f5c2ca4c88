//! Records as rows of a table.

use crate::database::{DatabaseError, Row, TableColumn, Value};
use crate::export::record::{Fields, VALUE, lines};
use std::borrow::Cow;
use std::collections::HashMap;

/// Where the values of a record go.
pub(super) struct RowLayout {
    positions: HashMap<String, usize>,
    /// Whether a column takes any value as JSON.
    as_json: Vec<bool>,
}

impl RowLayout {
    /// Records have these `names`, for the columns of the table at the same places.
    pub(super) fn new(names: Vec<String>, columns: &[TableColumn]) -> Self {
        let as_json = columns.iter().map(|column| matches!(column.kind.as_str(), "json" | "jsonb")).collect();
        Self { positions: names.into_iter().enumerate().map(|(at, name)| (name, at)).collect(), as_json }
    }

    /// The rows of a piece of results. Results that are null have none.
    pub(super) fn rows<'p>(&self, piece: &'p [u8]) -> impl Iterator<Item = Result<Row<'p>, DatabaseError>> {
        let records = lines(piece).filter(|line| *line != b"null");
        records.enumerate().map(|(at, line)| self.row(line).map_err(|error| error.in_row(at)))
    }

    fn row<'p>(&self, line: &'p [u8]) -> Result<Row<'p>, DatabaseError> {
        let mut row = vec![Value::Null; self.as_json.len()];
        let unreadable = |error: serde_json::Error| DatabaseError::from(format!("it is not valid JSON: {error}"));
        let mut put = |name: &str, json: &'p str| {
            let Some(at) = self.positions.get(name).copied() else { return Ok(()) };
            row[at] = value(json, self.as_json[at]).map_err(|error| error.in_column(name))?;
            Ok::<(), DatabaseError>(())
        };
        if line.starts_with(b"{") {
            let fields: Fields<'p> = serde_json::from_slice(line).map_err(unreadable)?;
            fields.0.into_iter().try_for_each(|(name, value)| put(&name, value.get()))?;
        } else {
            put(VALUE, str::from_utf8(line).map_err(|error| error.to_string())?)?;
        }
        Ok(row)
    }
}

fn value(json: &str, as_json: bool) -> Result<Value<'_>, DatabaseError> {
    Ok(match json.as_bytes().first() {
        Some(b'n') => Value::Null,
        _ if as_json => Value::Json(json),
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'[' | b'{') => Value::Json(json),
        Some(b'"') => match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(plain) if !plain.contains('\\') => Value::Text(Cow::Borrowed(plain)),
            _ => serde_json::from_str(json)
                .map(|text: String| Value::Text(text.into()))
                .map_err(|_| "the text contains half of a surrogate pair, which is not a character".to_owned())?,
        },
        _ => Value::Number(json),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_find_their_columns_and_nulls_have_no_row() {
        let column = |name: &str, kind: &str| TableColumn { name: name.to_owned(), kind: kind.to_owned() };
        let columns = [column("A", "bigint"), column("b", "jsonb"), column("value", "text")];
        let layout = RowLayout::new(vec!["a".to_owned(), "b".to_owned(), "value".to_owned()], &columns);
        let rows: Result<Vec<_>, _> = layout.rows(b"{\"b\":\"x\",\"a\":1}\nnull\n\"say \\\"\\u00e9\\\"\"\n").collect();
        let text = |text: &'static str| Value::Text(text.into());
        let expected = [
            vec![Value::Number("1"), Value::Json("\"x\""), Value::Null],
            vec![Value::Null, Value::Null, text("say \"é\"")],
        ];
        assert_eq!(rows.unwrap(), expected);
        let wrong = layout.rows(b"1\n\"\\ud800\"\n").nth(1).unwrap().unwrap_err();
        assert_eq!((wrong.row, wrong.column.as_deref()), (Some(1), Some("value")));
    }
}
