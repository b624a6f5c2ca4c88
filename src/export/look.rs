//! A look at all records for the types of their columns, without building a value.
//!
//! Integers and floats are floats together, as long as no digit is lost. Nothing else is mixed: a string made of a number
//! here and there would hide what the records are.

use super::columns::{Column, Columns, Kind};
use super::error::Trouble;
use super::record::{Key, MOST_COLUMNS, VALUE, lines, too_many_columns, unreadable};
use super::write::{Results, each_piece};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The largest integer up to which a float holds each one.
const MOST_EXACT: u64 = 1 << 53;

/// Reads records one after another.
pub(super) struct Look {
    columns: Columns,
    record: u64,
    /// How many columns there are, at every depth.
    count: usize,
    /// Why reading stopped; serde's own error would hide it behind a place in the line.
    trouble: Option<Trouble>,
    /// Floats so large that they may have been integers, and their columns.
    large: Vec<(String, f64)>,
}

impl Look {
    /// Reads all records; gives their columns.
    pub(super) fn over(results: &mut dyn Results) -> Result<Columns, Trouble> {
        let mut look = Self { columns: Columns::default(), record: 0, count: 0, trouble: None, large: Vec::new() };
        each_piece(results, |piece| lines(piece).try_for_each(|line| look.take(line)))?;
        Ok(look.columns)
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Trouble> {
        let mut columns = std::mem::take(&mut self.columns);
        let mut deserializer = serde_json::Deserializer::from_slice(line);
        let read = if line.starts_with(b"{") {
            let at = MappingAt { columns: &mut columns, path: &Path::Top, look: self };
            deserializer.deserialize_map(at)
        } else {
            self.column(&mut columns, VALUE).deserialize_in(&Path::Top.member(VALUE), self, &mut deserializer)
        };
        self.columns = columns;
        if let Some(trouble) = self.trouble.take() {
            return Err(trouble);
        }
        read.map_err(|error| unreadable(self.record, &error))?;
        self.check_large(line)?;
        self.record += 1;
        Ok(())
    }

    fn column<'c>(&mut self, columns: &'c mut Columns, name: &str) -> &'c mut Column {
        if !columns.0.contains_key(name) {
            self.count += 1;
            if self.count > MOST_COLUMNS {
                self.trouble.get_or_insert(too_many_columns(self.record));
            }
            columns.0.insert(name.to_owned(), Column::default());
        }
        columns.0.get_mut(name).expect("it was just added")
    }

    /// Integers beyond 64 bits are read as floats, which have forgotten that; the line has not.
    fn check_large(&mut self, line: &[u8]) -> Result<(), Trouble> {
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

    fn stop<E: Error>(&mut self, trouble: Trouble) -> E {
        self.trouble.get_or_insert(trouble);
        E::custom("stopped")
    }
}

fn too_large(path: &str, record: u64) -> Trouble {
    Trouble::Records(format!(
        "column `{path}` holds an integer in record {record} that 64 bits with a sign do not; make it a string"
    ))
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

/// Where a value stands; only written out for a message.
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
        look: &mut Look,
        deserializer: D,
    ) -> Result<(), D::Error> {
        deserializer.deserialize_any(ValueAt { column: self, path, look })
    }
}

/// Reads a value into its column.
struct ValueAt<'a> {
    column: &'a mut Column,
    path: &'a Path<'a>,
    look: &'a mut Look,
}

impl ValueAt<'_> {
    /// Notes a value without parts.
    fn scalar<E: Error>(self, kind: Kind) -> Result<(), E> {
        let exact = |largest: u64| largest <= MOST_EXACT;
        match (&mut self.column.kind, kind) {
            (now @ Kind::Nothing, kind) => {
                *now = kind;
                self.column.first = self.look.record;
            }
            (Kind::Boolean, Kind::Boolean) | (Kind::Text, Kind::Text) | (Kind::Float, Kind::Float) => {}
            (Kind::Integer(largest), Kind::Integer(other)) => *largest = other.max(*largest),
            (Kind::Integer(largest), Kind::Float) if exact(*largest) => self.column.kind = Kind::Float,
            (Kind::Float, Kind::Integer(largest)) if exact(largest) => {}
            (Kind::Float, Kind::Integer(_)) | (Kind::Integer(_), Kind::Float) => {
                let trouble = format!(
                    "column `{}` holds floats and integers that are too large to be floats, first seen in record {}; make \
                     them strings",
                    self.path, self.look.record
                );
                return Err(self.look.stop(Trouble::Records(trouble)));
            }
            (_, other) => return Err(self.clash(&other)),
        }
        Ok(())
    }

    fn clash<E: Error>(self, other: &Kind) -> E {
        let trouble = format!(
            "column `{}` is {} in record {} and {} in record {}, and a Parquet column has one type",
            self.path,
            self.column.kind.name(),
            self.column.first,
            other.name(),
            self.look.record
        );
        self.look.stop(Trouble::Records(trouble))
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
        self.scalar(Kind::Boolean)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(Kind::Integer(value.unsigned_abs()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        if i64::try_from(value).is_err() {
            let trouble = too_large(&self.path.to_string(), self.look.record);
            return Err(self.look.stop(trouble));
        }
        self.scalar(Kind::Integer(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        if value.abs() >= i64::MAX as f64 {
            self.look.large.push((self.path.to_string(), value));
        }
        self.scalar(Kind::Float)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.scalar(Kind::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if matches!(self.column.kind, Kind::Nothing) {
            *self.column = Column { kind: Kind::List(Box::default()), first: self.look.record };
        }
        let Kind::List(element) = &mut self.column.kind else { return Err(self.clash(&Kind::List(Box::default()))) };
        let path = Path::Element(self.path);
        while list.next_element_seed(ValueAt { column: element, path: &path, look: self.look })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        if matches!(self.column.kind, Kind::Nothing) {
            *self.column = Column { kind: Kind::Mapping(Columns::default()), first: self.look.record };
        }
        let Kind::Mapping(columns) = &mut self.column.kind else {
            return Err(self.clash(&Kind::Mapping(Columns::default())));
        };
        MappingAt { columns, path: self.path, look: self.look }.visit_map(map)
    }
}

/// Reads a mapping into its columns.
struct MappingAt<'a> {
    columns: &'a mut Columns,
    path: &'a Path<'a>,
    look: &'a mut Look,
}

impl<'de> Visitor<'de> for MappingAt<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(name)) = map.next_key()? {
            let column = self.look.column(self.columns, &name);
            let path = self.path.member(&name);
            map.next_value_seed(ValueAt { column, path: &path, look: self.look })?;
        }
        Ok(())
    }
}
