//! Rows of a PostgreSQL server. They are read in a read-only transaction, through a portal, some at a time.
//!
//! The server itself converts rows to JSON, because it knows the types best. Values are sent separately from the query,
//! as text that the server parses according to the types it expects.

use super::block::RowWriter;
use super::cancellation::Cancellation;
use super::statement::{BoundQuery, check_names};
use crate::database::{connect, describe, quoted as quoted_name};
use crate::sources::error::ErrorText;
use bytes::BytesMut;
use postgres::types::{Format, IsNull, Kind, ToSql, Type};
use postgres::{Config, Error, Statement};
use serde_json::Value;

/// How many rows are fetched at a time.
const FETCH_ROWS: i32 = 200;

/// Runs the query, and hands rows over until no more are needed.
pub(super) fn run(
    config: &Config,
    query: &BoundQuery,
    cancellation: &Cancellation,
    rows: &mut RowWriter,
) -> Result<(), ErrorText> {
    let sql = query.sql.trim_end_matches(|c: char| c == ';' || c.is_whitespace());
    let described = |error: Error| ErrorText::from(describe(&error, sql));
    let connected = |cancel| cancellation.connected(cancel);
    let Some(mut client) = connect(config, connected).map_err(described)? else { return Ok(()) };
    let mut transaction = client.build_transaction().read_only(true).start().map_err(described)?;
    // Otherwise each read of a large table starts at another row, and resuming a run reads it twice to compare.
    transaction.batch_execute("SET LOCAL synchronize_seqscans = off").map_err(described)?;
    let statement = transaction.prepare(sql).map_err(described)?;
    check(&statement, query)?;
    let json = format!("SELECT pg_catalog.row_to_json(batchmill)::text FROM {} AS batchmill", rows_of(&statement, sql));
    let json = transaction.prepare_typed(&json, statement.params()).map_err(|error| {
        let cause = describe(&error, "");
        ErrorText::from(format!("the query does not work as a subquery: {cause}"))
            .with_help("use a single `SELECT`, `WITH`, `VALUES` or `TABLE`")
    })?;
    let params: Vec<Param<'_>> = query.params.iter().map(Param).collect();
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| param as _).collect();
    let portal = transaction.bind(&json, &params).map_err(described)?;
    loop {
        let found = transaction.query_portal(&portal, FETCH_ROWS).map_err(described)?;
        if found.is_empty() {
            return Ok(());
        }
        for row in &found {
            let text: &str = row.try_get(0).map_err(described)?;
            // A column of type `json` keeps the text that was written, with line breaks between its values.
            let line = text.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte });
            if !rows.push(|json| json.extend(line)) {
                return Ok(());
            }
        }
    }
}

/// The query as a table whose floats stay floats in JSON: the server would write a whole one as an integer.
fn rows_of(statement: &Statement, sql: &str) -> String {
    // The line break ends a comment.
    let plain = format!("(\n{sql}\n)");
    let is_float = |column: &postgres::Column| matches!(*column.type_(), Type::FLOAT4 | Type::FLOAT8);
    if !statement.columns().iter().any(is_float) {
        return plain;
    }
    let column = |column: &postgres::Column| {
        let name = quoted_name(column.name());
        if !is_float(column) {
            return name;
        }
        format!(
            "CASE WHEN {name}::text ~ '^-?[0-9]+$' THEN ({name}::text || '.0')::json ELSE pg_catalog.to_json({name}) END \
             AS {name}"
        )
    };
    let columns: Vec<String> = statement.columns().iter().map(column).collect();
    format!("(SELECT {} FROM {plain} AS batchmill_rows)", columns.join(", "))
}

/// Checks that rows can become mappings.
fn check(statement: &Statement, query: &BoundQuery) -> Result<(), ErrorText> {
    let columns = statement.columns();
    check_names(columns.iter().map(postgres::Column::name))?;
    query.check_params(statement.params().len())?;
    match columns.iter().find(|column| is_bytes(column.type_())) {
        None => Ok(()),
        Some(column) => {
            let error =
                ErrorText::from(format!("column `{}` has the type bytea, which JSON cannot hold", column.name()));
            Err(error.with_help("convert it with `encode(COLUMN, 'base64')`"))
        }
    }
}

fn is_bytes(kind: &Type) -> bool {
    match kind.kind() {
        Kind::Domain(of) | Kind::Array(of) => is_bytes(of),
        _ => *kind == Type::BYTEA,
    }
}

/// A value to bind, as text.
#[derive(Debug)]
struct Param<'a>(&'a Value);

impl ToSql for Param<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self.0 {
            Value::Null => return Ok(IsNull::Yes),
            Value::Array(list) if matches!(kind.kind(), Kind::Array(_)) => {
                out.extend_from_slice(array(list).as_bytes());
            }
            Value::String(text) if !matches!(*kind, Type::JSON | Type::JSONB) => out.extend_from_slice(text.as_bytes()),
            other => out.extend_from_slice(other.to_string().as_bytes()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    postgres::types::to_sql_checked!();
}

/// A list as PostgreSQL writes an array.
fn array(list: &[Value]) -> String {
    let element = |value: &Value| match value {
        Value::Null => "NULL".to_owned(),
        Value::Array(list) => array(list),
        Value::String(text) => quoted(text),
        other => quoted(&other.to_string()),
    };
    format!("{{{}}}", list.iter().map(element).collect::<Vec<_>>().join(","))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_becomes_an_array() {
        let list = serde_json::json!([1, null, "a\"\\b", ["x,y", true]]);
        assert_eq!(array(list.as_array().unwrap()), r#"{"1",NULL,"a\"\\b",{"x,y","true"}}"#);
    }
}
