//! The columns of records and their types, for formats that must know them before they begin.
//!
//! A column has one type, and may contain nulls as well.

use super::error::WriteError;
use super::record::Place;
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
    /// Where the first value that is not null comes from.
    pub(super) first: Place,
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
    /// Values that have no type in common, as text: strings as they are, all others as JSON.
    Mixed,
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
            Self::Mixed => "text",
        }
    }

    /// Whether it has values that have no type in common, at any depth.
    pub(super) fn has_mixed(&self) -> bool {
        match self {
            Self::Mixed => true,
            Self::List(element) => element.kind.has_mixed(),
            Self::Mapping(columns) => columns.has_mixed(),
            _ => false,
        }
    }

    fn write_empty_as_text(&mut self) {
        match self {
            Self::List(element) => element.kind.write_empty_as_text(),
            Self::Mapping(columns) if columns.0.is_empty() => *self = Self::Mixed,
            Self::Mapping(columns) => columns.write_empty_as_text(),
            _ => {}
        }
    }
}

impl Columns {
    /// Whether a column has values that have no type in common, at any depth.
    pub(super) fn has_mixed(&self) -> bool {
        self.0.values().any(|column| column.kind.has_mixed())
    }

    /// Makes text of mappings that are always empty, for which Parquet has no type.
    pub(super) fn write_empty_as_text(&mut self) {
        self.0.values_mut().for_each(|column| column.kind.write_empty_as_text());
    }

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
            ColumnType::Text | ColumnType::Mixed => DataType::Utf8,
            ColumnType::List(element) => {
                DataType::List(Arc::new(Field::new_list_field(element.data_type(&format!("{path}[]"))?, true)))
            }
            ColumnType::Mapping(columns) if columns.0.is_empty() => {
                return Err(WriteError::Records(format!(
                    "column `{path}` contains only empty mappings, for which Parquet has no type; use `jsonl`, or set `on_type_conflict: text`"
                )));
            }
            ColumnType::Mapping(columns) => DataType::Struct(columns.fields(&format!("{path}."))?),
        })
    }
}
