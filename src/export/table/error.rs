//! Why results cannot be written to a table.

use super::target::TableTarget;
use crate::database::DatabaseError;

/// Results cannot be written to a table. Parts that were written stay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot write {target}: {message}")]
pub struct TableError {
    target: String,
    message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl TableError {
    /// An error about this table.
    pub fn new(target: &TableTarget, message: impl Into<String>) -> Self {
        Self { target: target.shown(), message: message.into(), help: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// What the database says of this table; `record` is the number of the record whose row it counts as the first.
    pub(super) fn of(target: &TableTarget, error: DatabaseError, record: u64) -> Self {
        let column = error.column.map(|column| format!("column `{column}`"));
        let row = error.row.map(|row| format!("record {}", record + row as u64));
        let place: Vec<String> = column.into_iter().chain(row).collect();
        let message = if place.is_empty() { error.message } else { format!("{}: {}", place.join(", "), error.message) };
        Self { help: error.help, ..Self::new(target, message) }
    }

    /// Message and help on one line.
    pub fn one_line(&self) -> String {
        match &self.help {
            Some(help) => format!("{self}; {help}"),
            None => self.to_string(),
        }
    }
}
