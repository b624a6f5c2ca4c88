//! Finds fields in a line of JSON, and skips all others.

use crate::spec::Field;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The fields to find. Each is a column, and so is the result as a whole, if needed.
#[derive(Debug, Default)]
pub(super) struct Picker {
    /// The field of each column; none for the result as a whole.
    pub(super) columns: Vec<Option<Field>>,
    tree: Vec<Node>,
}

/// A name in a mapping, and what is needed below it.
#[derive(Debug)]
struct Node {
    name: String,
    column: Option<usize>,
    inner: Vec<Node>,
}

/// A value of a line, where there is one.
pub(super) type Found<'a> = Option<&'a RawValue>;

/// A value that is not a mapping, although one of its fields is needed.
#[derive(Debug)]
pub(super) struct NoMapping {
    /// The field that it would be; none for the result as a whole.
    pub(super) field: Option<String>,
    /// Its JSON text.
    pub(super) value: String,
    /// The name of that field.
    pub(super) wanted: String,
}

impl Picker {
    /// The column of a field, or of the result as a whole.
    pub(super) fn column(&mut self, field: Option<&Field>) -> usize {
        if let Some(known) = self.columns.iter().position(|column| column.as_ref() == field) {
            return known;
        }
        let column = self.columns.len();
        self.columns.push(field.cloned());
        if let Some(field) = field {
            let names: Vec<&str> = field.names().collect();
            insert(&mut self.tree, &names, column);
        }
        column
    }

    /// Finds the value of each column; null is none.
    pub(super) fn pick<'a>(&self, line: &'a str, found: &mut Vec<Found<'a>>) -> Result<(), NoMapping> {
        found.clear();
        found.resize(self.columns.len(), None);
        // A line of a results file is JSON: the encoder wrote it.
        let Ok(whole) = serde_json::from_str::<&RawValue>(line) else { return Ok(()) };
        for (column, value) in self.columns.iter().zip(found.iter_mut()) {
            *value = Some(whole).filter(|whole| column.is_none() && whole.get() != "null");
        }
        if self.tree.is_empty() { Ok(()) } else { walk(&self.tree, whole, None, found) }
    }
}

fn insert(nodes: &mut Vec<Node>, names: &[&str], column: usize) {
    let Some((name, rest)) = names.split_first() else { return };
    let at = nodes.iter().position(|node| node.name == *name).unwrap_or_else(|| {
        nodes.push(Node { name: (*name).to_owned(), column: None, inner: Vec::new() });
        nodes.len() - 1
    });
    match rest {
        [] => nodes[at].column = Some(column),
        rest => insert(&mut nodes[at].inner, rest, column),
    }
}

fn walk<'a>(
    nodes: &[Node],
    value: &'a RawValue,
    path: Option<&str>,
    found: &mut Vec<Found<'a>>,
) -> Result<(), NoMapping> {
    if value.get() == "null" {
        return Ok(());
    }
    let no_mapping =
        || NoMapping { field: path.map(str::to_owned), value: value.get().to_owned(), wanted: nodes[0].name.clone() };
    if !value.get().starts_with('{') {
        return Err(no_mapping());
    }
    let mut json = serde_json::Deserializer::from_str(value.get());
    for (at, value) in Members(nodes).deserialize(&mut json).map_err(|_| no_mapping())? {
        let node = &nodes[at];
        if let Some(column) = node.column {
            found[column] = Some(value).filter(|value| value.get() != "null");
        }
        if !node.inner.is_empty() {
            let path = path.map_or_else(|| node.name.clone(), |path| format!("{path}.{}", node.name));
            walk(&node.inner, value, Some(&path), found)?;
        }
    }
    Ok(())
}

/// Reads a mapping: which of the names it has, and their values.
struct Members<'n>(&'n [Node]);

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = Vec<(usize, &'de RawValue)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Vec<(usize, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(self.0.len());
        while let Some(name) = map.next_key_seed(Name(self.0))? {
            match name {
                Some(at) => members.push((at, map.next_value()?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(members)
    }
}

/// Reads a key: which of the names it is.
struct Name<'n>(&'n [Node]);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|node| node.name == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_at_every_depth_and_null_is_none() {
        let mut picker = Picker::default();
        for field in ["a.b", "c", "a", "a.d.e"] {
            picker.column(Some(&Field(field.to_owned())));
        }
        assert_eq!(picker.column(None), 4);
        assert_eq!(picker.column(Some(&Field("c".to_owned()))), 1);
        let mut found = Vec::new();
        let line = r#"{"x":[{"c":9}],"a":{"b":1,"d":null},"\u0063":"two"}"#;
        picker.pick(line, &mut found).unwrap();
        let texts: Vec<_> = found.iter().map(|value| value.map(RawValue::get)).collect();
        assert_eq!(texts, [Some("1"), Some("\"two\""), Some(r#"{"b":1,"d":null}"#), None, Some(line)]);
        let mut found = Vec::new();
        let wrong = picker.pick(r#"{"a":5}"#, &mut found).unwrap_err();
        assert_eq!((wrong.field.as_deref(), wrong.value.as_str(), wrong.wanted.as_str()), (Some("a"), "5", "b"));
    }
}
