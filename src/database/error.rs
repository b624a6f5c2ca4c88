//! Why a database does not do what it was asked for.

use std::fmt;

/// A message, and what to do about it if that is known. Neither contains the address of the database.
#[derive(Debug, Clone, PartialEq, Eq, Default, thiserror::Error)]
pub struct DatabaseError {
    /// The message.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Which of the rows it is about.
    pub row: Option<usize>,
    /// Which column it is about.
    pub column: Option<String>,
}

impl DatabaseError {
    /// The same with what to do about it. It must not contain values that may be secret, because it is not masked.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The same about one of the rows.
    #[must_use]
    pub fn in_row(self, row: usize) -> Self {
        Self { row: Some(row), ..self }
    }

    /// The same about a column.
    #[must_use]
    pub fn in_column(self, column: impl Into<String>) -> Self {
        Self { column: Some(column.into()), ..self }
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<String> for DatabaseError {
    fn from(message: String) -> Self {
        Self { message, ..Self::default() }
    }
}

impl From<&str> for DatabaseError {
    fn from(message: &str) -> Self {
        Self::from(message.to_owned())
    }
}

/// A message with its position in the query, which follows this much of its text.
pub fn with_position(message: &str, before: &str) -> String {
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{message} (line {line}, column {column} of the query)")
}
