//! Values on their way to a table.

use std::borrow::Cow;

/// A value, as the JSON of a record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number, with all its digits.
    Number(&'a str),
    /// A text.
    Text(Cow<'a, str>),
    /// A list or a mapping, as JSON.
    Json(&'a str),
}

/// A row: a value for each column.
pub type Row<'a> = Vec<Value<'a>>;
