//! Infers the types of columns from all records, without building values.
//!
//! Integers and floats together are floats, as long as no digit is lost. No other types are mixed: turning some numbers
//! into strings would hide what the records are.
//!
//! arrow-json's inference makes strings of mixed columns, and cannot tell which record does not fit.

use super::columns::{Column, ColumnType, Columns};
use super::error::WriteError;
use super::record::{Key, MOST_COLUMNS, VALUE, lines, too_many_columns, unreadable};
use super::results::{Results, each_piece};
use crate::model::NUMBER_TOKEN;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// The largest integer such that a float can hold every integer up to it.
const MOST_EXACT: u64 = 1 << 53;

/// Infers the columns of all records, or of those that the user names, which come in this order. Those that no record has
/// come second.
///
/// # Errors
/// If a column has no single type, or the records cannot be read.
pub(super) fn infer_columns(
    results: &mut dyn Results,
    named: Option<&[String]>,
) -> Result<(Columns, Vec<String>), WriteError> {
    let only = named.map(|names| names.iter().cloned().collect());
    let mut inference = SchemaInference { only, ..SchemaInference::default() };
    each_piece(results, |piece| lines(piece).try_for_each(|line| inference.add(line)))?;
    let mut found = inference.columns;
    let Some(named) = named else { return Ok((found, Vec::new())) };
    let missing = named.iter().filter(|name| !found.0.contains_key(*name)).cloned().collect();
    let column = |name: &String| (name.clone(), found.0.swap_remove(name).unwrap_or_default());
    Ok((Columns(named.iter().map(column).collect()), missing))
}

/// Infers columns from one record after another.
#[derive(Default)]
struct SchemaInference {
    columns: Columns,
    /// The only keys of records that count.
    only: Option<HashSet<String>>,
    record: u64,
    /// How many columns there are, at every depth.
    count: usize,
    /// Why reading stopped. serde's own error would add a position in the line.
    error: Option<WriteError>,
    /// Columns and values of floats so large that they may have been integers.
    large: Vec<(String, f64)>,
}

impl SchemaInference {
    fn add(&mut self, line: &[u8]) -> Result<(), WriteError> {
        let mut columns = std::mem::take(&mut self.columns);
        let mut deserializer = serde_json::Deserializer::from_slice(line);
        let read = if line.starts_with(b"{") {
            let at = MappingAt { columns: &mut columns, path: &Path::Top, inference: self };
            deserializer.deserialize_map(at)
        } else if !self.takes(VALUE) {
            Ok(())
        } else {
            self.column(&mut columns, VALUE).deserialize_in(&Path::Top.member(VALUE), self, &mut deserializer)
        };
        self.columns = columns;
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        read.map_err(|error| unreadable(self.record, &error))?;
        self.check_large(line)?;
        self.record += 1;
        Ok(())
    }

    /// Whether this key of a record counts.
    fn takes(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(name))
    }

    fn column<'c>(&mut self, columns: &'c mut Columns, name: &str) -> &'c mut Column {
        if !columns.0.contains_key(name) {
            self.count += 1;
            if self.count > MOST_COLUMNS {
                self.error.get_or_insert(too_many_columns(self.record));
            }
            columns.0.insert(name.to_owned(), Column::default());
        }
        columns.0.get_mut(name).expect("it was just added")
    }

    /// Integers beyond 64 bits are read as floats. Only the text of the line tells them apart.
    fn check_large(&mut self, line: &[u8]) -> Result<(), WriteError> {
        for (path, value) in self.large.drain(..) {
            let is_it = |number: &str| {
                number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') && number.parse() == Ok(value)
            };
            if numbers(line).any(is_it) {
                return Err(too_large(&path, self.record));
            }
        }
        Ok(())
    }

    fn stop<E: Error>(&mut self, error: WriteError) -> E {
        self.error.get_or_insert(error);
        E::custom("stopped")
    }
}

fn too_large(path: &str, record: u64) -> WriteError {
    let what = "integer exceeds the signed 64-bit range; return it as a string";
    WriteError::Records(format!("column `{path}`, record {record}: {what}"))
}

/// The numbers of a line, as they are written.
fn numbers(line: &[u8]) -> impl Iterator<Item = &str> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let mut inside = false;
        while at < line.len() {
            match line[at] {
                b'"' => inside = !inside,
                b'\\' if inside => at += 1,
                b'-' | b'0'..=b'9' if !inside => {
                    let rest = &line[at..];
                    let end =
                        rest.iter().position(|byte| matches!(byte, b',' | b']' | b'}' | b' ')).unwrap_or(rest.len());
                    at += end;
                    return str::from_utf8(&rest[..end]).ok();
                }
                _ => {}
            }
            at += 1;
        }
        None
    })
}

/// The path to a value, written out only for messages.
enum Path<'a> {
    Top,
    Member(&'a Path<'a>, &'a str),
    Element(&'a Path<'a>),
}

impl Path<'_> {
    fn member<'a>(&'a self, name: &'a str) -> Path<'a> {
        Path::Member(self, name)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top => Ok(()),
            Self::Member(Self::Top, name) => f.write_str(name),
            Self::Member(parent, name) => write!(f, "{parent}.{name}"),
            Self::Element(parent) => write!(f, "{parent}[]"),
        }
    }
}

impl Column {
    fn deserialize_in<'de, D: Deserializer<'de>>(
        &mut self,
        path: &Path<'_>,
        inference: &mut SchemaInference,
        deserializer: D,
    ) -> Result<(), D::Error> {
        deserializer.deserialize_any(ValueAt { column: self, path, inference })
    }
}

/// Reads a value into its column.
struct ValueAt<'a> {
    column: &'a mut Column,
    path: &'a Path<'a>,
    inference: &'a mut SchemaInference,
}

impl ValueAt<'_> {
    /// Adds a value that has no parts.
    fn scalar<E: Error>(self, kind: ColumnType) -> Result<(), E> {
        let exact = |largest: u64| largest <= MOST_EXACT;
        match (&mut self.column.kind, kind) {
            (now @ ColumnType::Null, kind) => {
                *now = kind;
                self.column.first = self.inference.record;
            }
            (ColumnType::Boolean, ColumnType::Boolean)
            | (ColumnType::Text, ColumnType::Text)
            | (ColumnType::Float, ColumnType::Float) => {}
            (ColumnType::Integer(largest), ColumnType::Integer(other)) => *largest = other.max(*largest),
            (ColumnType::Integer(largest), ColumnType::Float) if exact(*largest) => {
                self.column.kind = ColumnType::Float
            }
            (ColumnType::Float, ColumnType::Integer(largest)) if exact(largest) => {}
            (ColumnType::Float, ColumnType::Integer(_)) | (ColumnType::Integer(_), ColumnType::Float) => {
                let message = format!(
                    "column `{}`, record {}: mixes floats with integers that a float cannot hold exactly; return strings",
                    self.path, self.inference.record
                );
                return Err(self.inference.stop(WriteError::Records(message)));
            }
            (_, other) => return Err(self.clash(&other)),
        }
        Ok(())
    }

    fn clash<E: Error>(self, other: &ColumnType) -> E {
        let message = format!(
            "column `{}` is {} in record {} but {} in record {}; a Parquet column has one type",
            self.path,
            self.column.kind.name(),
            self.column.first,
            other.name(),
            self.inference.record
        );
        self.inference.stop(WriteError::Records(message))
    }
}

impl<'de> DeserializeSeed<'de> for ValueAt<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueAt<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.scalar(ColumnType::Boolean)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(ColumnType::Integer(value.unsigned_abs()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        if i64::try_from(value).is_err() {
            let error = too_large(&self.path.to_string(), self.inference.record);
            return Err(self.inference.stop(error));
        }
        self.scalar(ColumnType::Integer(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        if value.abs() >= i64::MAX as f64 {
            self.inference.large.push((self.path.to_string(), value));
        }
        self.scalar(ColumnType::Float)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.scalar(ColumnType::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if matches!(self.column.kind, ColumnType::Null) {
            *self.column = Column { kind: ColumnType::List(Box::default()), first: self.inference.record };
        }
        let ColumnType::List(element) = &mut self.column.kind else {
            return Err(self.clash(&ColumnType::List(Box::default())));
        };
        let path = Path::Element(self.path);
        while list.next_element_seed(ValueAt { column: element, path: &path, inference: self.inference })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let first: Option<Key<'de>> = map.next_key()?;
        if first.as_ref().is_some_and(|Key(name)| name == NUMBER_TOKEN) {
            let digits: String = map.next_value()?;
            return self.visit_f64(digits.parse().map_err(A::Error::custom)?);
        }
        if matches!(self.column.kind, ColumnType::Null) {
            *self.column = Column { kind: ColumnType::Mapping(Columns::default()), first: self.inference.record };
        }
        let ColumnType::Mapping(columns) = &mut self.column.kind else {
            return Err(self.clash(&ColumnType::Mapping(Columns::default())));
        };
        MappingAt { columns, path: self.path, inference: self.inference }.read(first, map)
    }
}

/// Reads a mapping into its columns.
struct MappingAt<'a> {
    columns: &'a mut Columns,
    path: &'a Path<'a>,
    inference: &'a mut SchemaInference,
}

impl<'de> Visitor<'de> for MappingAt<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let first = map.next_key()?;
        self.read(first, map)
    }
}

impl MappingAt<'_> {
    /// Reads a mapping whose first key was read already.
    fn read<'de, A: MapAccess<'de>>(self, first: Option<Key<'de>>, mut map: A) -> Result<(), A::Error> {
        let mut next = first;
        while let Some(Key(name)) = next {
            if matches!(self.path, Path::Top) && !self.inference.takes(&name) {
                map.next_value::<IgnoredAny>()?;
                next = map.next_key()?;
                continue;
            }
            let column = self.inference.column(self.columns, &name);
            let path = self.path.member(&name);
            map.next_value_seed(ValueAt { column, path: &path, inference: self.inference })?;
            next = map.next_key()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::testing::InMemory;

    fn schema(records: &str) -> Result<String, String> {
        let schema = infer_columns(&mut InMemory::new(records), None).and_then(|(columns, _)| columns.schema());
        let schema = schema.map_err(|error| error.to_string())?;
        let fields = schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type()));
        Ok(fields.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn every_value_finds_its_type() {
        let records = concat!(
            "{\"i\":1,\"f\":1,\"n\":null,\"l\":[],\"m\":{\"x\":null}}\n",
            "{\"f\":0.5,\"i\":null,\"l\":[null,\"a\"],\"m\":{\"x\":true,\"y\":\"1\"},\"late\":\"\"}\n7\n",
        );
        let expected =
            "i Int64, f Float64, n Null, l List(Utf8), m Struct(\"x\": Boolean, \"y\": Utf8), late Utf8, value Int64";
        assert_eq!(schema(records).unwrap(), expected);
        assert_eq!(schema("").unwrap(), "");
    }

    #[test]
    fn what_does_not_go_together_is_named_with_column_and_record() {
        for (records, expected) in [
            ("{\"a\":1}\n{}\n{\"a\":\"1\"}\n", "column `a` is an integer in record 0 but a string in record 2"),
            (
                "{\"a\":{\"b\":[1]}}\n{\"a\":{\"b\":[true]}}\n",
                "column `a.b[]` is an integer in record 0 but a boolean in record 1",
            ),
            ("1\n[1]\n", "column `value` is an integer in record 0 but a list in record 1"),
            ("{\"a\":[]}\n{\"a\":{}}\n", "column `a` is a list in record 0 but a mapping in record 1"),
            ("{\"a\":18446744073709551615}\n", "column `a`, record 0: integer exceeds the signed 64-bit range"),
            (
                "{\"s\":\"9\\\"9\",\"a\":[1e30,-123456789012345678901234567890]}\n",
                "column `a[]`, record 0: integer exceeds the signed 64-bit range",
            ),
            ("9007199254740993\n0.5\n", "column `value`, record 1: mixes floats with integers"),
            ("0.5\n9007199254740993\n", "column `value`, record 1: mixes floats with integers"),
            ("{\"a\":{\"b\":{}}}\n", "column `a.b` contains only empty mappings"),
            ("{\"a\":\"\\ud800\"}\n", "record 0 is not valid JSON"),
        ] {
            let error = schema(records).unwrap_err();
            assert!(error.contains(expected), "{records}: {error}");
        }
        assert!(schema("{\"a\":1e30}\n{\"a\":\"123456789012345678901234567890\"}\n").is_err());
        assert_eq!(schema("{\"a\":1e30,\"b\":\"123456789012345678901234567890\"}\n").unwrap(), "a Float64, b Utf8");
    }
}
