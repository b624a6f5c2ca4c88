//! Tables: those that are there, and those to create.

use super::name::{TableName, quoted, quoted_list};

/// The type of a column to create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Booleans.
    Boolean,
    /// Integers of 64 bits.
    Integer,
    /// Floats of 64 bits.
    Float,
    /// Text, or nothing but nulls.
    Text,
    /// Lists and mappings.
    Json,
    /// Dates.
    Date,
    /// Points in time without a time zone.
    Timestamp,
    /// Points in time with their offset from UTC.
    TimestampTz,
}

/// A column to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
}

/// A column that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// Its type as the database calls it.
    pub kind: String,
}

/// An existing table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Its columns.
    pub columns: Vec<TableColumn>,
    /// The columns of each unique index, of which rows can be found by their key.
    pub unique: Vec<Vec<String>>,
}

impl Table {
    /// The column of this name.
    pub fn column(&self, is_it: impl Fn(&str) -> bool) -> Option<&TableColumn> {
        self.columns.iter().find(|column| is_it(&column.name))
    }
}

/// Where rows go.
#[derive(Debug, Clone, Copy)]
pub struct Insert<'a> {
    /// The table.
    pub table: &'a TableName,
    /// The columns of the rows.
    pub columns: &'a [TableColumn],
    /// The columns that identify a row to update; empty if all rows are new.
    pub key: &'a [String],
}

impl Insert<'_> {
    /// The columns in a statement.
    pub(super) fn column_list(&self) -> String {
        quoted_list(self.columns.iter().map(|column| column.name.as_str()))
    }

    /// What happens to a row whose key is there, as the end of a statement.
    pub(super) fn on_conflict(&self) -> String {
        if self.key.is_empty() {
            return String::new();
        }
        let others = self.columns.iter().map(|column| &column.name).filter(|name| !self.key.contains(name));
        let set: Vec<String> =
            others.map(|name| quoted(name)).map(|name| format!("{name} = excluded.{name}")).collect();
        let key = quoted_list(self.key.iter().map(String::as_str));
        let what = if set.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", set.join(", ")) };
        format!(" ON CONFLICT ({key}) DO {what}")
    }
}
