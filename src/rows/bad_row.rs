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
    /// A quote where none is expected.
    #[error("field {field} has a quote inside that is not doubled; to take it as text, set `stray_quotes: literal`")]
    StrayQuote {
        /// The number of the field, from 1.
        field: usize,
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

/// What a record begins with that stands for one with a stray quote. No text in UTF-8 begins like this.
const STRAY_QUOTE: &[u8] = b"\xFF\xFFstray quote ";

/// Writes what stands for a record with a stray quote in this field.
pub(super) fn write_stray_quote(field: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(STRAY_QUOTE);
    out.extend_from_slice(field.to_string().as_bytes());
}

/// The field with the stray quote, if that is what the record stands for.
pub(super) fn read_stray_quote(record: &[u8]) -> Option<BadRow> {
    let field = std::str::from_utf8(record.strip_prefix(STRAY_QUOTE)?).ok()?;
    Some(BadRow::StrayQuote { field: field.parse().ok()? })
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
