//! Why a record cannot be read.

use crate::model::{Column, Failure, FailureKind, Items, Kind, Origin};

/// Why a record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRow {
    /// The number of fields differs from that of the header.
    #[error("expected {expected} fields, found {found}")]
    Fields {
        /// In the header.
        expected: usize,
        /// In the record.
        found: usize,
    },
    /// Bytes that are not text.
    #[error("column `{column}` has bytes that are invalid in the file's encoding; set `encoding`")]
    NotText {
        /// The column.
        column: String,
    },
    /// A text that is not of the column's type.
    #[error("column `{column}`: \"{text}\" is not a valid {}", .kind.name())]
    Kind {
        /// The column.
        column: String,
        /// The text, or its beginning.
        text: String,
        /// The type.
        kind: Kind,
    },
    /// A text of the column's type that a data frame cannot hold.
    #[error("column `{column}`: \"{text}\" {why}")]
    Unfit {
        /// The column.
        column: String,
        /// The text, or its beginning.
        text: String,
        /// Why it cannot.
        why: &'static str,
    },
    /// A line that is not JSON.
    #[error("invalid JSON: {0}")]
    Json(String),
}

impl BadRow {
    /// A text that is not of the column's type.
    pub fn of_kind(column: &Column, text: &str) -> Self {
        Self::Kind { column: column.name.clone(), text: text.chars().take(40).collect(), kind: column.kind }
    }

    /// The failure of the row at `position` of a batch whose items begin at `from` in `items`.
    pub fn into_failure(self, origin: Option<&Origin>, items: &Items, from: usize, position: usize) -> Failure {
        let line = |origin: &Origin| format!("{}:{}: ", origin.file, origin.line(items, from, position));
        let place = origin.map_or(String::new(), line);
        Failure::new(FailureKind::BadRow, "BadRow", format!("{place}{self}"))
    }
}
