//! Statistics of a JSON Lines file, in one pass: how many lines, which are not JSON, which keys they have.
//!
//! Not the schema inference of arrow-json: it builds every value, and stops at the first line that is not JSON.

use super::block::Block;
use super::cutter::is_blank;
use super::nan::without_nan;
use super::row_runs::{Occurrences, RowRuns};
use crate::model::NUMBER_TOKEN;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// The types that the values of a key have had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JsonKinds(u8);

const INTEGER: u8 = 1;
const NUMBER: u8 = 1 << 1;
const BOOLEAN: u8 = 1 << 2;
const TEXT: u8 = 1 << 3;
const LIST: u8 = 1 << 4;
const MAPPING: u8 = 1 << 5;

impl JsonKinds {
    /// The types of both.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The name of the type, for people.
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "null",
            INTEGER => "integer",
            NUMBER | 3 => "number",
            BOOLEAN => "boolean",
            TEXT => "text",
            LIST => "list",
            MAPPING => "mapping",
            _ => "mixed",
        }
    }
}

/// Collects statistics of the lines of a JSON Lines file.
#[derive(Debug, Default)]
pub struct JsonLinesStats {
    names: Vec<(String, JsonKinds)>,
    positions: HashMap<String, usize>,
    /// The lines.
    pub runs: RowRuns,
    /// Lines that are not JSON.
    pub invalid: Occurrences,
    /// Whether all of it is ASCII.
    pub is_ascii: bool,
    /// Whether NaN and infinities mean null.
    loose: bool,
}

impl JsonLinesStats {
    /// How many names are kept: their number is unlimited if names are data, such as identifiers.
    const MOST_NAMES: usize = 1000;

    /// No lines yet.
    pub fn new() -> Self {
        Self { is_ascii: true, ..Self::default() }
    }

    /// The same where NaN and infinities mean null.
    pub fn loose() -> Self {
        Self { loose: true, ..Self::new() }
    }

    /// The keys of the mappings in the order in which they first appear, with the types of their values.
    pub fn names(&self) -> &[(String, JsonKinds)] {
        &self.names
    }

    /// Adds some lines.
    pub fn add(&mut self, block: Block<'_>) {
        self.is_ascii &= block.bytes.is_ascii();
        for (begin, record) in block.records() {
            if is_blank(record) {
                self.runs.gap();
                continue;
            }
            self.runs.row();
            let text = if self.loose { without_nan(record) } else { Cow::Borrowed(record) };
            let mut json = serde_json::Deserializer::from_slice(&text);
            if Line(self).deserialize(&mut json).and_then(|()| json.end()).is_err() {
                self.invalid.add(|| block.line_at(begin));
            }
        }
    }

    /// The position of a name, which is added if it is new; `next` is the likeliest position.
    fn position(&mut self, name: &str, next: usize) -> Option<usize> {
        if self.names.get(next).is_some_and(|(known, _)| known == name) {
            return Some(next);
        }
        if let Some(position) = self.positions.get(name) {
            return Some(*position);
        }
        if self.names.len() == Self::MOST_NAMES {
            return None;
        }
        self.names.push((name.to_owned(), JsonKinds::default()));
        self.positions.insert(name.to_owned(), self.names.len() - 1);
        Some(self.names.len() - 1)
    }
}

/// A line: a mapping, or any other value.
struct Line<'a>(&'a mut JsonLinesStats);

/// A key of a mapping.
struct Name<'a>(&'a mut JsonLinesStats, usize);

/// The type of a value.
struct Value;

impl<'de> DeserializeSeed<'de> for Line<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Option<usize>, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = u8;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<u8, D::Error> {
        json.deserialize_any(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.position(name, self.1))
    }
}

impl<'de> Visitor<'de> for Line<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut next = 0;
        while let Some(position) = map.next_key_seed(Name(self.0, next))? {
            let kind = map.next_value_seed(Value)?;
            if let Some(position) = position {
                self.0.names[position].1.0 |= kind;
                next = position + 1;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        Value.visit_seq(seq).map(drop)
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = u8;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<u8, A::Error> {
        let Some(first) = map.next_key::<String>()? else { return Ok(MAPPING) };
        map.next_value::<IgnoredAny>()?;
        if first == NUMBER_TOKEN {
            return Ok(NUMBER);
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(MAPPING)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<u8, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(LIST)
    }

    fn visit_bool<E>(self, _: bool) -> Result<u8, E> {
        Ok(BOOLEAN)
    }

    fn visit_i64<E>(self, _: i64) -> Result<u8, E> {
        Ok(INTEGER)
    }

    fn visit_u64<E>(self, _: u64) -> Result<u8, E> {
        Ok(INTEGER)
    }

    fn visit_f64<E>(self, _: f64) -> Result<u8, E> {
        Ok(NUMBER)
    }

    fn visit_str<E>(self, _: &str) -> Result<u8, E> {
        Ok(TEXT)
    }

    fn visit_unit<E>(self) -> Result<u8, E> {
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::cutter::Cutter;

    #[test]
    fn lines_bring_names_and_types_and_bad_ones_have_a_place() {
        let text = b"{\"a\":1,\"b\":null}\n{\"b\":\"x\",\"a\":2.5,\"c\":[{}]}\n\n[1]\n{\"a\":1,}\n{} {}\n7\n";
        let mut cutter = Cutter::of_lines(Box::new(text.as_slice()));
        let mut stats = JsonLinesStats::new();
        while let Some(block) = cutter.block().unwrap() {
            stats.add(block);
        }
        let names: Vec<_> = stats.names().iter().map(|(name, kinds)| (name.as_str(), kinds.name())).collect();
        assert_eq!(names, [("a", "number"), ("b", "text"), ("c", "list")]);
        assert_eq!(stats.runs.rows(), 6);
        assert_eq!(stats.invalid, Occurrences { rows: 2, first_line: 5 });
    }
}
