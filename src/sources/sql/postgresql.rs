//! Rows of a PostgreSQL server. They are read in a transaction that may not write, through a portal, some at a time.
//!
//! The server itself makes JSON of a row: it knows its types, and ours would be a second opinion. Values travel beside the query,
//! as text that the server reads by the types that it wants.

use super::{Call, Question, Rows, at, check_names, check_params};
use bytes::BytesMut;
use postgres::config::{Host, SslMode};
use postgres::error::ErrorPosition;
use postgres::tls::{MakeTlsConnect, TlsConnect};
use postgres::types::{Format, IsNull, Kind, ToSql, Type};
use postgres::{Client, Config, Error, NoTls, Socket, Statement};
use serde_json::Value;
use std::error::Error as _;
use tokio_postgres_rustls::MakeRustlsConnect;

/// So many rows are fetched at a time.
const FETCH: i32 = 200;

/// Asks, and hands rows over until nobody wants more.
pub(super) fn ask(config: &Config, question: &Question, call: &Call, rows: &mut Rows) -> Result<(), String> {
    let sql = question.sql.trim_end_matches(|c: char| c == ';' || c.is_whitespace());
    let said = |error: Error| say(&error, sql);
    let Some(mut client) = connect(config, call).map_err(said)? else { return Ok(()) };
    let mut transaction = client.build_transaction().read_only(true).start().map_err(said)?;
    // A large table would be read from another row on each time; a run that goes on compares what it reads twice.
    transaction.batch_execute("SET LOCAL synchronize_seqscans = off").map_err(said)?;
    let statement = transaction.prepare(sql).map_err(said)?;
    check(&statement, question)?;
    // The line break ends a comment.
    let json = format!("SELECT pg_catalog.row_to_json(batchmill)::text FROM (\n{sql}\n) AS batchmill");
    let json = transaction.prepare_typed(&json, statement.params()).map_err(|error| {
        let cause = say(&error, "");
        format!("it must be one `SELECT`, `WITH`, `VALUES` or `TABLE` that can stand in `FROM (..)`: {cause}")
    })?;
    let params: Vec<Param<'_>> = question.params.iter().map(Param).collect();
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| param as _).collect();
    let portal = transaction.bind(&json, &params).map_err(said)?;
    loop {
        let found = transaction.query_portal(&portal, FETCH).map_err(said)?;
        if found.is_empty() {
            return Ok(());
        }
        for row in &found {
            let text: &str = row.try_get(0).map_err(said)?;
            // A column of type `json` is as it was written, line breaks between its values included.
            let line = text.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte });
            if !rows.take(|json| json.extend(line)) {
                return Ok(());
            }
        }
    }
}

/// Connects: encrypted where the address wants it, or the server does; none where nobody wants rows any more.
fn connect(config: &Config, call: &Call) -> Result<Option<Client>, Error> {
    let remote = config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_)));
    if remote && config.get_ssl_mode() != SslMode::Disable {
        // A machine without certificates can do without encryption where the address allows it.
        if let Ok((tls, _)) = MakeRustlsConnect::with_native_certs() {
            return connect_with(config, call, tls);
        }
    }
    connect_with(config, call, NoTls)
}

fn connect_with<T>(config: &Config, call: &Call, tls: T) -> Result<Option<Client>, Error>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::TlsConnect: Send,
    T::Stream: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let client = config.connect(tls.clone())?;
    let cancel = client.cancel_token();
    // A server that cannot be told to stop will see that the connection is gone.
    let wanted = call.connected(move || drop(cancel.cancel_query(tls.clone())));
    Ok(wanted.then_some(client))
}

/// Checks that rows can become mappings.
fn check(statement: &Statement, question: &Question) -> Result<(), String> {
    let columns = statement.columns();
    check_names(columns.iter().map(postgres::Column::name))?;
    check_params(statement.params().len(), question)?;
    match columns.iter().find(|column| is_bytes(column.type_())) {
        None => Ok(()),
        Some(column) => {
            let name = column.name();
            let way = format!("`encode({name}, 'base64')` makes text of it");
            Err(format!("column `{name}` is of type bytea, which no JSON value is; {way}"))
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

/// What the server says, with the place where it says one.
fn say(error: &Error, sql: &str) -> String {
    let Some(told) = error.as_db_error() else {
        let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
        let hint = match cause.contains("certificate") || cause.contains("TLS") {
            true => {
                "; `SSL_CERT_FILE` names a file of certificates to trust, `sslmode=disable` in `url` does without them"
            }
            false => "",
        };
        return format!("{error}{cause}{hint}");
    };
    let more = |text: Option<&str>| text.map_or(String::new(), |text| format!("; {text}"));
    let message = format!("{}{}{}", told.message(), more(told.detail()), more(told.hint()));
    match told.position() {
        Some(ErrorPosition::Original(place)) if !sql.is_empty() => {
            let before: String = sql.chars().take((*place as usize).saturating_sub(1)).collect();
            at(&message, &before)
        }
        _ => message,
    }
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
