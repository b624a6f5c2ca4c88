//! How to read the bytes of an item, and where they came from.

use super::{Items, ValueFormat};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How to read the bytes of an item.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A JSON value.
    #[default]
    Json,
    /// A JSON value in which NaN and infinities mean null.
    LooseJson,
    /// A record of a CSV file.
    Csv(CsvForm),
    /// A Python object in a bundle, as `pickle` writes a list of them.
    Pickle,
}

/// How a record of a CSV file becomes a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsvForm {
    /// The character between two fields.
    pub delimiter: u8,
    /// The character around fields, if there is one.
    pub quote: Option<u8>,
    /// How many fields a record has.
    pub fields: usize,
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// Texts that mean null.
    pub null: Vec<String>,
    /// How other values are written.
    pub values: ValueFormat,
}

/// A column of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Where its value comes from.
    pub from: From,
    /// The type of its value.
    pub kind: Kind,
    /// The `strftime` format of its dates, if they are not in ISO 8601.
    pub format: Option<String>,
}

/// Where the value of a column comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// The field at this place of the record.
    Field(usize),
    /// The path of the record's file.
    File,
    /// The part of that path which has the column's name.
    Partition,
    /// Nowhere: only other files have this column.
    Nothing,
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Text, as it is.
    Text,
    /// An integer.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A date, `2026-01-31`.
    Date,
    /// A date and a time (ISO 8601).
    Datetime,
}

impl Kind {
    /// Its name in `types:` of a workflow. Also part of fingerprints.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Datetime => "datetime",
        }
    }
}

/// What a batched task gets as `item`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchFormat {
    /// A list of the items.
    #[default]
    Records,
    /// A `pandas.DataFrame`.
    Pandas,
    /// A `polars.DataFrame`.
    Polars,
    /// A `pyarrow.Table`.
    Pyarrow,
}

impl BatchFormat {
    /// The library that makes it, if one is needed.
    pub fn library(self) -> Option<&'static str> {
        match self {
            Self::Records => None,
            Self::Pandas => Some("pandas"),
            Self::Polars => Some("polars"),
            Self::Pyarrow => Some("pyarrow"),
        }
    }
}

/// Where the items of a batch came from, for messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The file.
    pub file: Arc<str>,
    /// The lines.
    pub lines: LineNumbers,
}

/// The line numbers, from 1, at which items begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineNumbers {
    /// The first item begins at this line, each of the others right after the one before it.
    From(u64),
    /// The line of each item.
    Each(Vec<u64>),
}

impl Origin {
    /// The line of the item at `position` of a batch whose items begin at `from` of `items` and include their newlines.
    pub fn line(&self, items: &Items, from: usize, position: usize) -> u64 {
        match &self.lines {
            LineNumbers::Each(lines) => lines.get(position).copied().unwrap_or(0),
            LineNumbers::From(first) => first + items.line_breaks(from..from + position),
        }
    }
}
