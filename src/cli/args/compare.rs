//! How incremental runs compare files.

use crate::model::Compare;
use clap::ValueEnum;

/// How `--incremental` compares files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompareBy {
    /// Size and modification time
    Time,
    /// File content
    Content,
}

impl From<CompareBy> for Compare {
    fn from(by: CompareBy) -> Self {
        match by {
            CompareBy::Time => Self::Time,
            CompareBy::Content => Self::Content,
        }
    }
}
