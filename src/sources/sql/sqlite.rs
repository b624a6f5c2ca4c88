//! Rows of an SQLite file, which is opened read-only.

use super::block::RowWriter;
use super::cancellation::Cancellation;
use super::statement::{BoundQuery, check_names};
use crate::database::with_position;
use crate::sources::error::ErrorText;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, OpenFlags, Row};
use serde_json::Value;
use std::path::Path;

/// Runs the query, and hands rows over until no more are needed.
pub(super) fn run(
    path: &Path,
    query: &BoundQuery,
    cancellation: &Cancellation,
    rows: &mut RowWriter,
) -> Result<(), ErrorText> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(
            |error| {
                let text = ErrorText::from(describe(&error, query));
                let help = "an absolute path has four slashes: `sqlite:////var/a.db`";
                if path.exists() { text } else { text.with_help(help) }
            },
        )?;
    let cancel = connection.get_interrupt_handle();
    if !cancellation.connected(move || cancel.interrupt()) {
        return Ok(());
    }
    let described = |error: Error| describe(&error, query);
    let mut statement = connection.prepare(&query.sql).map_err(described)?;
    check_names(statement.column_names())?;
    query.check_params(statement.parameter_count())?;
    for (position, param) in query.params.iter().enumerate() {
        statement.raw_bind_parameter(position + 1, Param(param)).map_err(described)?;
    }
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let heads: Vec<String> = names.iter().map(|name| format!("{}:", Value::from(name.as_str()))).collect();
    let mut found = statement.raw_query();
    while let Some(row) = found.next().map_err(described)? {
        let values = values(row, &names).map_err(|error| error.into_text(described))?;
        let wanted = rows.push(|json| {
            for (position, (head, value)) in heads.iter().zip(&values).enumerate() {
                json.push(if position == 0 { b'{' } else { b',' });
                json.extend_from_slice(head.as_bytes());
                json.extend_from_slice(value.to_string().as_bytes());
            }
            json.push(b'}');
        });
        if !wanted {
            break;
        }
    }
    Ok(())
}

/// The values of a row.
fn values(row: &Row<'_>, names: &[String]) -> Result<Vec<Value>, RowError> {
    let value = |(position, name): (usize, &String)| {
        Ok(match row.get_ref(position).map_err(RowError::Sqlite)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => number.into(),
            ValueRef::Real(number) if number.is_finite() => number.into(),
            ValueRef::Real(_) => {
                return Err(RowError::Value(
                    format!("column `{name}` contains an infinite number, which JSON cannot hold").into(),
                ));
            }
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => text.into(),
                Err(_) => {
                    return Err(RowError::Value(
                        format!("column `{name}` contains text that is not valid UTF-8").into(),
                    ));
                }
            },
            ValueRef::Blob(_) => {
                let error = ErrorText::from(format!("column `{name}` contains a BLOB, which JSON cannot hold"));
                return Err(RowError::Value(
                    error.with_help("convert it with `hex(COLUMN)` or `CAST(COLUMN AS TEXT)`"),
                ));
            }
        })
    };
    names.iter().enumerate().map(value).collect()
}

/// Why a row cannot be read.
enum RowError {
    Sqlite(Error),
    Value(ErrorText),
}

impl RowError {
    fn into_text(self, describe: impl Fn(Error) -> String) -> ErrorText {
        match self {
            Self::Sqlite(error) => describe(error).into(),
            Self::Value(error) => error,
        }
    }
}

/// A value to bind. SQLite has neither booleans nor lists: they become 0 and 1, and JSON text.
struct Param<'a>(&'a Value);

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Bool(value) => i64::from(*value).into(),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(number), _) => number.into(),
                (None, Some(float)) if number.as_str().contains(['.', 'e', 'E']) => float.into(),
                _ => {
                    let text = format!("the value {number} of `params` exceeds SQLite's 64-bit integers");
                    return Err(Error::ToSqlConversionFailure(text.into()));
                }
            },
            Value::String(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            other => other.to_string().into(),
        })
    }
}

/// SQLite's message, with the position that it is about.
fn describe(error: &Error, query: &BoundQuery) -> String {
    match error {
        Error::SqlInputError { msg, offset, .. } => {
            let before = usize::try_from(*offset).ok().and_then(|offset| query.sql.get(..offset));
            before.map_or_else(|| msg.clone(), |before| with_position(msg, before))
        }
        Error::SqliteFailure(_, Some(message)) => message.clone(),
        Error::ToSqlConversionFailure(error) => error.to_string(),
        Error::MultipleStatement => "the query is more than one statement".to_owned(),
        error => error.to_string(),
    }
}
