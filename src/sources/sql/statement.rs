//! A query with its values and its database, and what is checked about it before rows are read.

use crate::database::Database;
use crate::sources::error::ErrorText;
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
    pub(super) fn check_params(&self, placeholders: usize) -> Result<(), ErrorText> {
        if placeholders == self.params.len() {
            return Ok(());
        }
        let (query, given) = (counted(placeholders, "placeholder"), counted(self.params.len(), "value"));
        Err(format!("the query has {query}, but `params` has {given}").into())
    }
}

/// Checks that columns of these names can become a mapping.
pub(super) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), ErrorText> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            let error = ErrorText::from(format!("the query returns two columns named `{name}`"));
            return Err(error.with_help("rename one of them with `AS`"));
        }
    }
    if seen.is_empty() {
        return Err(ErrorText::from("the statement returns no columns")
            .with_help("use a statement that returns rows, such as `SELECT`"));
    }
    Ok(())
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
