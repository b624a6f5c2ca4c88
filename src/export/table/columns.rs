//! The columns of a table for results, and their types, from all records.
//!
//! They are those of a Parquet file, except that lists and mappings are JSON, whatever they contain: a database looks into
//! them by itself.

use super::error::TableError;
use super::target::TableTarget;
use crate::database::{ColumnType, NewColumn};
use crate::export::record::{Fields, VALUE, lines};
use indexmap::IndexMap;
use std::collections::HashMap;

/// The most columns. No database has more.
const MOST_COLUMNS: usize = 2000;

/// The largest integer such that a float can hold every integer up to it.
const MOST_EXACT: u64 = 1 << 53;

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Boolean,
    Integer,
    Float,
    Text,
    Json,
}

impl Kind {
    /// The kind of a value that is JSON text.
    fn of(json: &str) -> Self {
        match json.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'"') => Self::Text,
            Some(b'[' | b'{') => Self::Json,
            _ if json.contains(['.', 'e', 'E']) => Self::Float,
            _ => Self::Integer,
        }
    }

    /// Its name in messages.
    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Float => "a float",
            Self::Text => "a string",
            Self::Json => "a list or a mapping",
        }
    }
}

/// A column, as far as its values are known.
#[derive(Debug)]
struct Column {
    kind: Kind,
    /// The record with the first value that is not null.
    first: u64,
    /// The largest absolute value of an integer.
    largest: u64,
    /// The type of its texts, as long as all of them come from data frames that have it.
    time: Option<ColumnType>,
}

/// The columns of records, in the order in which they first appear.
#[derive(Debug)]
pub struct TableColumns<'a> {
    target: &'a TableTarget,
    columns: IndexMap<String, Column>,
    records: u64,
    /// How many results are null: they have no row.
    nulls: u64,
}

impl<'a> TableColumns<'a> {
    /// Before the first record.
    pub fn new(target: &'a TableTarget) -> Self {
        Self { target, columns: IndexMap::new(), records: 0, nulls: 0 }
    }

    /// Looks at records. `frame` has the columns of the data frame that they come from, with those that are dates and times.
    ///
    /// # Errors
    /// If a record does not fit the others, or has no value for the key.
    pub fn add(&mut self, piece: &[u8], frame: &[(String, Option<ColumnType>)]) -> Result<(), TableError> {
        let times: HashMap<&str, ColumnType> =
            frame.iter().filter_map(|(name, time)| Some((name.as_str(), (*time)?))).collect();
        for (name, _) in frame {
            self.column(name);
        }
        for line in lines(piece) {
            if line == b"null" {
                self.nulls += 1;
                continue;
            }
            self.record(line, &times)?;
            self.records += 1;
        }
        Ok(())
    }

    /// How many records have a row.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// How many results are null, and so have no row.
    pub fn nulls(&self) -> u64 {
        self.nulls
    }

    /// The columns to create. One at least, because a table cannot be without.
    pub fn finish(self) -> Vec<NewColumn> {
        let column = |(name, column): (String, Column)| {
            let kind = match column.kind {
                Kind::Boolean => ColumnType::Boolean,
                Kind::Integer => ColumnType::Integer,
                Kind::Float => ColumnType::Float,
                Kind::Text => column.time.unwrap_or(ColumnType::Text),
                Kind::Null => ColumnType::Text,
                Kind::Json => ColumnType::Json,
            };
            NewColumn { name, kind }
        };
        let mut columns: Vec<NewColumn> = self.columns.into_iter().map(column).collect();
        if columns.is_empty() {
            let names = if self.target.key.is_empty() { &[VALUE.to_owned()][..] } else { &self.target.key };
            columns.extend(names.iter().map(|name| NewColumn { name: name.clone(), kind: ColumnType::Text }));
        }
        columns
    }

    fn record(&mut self, line: &[u8], times: &HashMap<&str, ColumnType>) -> Result<(), TableError> {
        let mut missing: Vec<&String> = self.target.key.iter().collect();
        if line.starts_with(b"{") {
            let fields: Fields<'_> = serde_json::from_slice(line).map_err(|error| self.unreadable(&error))?;
            for (name, value) in fields.0 {
                let kind = self.value(&name, value.get(), times)?;
                missing.retain(|key| kind == Kind::Null || **key != *name);
            }
        } else {
            let json = str::from_utf8(line).unwrap_or_default();
            self.value(VALUE, json, times)?;
            missing.retain(|key| *key != VALUE);
        }
        match missing.first() {
            None => Ok(()),
            Some(key) => Err(self.error(format!("record {} has no value for the key `{key}`", self.records))),
        }
    }

    fn value(&mut self, name: &str, json: &str, times: &HashMap<&str, ColumnType>) -> Result<Kind, TableError> {
        let (kind, record) = (Kind::of(json), self.records);
        let time = times.get(name).copied();
        let column = self.column(name);
        if kind == Kind::Null {
            return Ok(kind);
        }
        if column.kind == Kind::Null {
            (column.kind, column.first, column.time) = (kind, record, time);
        }
        if column.time != time {
            column.time = None;
        }
        if kind == Kind::Integer {
            let size = json.parse::<i64>().map(i64::unsigned_abs);
            column.largest = column.largest.max(size.as_ref().copied().unwrap_or(0));
            if size.is_err() {
                let what = "integer exceeds the signed 64-bit range; return it as a string";
                return Err(self.error(format!("column `{name}`, record {record}: {what}")));
            }
        }
        match (column.kind, kind) {
            (Kind::Integer | Kind::Float, Kind::Integer | Kind::Float) => {
                if column.kind != kind {
                    column.kind = Kind::Float;
                }
                if column.kind == Kind::Float && column.largest > MOST_EXACT {
                    let what = "mixes floats with integers that a float cannot hold exactly; return strings";
                    return Err(self.error(format!("column `{name}`, record {record}: {what}")));
                }
            }
            (before, now) if before != now => {
                let (before, now, first) = (before.name(), now.name(), column.first);
                let what = format!("is {before} in record {first} but {now} in record {record}");
                return Err(self.error(format!("column `{name}` {what}; a column has one type")));
            }
            _ => {}
        }
        if self.columns.len() > MOST_COLUMNS {
            return Err(self.error(format!("more than {MOST_COLUMNS} different columns up to record {record}")));
        }
        Ok(kind)
    }

    fn column(&mut self, name: &str) -> &mut Column {
        let at = match self.columns.get_index_of(name) {
            Some(at) => at,
            None => {
                let column = Column { kind: Kind::Null, first: 0, largest: 0, time: None };
                self.columns.insert_full(name.to_owned(), column).0
            }
        };
        &mut self.columns[at]
    }

    fn unreadable(&self, error: &serde_json::Error) -> TableError {
        self.error(format!("record {} is not valid JSON: {error}", self.records))
    }

    fn error(&self, message: String) -> TableError {
        TableError::new(self.target, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Database, TableName};
    use crate::export::infer::infer_columns;
    use crate::export::testing::InMemory;
    use crate::model::{IfExists, OutputOptions};

    fn target(key: &[&str]) -> TableTarget {
        let database = Database::parse("sql", "sqlite:///a.db").unwrap();
        let table = TableName::parse("t", &database).unwrap();
        let key = key.iter().map(|key| (*key).to_owned()).collect();
        TableTarget { database, table, key, if_exists: IfExists::Fail }
    }

    fn columns(records: &str, key: &[&str]) -> Result<String, String> {
        let target = target(key);
        let mut columns = TableColumns::new(&target);
        columns.add(records.as_bytes(), &[]).map_err(|error| error.to_string())?;
        let columns = columns.finish().into_iter().map(|column| format!("{} {:?}", column.name, column.kind));
        Ok(columns.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn columns_are_those_of_a_parquet_file_and_what_is_nested_is_json() {
        let records = concat!(
            "{\"i\":1,\"f\":1,\"n\":null,\"l\":[],\"m\":{\"x\":null}}\n",
            "{\"f\":0.5,\"i\":null,\"l\":[null,\"a\"],\"m\":[1],\"late\":\"\",\"b\":true}\n7\n",
        );
        let expected = "i Integer, f Float, n Text, l Json, m Json, late Text, b Boolean, value Integer";
        assert_eq!(columns(records, &[]).unwrap(), expected);
        assert_eq!(columns("", &[]).unwrap(), "value Text");
        assert_eq!(columns("null\n{}\n", &[]).unwrap(), "value Text");
        for records in [
            "{\"a\":1}\n{\"a\":\"1\"}\n",
            "9007199254740993\n0.5\n",
            "0.5\n9007199254740993\n",
            "18446744073709551615\n",
        ] {
            assert!(
                infer_columns(&mut InMemory::new(records), &OutputOptions::default()).is_err()
                    && columns(records, &[]).is_err(),
                "{records}"
            );
        }
    }

    #[test]
    fn what_does_not_go_together_is_named_with_column_and_record() {
        for (records, expected) in [
            ("{\"a\":1}\n{}\n{\"a\":\"1\"}\n", "column `a` is an integer in record 0 but a string in record 2"),
            ("{\"a\":[]}\n{\"a\":1}\n", "column `a` is a list or a mapping in record 0 but an integer in record 1"),
            ("{\"a\":1e30}\n{\"a\":123456789012345678901234567890}\n", "column `a`, record 1: integer exceeds"),
            ("0.5\n-9007199254740993\n", "column `value`, record 1: mixes floats with integers"),
        ] {
            let error = columns(records, &[]).unwrap_err();
            assert!(error.contains(expected), "{records}: {error}");
        }
        for records in ["{\"a\":1}\n{\"b\":1}\n", "{\"a\":1}\n{\"a\":null}\n"] {
            let error = columns(records, &["a"]).unwrap_err();
            assert!(error.contains("record 1 has no value for the key `a`"), "{error}");
        }
    }

    #[test]
    fn texts_are_times_as_long_as_all_frames_say_so() {
        let target = target(&[]);
        let kind = |pieces: &[Option<ColumnType>]| {
            let mut columns = TableColumns::new(&target);
            for time in pieces {
                columns.add(b"{\"d\":\"2024-02-29\"}\n", &[("d".to_owned(), *time)]).unwrap();
            }
            columns.finish()[0].kind
        };
        assert_eq!(kind(&[Some(ColumnType::Date), Some(ColumnType::Date)]), ColumnType::Date);
        for mixed in [[Some(ColumnType::Date), None], [None, Some(ColumnType::Date)]] {
            assert_eq!(kind(&mixed), ColumnType::Text);
        }
    }
}
