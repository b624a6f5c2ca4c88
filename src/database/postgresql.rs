//! Tables of a PostgreSQL server. Rows go in by `COPY`, as text that the server reads as the types of the columns.

use super::connect::{connect, describe};
use super::error::DatabaseError;
use super::name::{TableName, check_length, quoted, quoted_list};
use super::store::{Access, Store};
use super::table::{ColumnType, Insert, Table, TableColumn};
use super::value::{Row, Value};
use postgres::types::ToSql;
use postgres::{Client, Config, Error};
use std::io::{self, Write};

/// How long to wait for another session that holds a table.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '60s'";

/// How many bytes are sent at a time.
const PIECE: usize = 1 << 18;

/// Where rows with a key go before they update others: in the session, until its transaction ends.
const ROWS: &str = "pg_temp.batchmill_rows";

/// The number of a row there. No record has a key of this name.
const NUMBER: &str = "batchmill\u{1}number";

/// A connection.
pub(super) struct Server(Client);

impl Server {
    pub(super) fn connect(config: &Config) -> Result<Self, DatabaseError> {
        let connected = connect(config, |_| true).map_err(|error| describe(&error, ""))?;
        let mut server = Self(connected.expect("every connection is accepted, so there is one"));
        server.execute(LOCK_TIMEOUT)?;
        Ok(server)
    }

    /// The only text that a query returns.
    fn text(&mut self, sql: &str, values: &[&str]) -> Result<Option<String>, DatabaseError> {
        Ok(self.texts(sql, values)?.pop().and_then(|mut row| row.pop().flatten()))
    }

    fn require(&mut self, sql: &str, values: &[&str], refused: &str) -> Result<(), DatabaseError> {
        if self.text(sql, values)?.as_deref() == Some("true") {
            return Ok(());
        }
        let user = self.text("SELECT current_user::text", &[])?.unwrap_or_default();
        Err(format!("user `{user}` may not {refused}").into())
    }

    fn copy<'a>(
        &mut self,
        sql: &str,
        numbered: bool,
        rows: &mut dyn Iterator<Item = Result<Row<'a>, DatabaseError>>,
    ) -> Result<(), DatabaseError> {
        let mut writer = self.0.copy_in(sql).map_err(|error| described(&error))?;
        let mut piece = Vec::with_capacity(PIECE + (1 << 12));
        for (at, row) in rows.enumerate() {
            encode(&row?, &mut piece).map_err(|error| error.in_row(at))?;
            if numbered {
                piece.extend_from_slice(format!("\t{at}").as_bytes());
            }
            piece.push(b'\n');
            if piece.len() >= PIECE {
                writer.write_all(&piece).map_err(|error| io_error(&error))?;
                piece.clear();
            }
        }
        writer.write_all(&piece).map_err(|error| io_error(&error))?;
        writer.finish().map(drop).map_err(|error| described(&error))
    }
}

impl Store for Server {
    fn begin(&mut self) -> Result<(), DatabaseError> {
        self.execute("BEGIN")
    }

    fn keep_references(&mut self) -> Result<(), DatabaseError> {
        // A table that others refer to cannot be dropped here.
        Ok(())
    }

    fn identity(&mut self) -> Result<String, DatabaseError> {
        let which = "SELECT concat_ws(' ', pg_postmaster_start_time(), current_setting('port'), current_database())";
        Ok(self.text(which, &[])?.unwrap_or_default())
    }

    fn lock(&mut self, number: i64) -> Result<(), DatabaseError> {
        self.execute(&format!("SELECT pg_catalog.pg_advisory_xact_lock({number})"))
    }

    fn execute(&mut self, sql: &str) -> Result<(), DatabaseError> {
        self.0.batch_execute(sql).map_err(|error| describe(&error, ""))
    }

    fn texts(&mut self, sql: &str, values: &[&str]) -> Result<Vec<Vec<Option<String>>>, DatabaseError> {
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        let rows = self.0.query(sql, &values).map_err(|error| describe(&error, ""))?;
        let text = |row: &postgres::Row, at| row.try_get(at).map_err(|error| describe(&error, ""));
        rows.iter().map(|row| (0..row.len()).map(|at| text(row, at)).collect()).collect()
    }

    fn qualified(&mut self, name: &TableName) -> Result<TableName, DatabaseError> {
        let schema = match &name.schema {
            Some(schema) => {
                self.text("SELECT nspname::text FROM pg_catalog.pg_namespace WHERE nspname = $1", &[schema])?
            }
            None => self.text(
                "SELECT coalesce((SELECT n.nspname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n
                 ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)), current_schema()::text)",
                &[&name.sql()],
            )?,
        };
        match (schema, &name.schema) {
            (Some(schema), _) => Ok(TableName { schema: Some(schema), table: name.table.clone() }),
            (None, Some(schema)) => Err(DatabaseError::from(format!("there is no schema `{schema}`"))
                .with_help(format!("create it with `CREATE SCHEMA {}`", quoted(schema)))),
            (None, None) => Err(DatabaseError::from("no schema to create tables in is on the `search_path`")
                .with_help("name the schema: `table: SCHEMA.TABLE`")),
        }
    }

    fn table(&mut self, name: &TableName) -> Result<Option<Table>, DatabaseError> {
        let sql = name.sql();
        let kind = "SELECT relkind::text FROM pg_catalog.pg_class WHERE oid = to_regclass($1)";
        match self.text(kind, &[&sql])?.as_deref() {
            None => return Ok(None),
            Some("r" | "p") => {}
            Some("v" | "m") => return Err("it is a view, not a table".into()),
            Some(_) => return Err("it is not a table".into()),
        }
        let columns = self.texts(
            "SELECT attname::text, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute
             WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            &[&sql],
        )?;
        let column = |mut row: Vec<Option<String>>| {
            let kind = row.pop().flatten().unwrap_or_default();
            TableColumn { name: row.pop().flatten().unwrap_or_default(), kind }
        };
        let indexes = self.texts(
            "SELECT i.indexrelid::text, a.attname::text FROM pg_catalog.pg_index i
             JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum <= i.indnkeyatts
             WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
             AND i.indexprs IS NULL ORDER BY i.indexrelid, a.attnum",
            &[&sql],
        )?;
        let (mut unique, mut last): (Vec<Vec<String>>, _) = (Vec::new(), None);
        for mut row in indexes {
            let column = row.pop().flatten().unwrap_or_default();
            if row[0] != last {
                unique.push(Vec::new());
            }
            last = row.swap_remove(0);
            unique.last_mut().into_iter().for_each(|index| index.push(column.clone()));
        }
        Ok(Some(Table { columns: columns.into_iter().map(column).collect(), unique }))
    }

    fn check_access(&mut self, name: &TableName, access: Access) -> Result<(), DatabaseError> {
        let sql = name.sql();
        let schema = name.schema.as_deref().unwrap_or_default();
        let may = "SELECT has_table_privilege(to_regclass($1), $2)::text";
        match access {
            Access::Create => self.require(
                "SELECT has_schema_privilege($1, 'CREATE')::text",
                &[schema],
                &format!("create tables in schema `{schema}`"),
            ),
            Access::Insert => self.require(may, &[&sql, "INSERT"], &format!("insert into table `{name}`")),
            Access::Update => {
                self.check_access(name, Access::Insert)?;
                self.require(may, &[&sql, "UPDATE"], &format!("update table `{name}`, which `key` needs"))?;
                self.require(may, &[&sql, "SELECT"], &format!("read table `{name}`, which `key` needs"))?;
                let temporary = "SELECT has_database_privilege(current_database(), 'TEMP')::text";
                self.require(temporary, &[], "create temporary tables, which `key` needs")
            }
            Access::Replace => {
                self.check_access(name, Access::Create)?;
                let owns = "SELECT pg_has_role(relowner, 'USAGE')::text FROM pg_catalog.pg_class
                    WHERE oid = to_regclass($1)";
                self.require(owns, &[&sql], &format!("replace table `{name}`, which belongs to another user"))
            }
        }
    }

    fn type_name(&self, kind: ColumnType) -> &'static str {
        match kind {
            ColumnType::Boolean => "boolean",
            ColumnType::Integer => "bigint",
            ColumnType::Float => "double precision",
            ColumnType::Text => "text",
            ColumnType::Json => "jsonb",
            ColumnType::Date => "date",
            ColumnType::Timestamp => "timestamp",
            ColumnType::TimestampTz => "timestamptz",
        }
    }

    fn is_same(&self, one: &str, other: &str) -> bool {
        one == other
    }

    fn check_column(&self, name: &str) -> Result<(), DatabaseError> {
        if name.is_empty() || name.contains(['\0', '\u{1}']) {
            return Err(format!("PostgreSQL has no columns of the name `{}`", name.escape_debug()).into());
        }
        check_length("column name", name)
    }

    fn insert<'a>(
        &mut self,
        into: &Insert<'_>,
        rows: &mut dyn Iterator<Item = Result<Row<'a>, DatabaseError>>,
    ) -> Result<(), DatabaseError> {
        let (table, columns) = (into.table.sql(), into.column_list());
        if into.key.is_empty() {
            return self.copy(&format!("COPY {table} ({columns}) FROM STDIN"), false, rows);
        }
        let number = quoted(NUMBER);
        self.execute(&format!(
            "CREATE TEMP TABLE batchmill_rows ON COMMIT DROP AS SELECT {columns}, 0::bigint AS {number} FROM {table}
             WITH NO DATA"
        ))?;
        self.copy(&format!("COPY {ROWS} ({columns}, {number}) FROM STDIN"), true, rows)?;
        let key = quoted_list(into.key.iter().map(String::as_str));
        // A statement updates each row once: of rows with the same key, the last one counts.
        self.0
            .batch_execute(&format!(
                "INSERT INTO {table} ({columns}) SELECT {columns} FROM (SELECT DISTINCT ON ({key}) * FROM {ROWS}
                 ORDER BY {key}, {number} DESC) AS latest ORDER BY {number}{}",
                into.on_conflict()
            ))
            .map_err(|error| described(&error))
    }
}

/// A row as `COPY` reads it.
fn encode(row: &[Value<'_>], out: &mut Vec<u8>) -> Result<(), DatabaseError> {
    for (at, value) in row.iter().enumerate() {
        if at > 0 {
            out.push(b'\t');
        }
        match value {
            Value::Null => out.extend_from_slice(b"\\N"),
            Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Value::Number(text) => out.extend_from_slice(text.as_bytes()),
            Value::Text(text) => escape(text, out)?,
            Value::Json(text) => escape(text, out)?,
        }
    }
    Ok(())
}

fn escape(text: &str, out: &mut Vec<u8>) -> Result<(), DatabaseError> {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\\' | b'\n' | b'\r' | b'\t' | 0)) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(match rest[at] {
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0 => return Err("a text contains a NUL character, which PostgreSQL cannot store".into()),
            _ => b"\\\\",
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// The server's message, with the row and the column that it is about.
fn described(error: &Error) -> DatabaseError {
    let mut text = describe(error, "");
    let Some(answer) = error.as_db_error() else { return text };
    // `COPY t, line 3, column a: "x"`
    let place = answer.where_().unwrap_or_default();
    let after = |word: &str| place.split_once(word).map(|(_, rest)| rest);
    let line: Option<usize> = after(", line ").and_then(|rest| rest.split([',', ':']).next()?.parse().ok());
    text.row = line.and_then(|line| line.checked_sub(1));
    let column = after(", column ").and_then(|rest| rest.split(": \"").next());
    text.column = column.or(answer.column()).map(|column| column.trim_end_matches(": null input").to_owned());
    text
}

fn io_error(error: &io::Error) -> DatabaseError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    inner.map_or_else(|| error.to_string().into(), described)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_line_whatever_its_values_contain() {
        let mut out = Vec::new();
        let row = [Value::Null, Value::Bool(true), Value::Number("-1.50"), Value::Text("a\tb\n\\N\r".into())];
        encode(&row, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\\N\ttrue\t-1.50\ta\\tb\\n\\\\N\\r");
        assert!(encode(&[Value::Text("\0".into())], &mut Vec::new()).is_err());
    }
}
