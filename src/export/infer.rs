//! Infers the types of columns from all records, without building values.
//!
//! Integers and floats together are floats, as long as no digit is lost. No other types are mixed, unless the user wants text:
//! turning some numbers into strings would hide what the records are.
//!
//! arrow-json's inference makes strings of mixed columns, and cannot tell which record does not fit.

use super::columns::{ColumnType, Columns};
use super::error::WriteError;
use super::record::{Place, VALUE, lines, unreadable};
use super::results::{Results, each_piece};
use super::type_state::{Step, TypeState};
use super::value_types::{MappingAt, Path, WAYS_OUT, path_of, too_large};
use crate::model::{OnTypeConflict, OutputOptions};
use serde::de::Deserializer;

/// Infers the columns of all records, or of those that the user names, which come in this order. Those that no record has
/// come second.
///
/// # Errors
/// If a column has no single type, or the records cannot be read.
pub(super) fn infer_columns(
    results: &mut dyn Results,
    options: &OutputOptions,
) -> Result<(Columns, Vec<String>), WriteError> {
    let (mut inference, mut record) = (SchemaInference::new(options), 0);
    each_piece(results, |piece| {
        lines(piece).try_for_each(|line| {
            inference.add(line, Place::Record(record))?;
            record += 1;
            Ok(())
        })
    })?;
    let mut found = inference.columns;
    if options.on_type_conflict == OnTypeConflict::Text {
        found.write_empty_as_text();
    }
    let Some(named) = &options.columns else { return Ok((found, Vec::new())) };
    let missing = named.iter().filter(|name| !found.0.contains_key(*name)).cloned().collect();
    let column = |name: &String| (name.clone(), found.0.swap_remove(name).unwrap_or_default());
    Ok((Columns(named.iter().map(column).collect()), missing))
}

/// Infers columns from one record after another, in any order.
#[derive(Debug, Default)]
pub(super) struct SchemaInference {
    columns: Columns,
    state: TypeState,
}

impl SchemaInference {
    /// An inference that has seen no record.
    pub(super) fn new(options: &OutputOptions) -> Self {
        Self { columns: Columns::default(), state: TypeState::new(options) }
    }

    /// Adds a record.
    pub(super) fn add(&mut self, line: &[u8], place: Place) -> Result<(), WriteError> {
        let Self { columns, state } = self;
        state.place = place;
        let mut deserializer = serde_json::Deserializer::from_slice(line);
        let read = if line.starts_with(b"{") {
            deserializer.deserialize_map(MappingAt { columns, path: &Path::Top, state })
        } else if !state.takes(VALUE) {
            Ok(())
        } else {
            state.column(columns, VALUE).deserialize_in(&Path::Top.member(VALUE), state, &mut deserializer)
        };
        if let Some(error) = state.error.take() {
            return Err(error);
        }
        read.map_err(|error| unreadable(place, &error))?;
        self.check_large(line)
    }

    /// Integers beyond 64 bits are read as floats. Only the text of the line tells them apart.
    fn check_large(&mut self, line: &[u8]) -> Result<(), WriteError> {
        for (steps, value) in self.state.large.drain(..) {
            let is_it = |number: &str| {
                number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') && number.parse() == Ok(value)
            };
            if !numbers(line).any(is_it) {
                continue;
            }
            if self.state.on_conflict == OnTypeConflict::Error {
                let what = too_large(&path_of(&steps), self.state.place);
                return Err(WriteError::Records(format!("{what}; {WAYS_OUT}")));
            }
            make_text(&mut self.columns, &steps);
        }
        Ok(())
    }
}

/// Makes the column at this path one of text.
fn make_text(columns: &mut Columns, steps: &[Step]) {
    let Some((Some(name), rest)) = steps.split_first() else { return };
    let Some(mut column) = columns.0.get_mut(name) else { return };
    for step in rest {
        column = match (&mut column.kind, step) {
            (ColumnType::List(element), None) => &mut **element,
            (ColumnType::Mapping(inner), Some(name)) if inner.0.contains_key(name) => &mut inner.0[name],
            // It is within a column of text.
            _ => return,
        };
    }
    column.kind = ColumnType::Mixed;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::testing::InMemory;

    fn schema(records: &str) -> Result<String, String> {
        let schema = infer_columns(&mut InMemory::new(records), &OutputOptions::default())
            .and_then(|(columns, _)| columns.schema());
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

    #[test]
    fn what_does_not_go_together_becomes_text_if_the_user_wants_that() {
        let options = OutputOptions { on_type_conflict: OnTypeConflict::Text, ..OutputOptions::default() };
        for (records, expected) in [
            ("{\"a\":1,\"b\":1}\n{\"a\":\"1\"}\n{\"a\":[{}]}\n{\"a\":{\"x\":{}}}\n", "a Utf8, b Int64"),
            ("{\"a\":{\"b\":[1]}}\n{\"a\":{\"b\":[true]}}\n", "a Struct(\"b\": List(Utf8))"),
            ("1\n[1]\n{}\n", "value Utf8"),
            ("{\"a\":{}}\n", "a Utf8"),
            ("{\"a\":18446744073709551615,\"b\":[[-123456789012345678901234567890]]}\n", "a Utf8, b List(List(Utf8))"),
            ("9007199254740993\n0.5\n", "value Utf8"),
        ] {
            let (columns, _) = infer_columns(&mut InMemory::new(records), &options).unwrap();
            let schema = columns.schema().unwrap();
            let fields = schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type()));
            assert_eq!(fields.collect::<Vec<_>>().join(", "), expected, "{records}");
        }
    }
}
