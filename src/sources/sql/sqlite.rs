//! Rows of an SQLite file, which is opened read-only.

use super::block::BlockWriter;
use super::cancellation::Cancellation;
use super::statement::{BoundQuery, check_names, with_position};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, OpenFlags, Row};
use serde_json::Value;
use std::path::Path;

/// Runs the query, and hands rows over until nobody wants more.
pub(super) fn run(
    path: &Path,
    query: &BoundQuery,
    cancellation: &Cancellation,
    rows: &mut BlockWriter,
) -> Result<(), String> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(
            |error| {
                let hint = "an absolute path is written with four slashes: `sqlite:////var/a.db`";
                let hint = if path.exists() { String::new() } else { format!("; {hint}") };
                format!("{}{hint}", describe(&error, query))
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
                return Err(RowError::Value(format!("column `{name}` is infinite, which no JSON number is")));
            }
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => text.into(),
                Err(_) => return Err(RowError::Value(format!("column `{name}` has text that is not UTF-8"))),
            },
            ValueRef::Blob(_) => {
                let way = format!("`hex({name})` or `CAST({name} AS TEXT)` makes text of it");
                return Err(RowError::Value(format!("column `{name}` is a BLOB, which no JSON value is; {way}")));
            }
        })
    };
    names.iter().enumerate().map(value).collect()
}

/// Why a row cannot be read.
enum RowError {
    Sqlite(Error),
    Value(String),
}

impl RowError {
    fn into_text(self, describe: impl Fn(Error) -> String) -> String {
        match self {
            Self::Sqlite(error) => describe(error),
            Self::Value(message) => message,
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
                (None, number) => number.unwrap_or_default().into(),
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
        Error::MultipleStatement => "it is more than one statement".to_owned(),
        error => error.to_string(),
    }
}
