//! Reads values into the types of their columns, without building values.

use super::columns::{Column, ColumnType, Columns};
use super::error::WriteError;
use super::record::{Key, Place};
use super::type_state::{Step, TypeState};
use crate::model::{NUMBER_TOKEN, OnTypeConflict};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The largest integer such that a float can hold every integer up to it.
const MOST_EXACT: u64 = 1 << 53;

/// What to do about values that have no type in common.
pub(super) const WAYS_OUT: &str = "return values of one type, or set `on_type_conflict: text`";

/// What is wrong with an integer beyond 64 bits.
pub(super) fn too_large(path: &str, place: Place) -> String {
    format!("column `{path}`, {place}: integer exceeds the signed 64-bit range")
}

/// The path to a value, written out only for messages.
pub(super) enum Path<'a> {
    Top,
    Member(&'a Path<'a>, &'a str),
    Element(&'a Path<'a>),
}

impl Path<'_> {
    pub(super) fn member<'a>(&'a self, name: &'a str) -> Path<'a> {
        Path::Member(self, name)
    }

    fn steps(&self) -> Vec<Step> {
        match self {
            Self::Top => Vec::new(),
            Self::Member(parent, name) => with(parent.steps(), Some((*name).to_owned())),
            Self::Element(parent) => with(parent.steps(), None),
        }
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

fn with(mut steps: Vec<Step>, last: Step) -> Vec<Step> {
    steps.push(last);
    steps
}

/// Steps as messages write a path.
pub(super) fn path_of(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            None => path.push_str("[]"),
            Some(name) if path.is_empty() => path.push_str(name),
            Some(name) => path.extend([".", name]),
        }
    }
    path
}

impl Column {
    /// Reads a value into the column.
    pub(super) fn deserialize_in<'de, D: Deserializer<'de>>(
        &mut self,
        path: &Path<'_>,
        state: &mut TypeState,
        deserializer: D,
    ) -> Result<(), D::Error> {
        deserializer.deserialize_any(ValueAt { column: self, path, state })
    }
}

/// Reads a value into its column.
struct ValueAt<'a> {
    column: &'a mut Column,
    path: &'a Path<'a>,
    state: &'a mut TypeState,
}

impl ValueAt<'_> {
    /// Adds a value that has no parts.
    fn scalar<E: Error>(self, kind: ColumnType) -> Result<(), E> {
        let exact = |largest: u64| largest <= MOST_EXACT;
        match (&mut self.column.kind, kind) {
            (now @ ColumnType::Null, kind) => {
                *now = kind;
                self.column.first = self.state.place;
            }
            (ColumnType::Boolean, ColumnType::Boolean)
            | (ColumnType::Text, ColumnType::Text)
            | (ColumnType::Float, ColumnType::Float)
            | (ColumnType::Mixed, _) => {}
            (ColumnType::Integer(largest), ColumnType::Integer(other)) => *largest = other.max(*largest),
            (ColumnType::Integer(largest), ColumnType::Float) if exact(*largest) => {
                self.column.kind = ColumnType::Float
            }
            (ColumnType::Float, ColumnType::Integer(largest)) if exact(largest) => {}
            (ColumnType::Float, ColumnType::Integer(_)) | (ColumnType::Integer(_), ColumnType::Float) => {
                let what = "mixes floats with integers that a float cannot hold exactly";
                let message = format!("column `{}`, {}: {what}", self.path, self.state.place);
                return self.refuse(&message);
            }
            (_, other) => return self.clash(&other),
        }
        Ok(())
    }

    fn clash<E: Error>(self, other: &ColumnType) -> Result<(), E> {
        let message = format!(
            "column `{}` is {} in {} but {} in {}; a Parquet column has one type",
            self.path,
            self.column.kind.name(),
            self.column.first,
            other.name(),
            self.state.place
        );
        self.refuse(&message)
    }

    fn clash_unless_mixed<E: Error>(self, other: &ColumnType) -> Result<(), E> {
        if matches!(self.column.kind, ColumnType::Mixed) { Ok(()) } else { self.clash(other) }
    }

    /// Stops at a value that does not fit its column, unless that becomes text.
    fn refuse<E: Error>(self, message: &str) -> Result<(), E> {
        if self.state.on_conflict == OnTypeConflict::Text {
            self.column.kind = ColumnType::Mixed;
            return Ok(());
        }
        Err(self.state.stop(WriteError::Records(format!("{message}; {WAYS_OUT}"))))
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
            let message = too_large(&self.path.to_string(), self.state.place);
            return self.refuse(&message);
        }
        self.scalar(ColumnType::Integer(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        if value.abs() >= i64::MAX as f64 {
            self.state.large.push((self.path.steps(), value));
        }
        self.scalar(ColumnType::Float)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.scalar(ColumnType::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if matches!(self.column.kind, ColumnType::Null) {
            *self.column = Column { kind: ColumnType::List(Box::default()), first: self.state.place };
        }
        let ColumnType::List(element) = &mut self.column.kind else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return self.clash_unless_mixed(&ColumnType::List(Box::default()));
        };
        let path = Path::Element(self.path);
        while list.next_element_seed(ValueAt { column: element, path: &path, state: self.state })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let first: Option<Key<'de>> = map.next_key()?;
        if first.as_ref().is_some_and(|Key(name)| name == NUMBER_TOKEN) {
            let digits: String = map.next_value()?;
            return self.visit_f64(digits.parse().map_err(A::Error::custom)?);
        }
        if matches!(self.column.kind, ColumnType::Null) {
            *self.column = Column { kind: ColumnType::Mapping(Columns::default()), first: self.state.place };
        }
        let ColumnType::Mapping(columns) = &mut self.column.kind else {
            if first.is_some() {
                map.next_value::<IgnoredAny>()?;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            }
            return self.clash_unless_mixed(&ColumnType::Mapping(Columns::default()));
        };
        MappingAt { columns, path: self.path, state: self.state }.read(first, map)
    }
}

/// Reads a mapping into its columns.
pub(super) struct MappingAt<'a> {
    pub(super) columns: &'a mut Columns,
    pub(super) path: &'a Path<'a>,
    pub(super) state: &'a mut TypeState,
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
            if matches!(self.path, Path::Top) && !self.state.takes(&name) {
                map.next_value::<IgnoredAny>()?;
                next = map.next_key()?;
                continue;
            }
            let column = self.state.column(self.columns, &name);
            let path = self.path.member(&name);
            map.next_value_seed(ValueAt { column, path: &path, state: self.state })?;
            next = map.next_key()?;
        }
        Ok(())
    }
}
