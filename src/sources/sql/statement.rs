//! A query with its values and its database, and what is checked about it before rows are read.

use super::address::Database;
use serde_json::Value;
use std::collections::HashSet;

/// A query with the values for its placeholders, and the database that it is sent to.
pub(super) struct BoundQuery {
    pub(super) database: Database,
    pub(super) sql: String,
    pub(super) params: Vec<Value>,
}

impl BoundQuery {
    /// Checks that there is a value for each placeholder.
    pub(super) fn check_params(&self, placeholders: usize) -> Result<(), String> {
        if placeholders == self.params.len() {
            return Ok(());
        }
        Err(format!("it has {placeholders} places for values, and `params` gives {}", self.params.len()))
    }
}

/// Checks that columns of these names can become a mapping.
pub(super) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("it gives the column `{name}` twice; name one of them with `AS`"));
        }
    }
    if seen.is_empty() { Err("it gives no columns: only a query has rows".to_owned()) } else { Ok(()) }
}

/// A message with its position in the query, which follows this much of its text.
pub(super) fn with_position(message: &str, before: &str) -> String {
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{message} (line {line}, column {column} of the query)")
}
