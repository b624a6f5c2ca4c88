//! The columns of records and their types, for formats that must know them before they begin.
//!
//! A column has one type, and may contain nulls as well.

use super::error::WriteError;
use arrow_schema::{DataType, Field, Fields, Schema};
use indexmap::IndexMap;
use std::sync::Arc;

/// The columns of a mapping, in the order in which they first appear.
#[derive(Debug, Default)]
pub(super) struct Columns(pub(super) IndexMap<String, Column>);

/// A column, as far as its values are known.
#[derive(Debug, Default)]
pub(super) struct Column {
    pub(super) kind: ColumnType,
    /// The record with the first value that is not null.
    pub(super) first: u64,
}

/// The type of a column.
#[derive(Debug, Default)]
pub(super) enum ColumnType {
    /// Only nulls so far.
    #[default]
    Null,
    Boolean,
    /// Integers; the largest absolute value.
    Integer(u64),
    Float,
    Text,
    List(Box<Column>),
    Mapping(Columns),
}

impl ColumnType {
    /// Its name in messages.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
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
    /// The schema in Arrow.
    pub(super) fn schema(&self) -> Result<Schema, WriteError> {
        Ok(Schema::new(self.fields("")?))
    }

    fn fields(&self, within: &str) -> Result<Fields, WriteError> {
        self.0
            .iter()
            .map(|(name, column)| Ok(Field::new(name, column.data_type(&format!("{within}{name}"))?, true)))
            .collect()
    }
}

impl Column {
    fn data_type(&self, path: &str) -> Result<DataType, WriteError> {
        Ok(match &self.kind {
            ColumnType::Null => DataType::Null,
            ColumnType::Boolean => DataType::Boolean,
            ColumnType::Integer(_) => DataType::Int64,
            ColumnType::Float => DataType::Float64,
            ColumnType::Text => DataType::Utf8,
            ColumnType::List(element) => {
                DataType::List(Arc::new(Field::new_list_field(element.data_type(&format!("{path}[]"))?, true)))
            }
            ColumnType::Mapping(columns) if columns.0.is_empty() => {
                return Err(WriteError::Records(format!(
                    "column `{path}` contains only empty mappings, for which Parquet has no type; use `jsonl`"
                )));
            }
            ColumnType::Mapping(columns) => DataType::Struct(columns.fields(&format!("{path}."))?),
        })
    }
}
