//! The columns of records and their types: for formats that have to know them before they begin.
//!
//! A column has one type, and null stands beside every one.

use super::error::Trouble;
use super::look::Look;
use super::write::Results;
use arrow_schema::{DataType, Field, Fields, Schema};
use indexmap::IndexMap;
use std::sync::Arc;

/// The columns of a mapping, in the order in which they first appear.
#[derive(Debug, Default)]
pub(super) struct Columns(pub(super) IndexMap<String, Column>);

/// A column: what its values are so far.
#[derive(Debug, Default)]
pub(super) struct Column {
    pub(super) kind: Kind,
    /// The record with the first value that is not null.
    pub(super) first: u64,
}

/// What the values of a column are.
#[derive(Debug, Default)]
pub(super) enum Kind {
    /// Null alone.
    #[default]
    Nothing,
    Boolean,
    /// Integers, and the largest without its sign.
    Integer(u64),
    Float,
    Text,
    List(Box<Column>),
    Mapping(Columns),
}

impl Kind {
    /// For messages.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Boolean => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Float => "a float",
            Self::Text => "a string",
            Self::List(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }
}

impl Columns {
    /// Reads all records for their types.
    pub(super) fn of(results: &mut dyn Results) -> Result<Self, Trouble> {
        Look::over(results)
    }

    /// The types, as Arrow has them.
    pub(super) fn schema(&self) -> Result<Schema, Trouble> {
        Ok(Schema::new(self.fields("")?))
    }

    fn fields(&self, within: &str) -> Result<Fields, Trouble> {
        self.0
            .iter()
            .map(|(name, column)| Ok(Field::new(name, column.data_type(&format!("{within}{name}"))?, true)))
            .collect()
    }
}

impl Column {
    fn data_type(&self, path: &str) -> Result<DataType, Trouble> {
        Ok(match &self.kind {
            Kind::Nothing => DataType::Null,
            Kind::Boolean => DataType::Boolean,
            Kind::Integer(_) => DataType::Int64,
            Kind::Float => DataType::Float64,
            Kind::Text => DataType::Utf8,
            Kind::List(element) => {
                DataType::List(Arc::new(Field::new_list_field(element.data_type(&format!("{path}[]"))?, true)))
            }
            Kind::Mapping(columns) if columns.0.is_empty() => {
                return Err(Trouble::Records(format!(
                    "column `{path}` holds mappings without keys alone, for which Parquet has no type"
                )));
            }
            Kind::Mapping(columns) => DataType::Struct(columns.fields(&format!("{path}."))?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::write::tests::Held;

    fn schema(records: &str) -> Result<String, String> {
        let schema = Columns::of(&mut Held(records, 0)).and_then(|columns| columns.schema());
        let schema = schema.map_err(|trouble| trouble.to_string())?;
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
            ("{\"a\":1}\n{}\n{\"a\":\"1\"}\n", "column `a` is an integer in record 0 and a string in record 2"),
            (
                "{\"a\":{\"b\":[1]}}\n{\"a\":{\"b\":[true]}}\n",
                "column `a.b[]` is an integer in record 0 and a boolean in record 1",
            ),
            ("1\n[1]\n", "column `value` is an integer in record 0 and a list in record 1"),
            ("{\"a\":[]}\n{\"a\":{}}\n", "column `a` is a list in record 0 and a mapping in record 1"),
            (
                "{\"a\":18446744073709551615}\n",
                "column `a` holds an integer in record 0 that 64 bits with a sign do not",
            ),
            (
                "{\"s\":\"9\\\"9\",\"a\":[1e30,-123456789012345678901234567890]}\n",
                "column `a[]` holds an integer in record 0",
            ),
            ("9007199254740993\n0.5\n", "column `value` holds floats and integers that are too large"),
            ("0.5\n9007199254740993\n", "column `value` holds floats and integers that are too large"),
            ("{\"a\":{\"b\":{}}}\n", "column `a.b` holds mappings without keys alone"),
            ("{\"a\":\"\\ud800\"}\n", "record 0 cannot be read"),
        ] {
            let error = schema(records).unwrap_err();
            assert!(error.contains(expected), "{records}: {error}");
        }
        assert!(schema("{\"a\":1e30}\n{\"a\":\"123456789012345678901234567890\"}\n").is_err());
        assert_eq!(schema("{\"a\":1e30,\"b\":\"123456789012345678901234567890\"}\n").unwrap(), "a Float64, b Utf8");
    }
}
