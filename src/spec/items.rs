//! Where the items of a step come from.

use super::rows::RowsSpec;
use super::setting::Setting;
use crate::model::{Text, Tree};
use std::num::NonZeroUsize;

/// Where items come from.
#[derive(Debug, Clone)]
pub enum ItemsSpec {
    /// A list. Its strings may be templates.
    List(Vec<Tree>),
    /// A template for a list.
    Template(Text),
    /// `$(command)` or `{command:}`: the lines that a shell command prints.
    Command(Text),
    /// `{glob:}`: the files that match a pattern, sorted, without duplicates.
    Glob(Vec<Text>),
    /// `{range:}`: the integers from `start` (0) up to but not including `stop`, by `step` (1, never 0).
    Range {
        /// The first integer.
        start: Setting<i64>,
        /// The end, which is not included.
        stop: Setting<i64>,
        /// The difference between two neighbours.
        step: Setting<i64>,
    },
    /// `{lines:}`: the lines of a UTF-8 file.
    Lines(Text),
    /// `{csv:}`, `{jsonl:}` and `{parquet:}`: rows of files.
    Rows(Box<RowsSpec>),
    /// `{product:}`: all combinations of the values of some names.
    Product(Vec<(String, ItemsSpec)>),
    /// `{sql:}`: the rows of a database query.
    Sql(Box<SqlSpec>),
}

/// A database query.
#[derive(Debug, Clone)]
pub struct SqlSpec {
    /// `sql`: the query.
    pub sql: Text,
    /// `url`: the database.
    pub url: Text,
    /// `params`: values for the placeholders of the query.
    pub params: Vec<Tree>,
    /// `limit`: the maximum number of rows.
    pub limit: Option<Setting<NonZeroUsize>>,
}
