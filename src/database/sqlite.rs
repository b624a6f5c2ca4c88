//! Tables of an SQLite file.

use super::error::DatabaseError;
use super::name::TableName;
use super::store::{Access, Store};
use super::table::{ColumnType, Insert, Table, TableColumn};
use super::value::{Row, Value};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// How long to wait for another program that writes to the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// An open file.
pub(super) struct File(Connection);

impl File {
    pub(super) fn open(path: &Path) -> Result<Self, DatabaseError> {
        if path == Path::new(":memory:") {
            return Err(
                DatabaseError::from("`:memory:` keeps nothing").with_help("name a file: `sqlite:///out/results.db`")
            );
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|error| DatabaseError::from(format!("cannot create `{}`: {error}", folder.display())))?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(described)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(described)?;
        // Views and triggers keep naming a table that another one replaces.
        connection.execute_batch("PRAGMA legacy_alter_table = ON").map_err(described)?;
        Ok(Self(connection))
    }
}

impl Store for File {
    fn begin(&mut self) -> Result<(), DatabaseError> {
        self.execute("BEGIN IMMEDIATE")
    }

    fn keep_references(&mut self) -> Result<(), DatabaseError> {
        // With foreign keys on, dropping a table deletes its rows one by one, and theirs in tables that refer to them.
        self.execute("PRAGMA foreign_keys = OFF")
    }

    fn identity(&mut self) -> Result<String, DatabaseError> {
        let files = self.texts("SELECT file FROM pragma_database_list WHERE name = 'main'", &[])?;
        Ok(files.into_iter().flatten().flatten().collect())
    }

    fn lock(&mut self, _: i64) -> Result<(), DatabaseError> {
        // A transaction ends with its program.
        Ok(())
    }

    fn execute(&mut self, sql: &str) -> Result<(), DatabaseError> {
        self.0.execute_batch(sql).map_err(described)
    }

    fn texts(&mut self, sql: &str, values: &[&str]) -> Result<Vec<Vec<Option<String>>>, DatabaseError> {
        let mut statement = self.0.prepare(sql).map_err(described)?;
        for (at, value) in values.iter().enumerate() {
            statement.raw_bind_parameter(at + 1, value).map_err(described)?;
        }
        let count = statement.column_count();
        let mut rows = statement.raw_query();
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(described)? {
            let text = |at| row.get::<_, rusqlite::types::Value>(at).map(text_of).map_err(described);
            all.push((0..count).map(text).collect::<Result<_, _>>()?);
        }
        Ok(all)
    }

    fn qualified(&mut self, name: &TableName) -> Result<TableName, DatabaseError> {
        // Capitals do not tell tables apart.
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower($1)";
        let there = self.texts(sql, &[&name.table])?.pop().and_then(|mut row| row.pop().flatten());
        Ok(there.map_or_else(|| name.clone(), |there| name.beside(there)))
    }

    fn table(&mut self, name: &TableName) -> Result<Option<Table>, DatabaseError> {
        let name = name.table.as_str();
        let kind = "SELECT type FROM sqlite_schema WHERE lower(name) = lower($1) AND type IN ('table', 'view')";
        match self.texts(kind, &[name])?.pop().and_then(|mut row| row.pop().flatten()).as_deref() {
            None => return Ok(None),
            Some("table") => {}
            Some(other) => return Err(format!("it is a {other}, not a table").into()),
        }
        let columns = self.texts("SELECT name, type, pk FROM pragma_table_info($1)", &[name])?;
        let primary: Vec<String> =
            columns.iter().filter(|row| row[2].as_deref() != Some("0")).filter_map(|row| row[0].clone()).collect();
        let mut unique = vec![primary];
        let indexes = "SELECT l.name, i.name FROM pragma_index_list($1) AS l JOIN pragma_index_info(l.name) AS i
            WHERE l.\"unique\" = 1 AND l.partial = 0 ORDER BY l.seq, i.seqno";
        let mut last = None;
        for row in self.texts(indexes, &[name])? {
            if row[0] != last {
                unique.push(Vec::new());
            }
            last.clone_from(&row[0]);
            // An expression has no name, and is never equal to a column.
            unique.last_mut().into_iter().for_each(|index| index.push(row[1].clone().unwrap_or_default()));
        }
        let column = |mut row: Vec<Option<String>>| {
            row.truncate(2);
            let kind = row.pop().flatten().unwrap_or_default();
            TableColumn { name: row.pop().flatten().unwrap_or_default(), kind }
        };
        Ok(Some(Table { columns: columns.into_iter().map(column).collect(), unique }))
    }

    fn check_access(&mut self, _: &TableName, _: Access) -> Result<(), DatabaseError> {
        Ok(())
    }

    fn type_name(&self, kind: ColumnType) -> &'static str {
        match kind {
            ColumnType::Boolean => "BOOLEAN",
            ColumnType::Integer => "INTEGER",
            ColumnType::Float => "REAL",
            _ => "TEXT",
        }
    }

    fn is_same(&self, one: &str, other: &str) -> bool {
        one.eq_ignore_ascii_case(other)
    }

    fn check_column(&self, name: &str) -> Result<(), DatabaseError> {
        if name.contains('\0') { Err("a column name contains a NUL byte".into()) } else { Ok(()) }
    }

    fn insert<'a>(
        &mut self,
        into: &Insert<'_>,
        rows: &mut dyn Iterator<Item = Result<Row<'a>, DatabaseError>>,
    ) -> Result<(), DatabaseError> {
        let places = vec!["?"; into.columns.len()].join(", ");
        let (table, columns) = (into.table.sql(), into.column_list());
        let sql = format!("INSERT INTO {table} ({columns}) VALUES ({places}){}", into.on_conflict());
        let mut statement = self.0.prepare(&sql).map_err(described)?;
        let kinds: Vec<Affinity> = into.columns.iter().map(|column| Affinity::of(&column.kind)).collect();
        for (at, row) in rows.enumerate() {
            for (place, (value, column)) in row?.iter().zip(into.columns).enumerate() {
                if !kinds[place].takes(value) {
                    let message = format!("{} does not fit the type {}", shown(value), column.kind);
                    return Err(DatabaseError::from(message).in_row(at).in_column(&column.name));
                }
                statement.raw_bind_parameter(place + 1, value).map_err(|error| described(error).in_row(at))?;
            }
            statement.raw_execute().map_err(|error| described(error).in_row(at))?;
        }
        Ok(())
    }
}

fn text_of(value: rusqlite::types::Value) -> Option<String> {
    match value {
        rusqlite::types::Value::Integer(number) => Some(number.to_string()),
        rusqlite::types::Value::Real(number) => Some(number.to_string()),
        rusqlite::types::Value::Text(text) => Some(text),
        _ => None,
    }
}

/// What SQLite makes of the values of a column. It keeps what does not fit as it is, and says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Affinity {
    Integer,
    Real,
    Any,
}

impl Affinity {
    /// By SQLite's rules.
    fn of(kind: &str) -> Self {
        let kind = kind.to_ascii_uppercase();
        let has = |parts: &[&str]| parts.iter().any(|part| kind.contains(part));
        match () {
            () if has(&["INT"]) => Self::Integer,
            () if has(&["CHAR", "CLOB", "TEXT", "BLOB"]) => Self::Any,
            () if has(&["REAL", "FLOA", "DOUB"]) => Self::Real,
            () => Self::Any,
        }
    }

    fn takes(self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Any, _) | (_, Value::Null | Value::Bool(_)) => true,
            (_, Value::Json(_)) => false,
            (Self::Integer, Value::Number(number)) => whole(number),
            (Self::Integer, Value::Text(text)) => whole(text),
            (Self::Real, Value::Number(number)) => keeps_digits(number),
            (Self::Real, Value::Text(text)) => {
                text.trim().parse::<f64>().is_ok_and(f64::is_finite) && keeps_digits(text.trim())
            }
        }
    }
}

fn whole(number: &str) -> bool {
    let is_whole = |number: f64| number.fract() == 0.0 && number.abs() < 9e18;
    number.trim().parse::<i64>().is_ok() || number.trim().parse().is_ok_and(is_whole)
}

/// Whether a float is the same number, if it is an integer: beyond 2^53, not all of them are.
fn keeps_digits(number: &str) -> bool {
    match number.parse::<i128>() {
        Ok(whole) => whole as f64 as i128 == whole,
        Err(_) => !number.trim_start_matches(['-', '+']).bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// A value in a message.
fn shown(value: &Value<'_>) -> String {
    let text = match value {
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(text) | Value::Json(text) => text,
        Value::Text(text) => text,
    };
    let short: String = text.chars().take(60).collect();
    format!("`{short}{}`", if short.len() < text.len() { ".." } else { "" })
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Bool(value) => i64::from(*value).into(),
            Value::Number(number) => match (number.parse::<i64>(), number.parse::<f64>()) {
                (Ok(number), _) => number.into(),
                (_, Ok(number)) if number.is_finite() => number.into(),
                _ => return Err(Error::ToSqlConversionFailure(format!("the number {number} is too large").into())),
            },
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::Json(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

fn described(error: Error) -> DatabaseError {
    match error {
        Error::SqlInputError { msg, .. } => msg.into(),
        Error::SqliteFailure(_, Some(message)) => message.into(),
        Error::ToSqlConversionFailure(error) => error.to_string().into(),
        error => error.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_sqlite_would_keep_as_another_type_does_not_fit() {
        let takes = |kind: &str, value| Affinity::of(kind).takes(&value);
        assert!(takes("INTEGER", Value::Number("2")) && takes("bigint", Value::Number("2.0")));
        assert!(takes("INTEGER", Value::Text("12".into())) && takes("INTEGER", Value::Null));
        assert!(!takes("INTEGER", Value::Number("2.5")) && !takes("INTEGER", Value::Text("x".into())));
        assert!(takes("double", Value::Number("2")) && !takes("REAL", Value::Text("NaN".into())));
        assert!(takes("REAL", Value::Number("9007199254740992")) && !takes("REAL", Value::Number("9007199254740993")));
        assert!(takes("REAL", Value::Number("0.1")) && !takes("REAL", Value::Text("-9007199254740993".into())));
        assert!(takes("varchar(3)", Value::Json("[]")) && !takes("REAL", Value::Json("[]")));
    }
}
