//! Rows of an SQLite file. It is opened for reading only.

use super::{Call, Question, Rows, at, check_names, check_params};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, OpenFlags, Row};
use serde_json::Value;
use std::path::Path;

/// Asks, and hands rows over until nobody wants more.
pub(super) fn ask(path: &Path, question: &Question, call: &Call, rows: &mut Rows) -> Result<(), String> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(
            |error| {
                let hint = "an absolute path is written with four slashes: `sqlite:////var/a.db`";
                let hint = if path.exists() { String::new() } else { format!("; {hint}") };
                format!("{}{hint}", say(&error, question))
            },
        )?;
    let cancel = connection.get_interrupt_handle();
    if !call.connected(move || cancel.interrupt()) {
        return Ok(());
    }
    let said = |error: Error| say(&error, question);
    let mut statement = connection.prepare(&question.sql).map_err(said)?;
    check_names(statement.column_names())?;
    check_params(statement.parameter_count(), question)?;
    for (position, param) in question.params.iter().enumerate() {
        statement.raw_bind_parameter(position + 1, Param(param)).map_err(said)?;
    }
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let heads: Vec<String> = names.iter().map(|name| format!("{}:", Value::from(name.as_str()))).collect();
    let mut found = statement.raw_query();
    while let Some(row) = found.next().map_err(said)? {
        let values = values(row, &names).map_err(|error| error.unwrap_or_else(said))?;
        let wanted = rows.take(|json| {
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

/// The values of a row. An error is SQLite's, or ours.
fn values(row: &Row<'_>, names: &[String]) -> Result<Vec<Value>, Wrong> {
    let value = |(position, name): (usize, &String)| {
        Ok(match row.get_ref(position).map_err(Wrong::Sqlite)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => number.into(),
            ValueRef::Real(number) if number.is_finite() => number.into(),
            ValueRef::Real(_) => {
                return Err(Wrong::Value(format!("column `{name}` is infinite, which no JSON number is")));
            }
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => text.into(),
                Err(_) => return Err(Wrong::Value(format!("column `{name}` has text that is not UTF-8"))),
            },
            ValueRef::Blob(_) => {
                let way = format!("`hex({name})` or `CAST({name} AS TEXT)` makes text of it");
                return Err(Wrong::Value(format!("column `{name}` is a BLOB, which no JSON value is; {way}")));
            }
        })
    };
    names.iter().enumerate().map(value).collect()
}

/// Why a row cannot be had.
enum Wrong {
    Sqlite(Error),
    Value(String),
}

impl Wrong {
    fn unwrap_or_else(self, said: impl Fn(Error) -> String) -> String {
        match self {
            Self::Sqlite(error) => said(error),
            Self::Value(message) => message,
        }
    }
}

/// A value to bind. SQLite has neither truth values nor lists: these are 0 and 1, and JSON text.
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

fn say(error: &Error, question: &Question) -> String {
    match error {
        Error::SqlInputError { msg, offset, .. } => {
            let before = usize::try_from(*offset).ok().and_then(|offset| question.sql.get(..offset));
            before.map_or_else(|| msg.clone(), |before| at(msg, before))
        }
        Error::SqliteFailure(_, Some(message)) => message.clone(),
        Error::MultipleStatement => "it is more than one statement".to_owned(),
        error => error.to_string(),
    }
}
