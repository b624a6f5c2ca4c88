//! Where the items of a step come from.

use super::rows::RowsSpec;
use super::setting::Setting;
use crate::model::{Text, Tree};
use std::num::NonZeroUsize;

/// Where items come from.
#[derive(Debug, Clone)]
pub enum ItemsSpec {
    /// A list, its strings perhaps templates.
    List(Vec<Tree>),
    /// A template that gives a list.
    Template(Text),
    /// `$(command)` or `{command:}`: the lines that a shell command prints.
    Command(Text),
    /// `{glob:}`: the files that match one of the patterns, sorted, no file twice.
    Glob(Vec<Text>),
    /// `{range:}`: integers from `start` (0) up to, and without, `stop`, by `step` (1, never 0).
    Range {
        /// The first integer.
        start: Setting<i64>,
        /// Where to stop.
        stop: Setting<i64>,
        /// The distance of neighbours.
        step: Setting<i64>,
    },
    /// `{lines:}`: the lines of a UTF-8 file.
    Lines(Text),
    /// `{csv:}`, `{jsonl:}` and `{parquet:}`: rows of files.
    Rows(Box<RowsSpec>),
    /// `{sql:}`: rows that a database gives for a query.
    Sql(Box<SqlSpec>),
}

/// A query.
#[derive(Debug, Clone)]
pub struct SqlSpec {
    /// `sql`: the query.
    pub sql: Text,
    /// `url`: the database.
    pub url: Text,
    /// `params`: values for the places of the query.
    pub params: Vec<Tree>,
    /// `limit`: the most rows.
    pub limit: Option<Setting<NonZeroUsize>>,
}
