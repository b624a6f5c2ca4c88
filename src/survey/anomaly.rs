//! What can make a file stand out, and its text for people.

use crate::model::Delimiter;
use serde::{Serialize, Serializer};
use std::fmt;

/// Something that makes a file stand out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Anomaly {
    /// It is empty.
    Empty,
    /// It has a header but no rows.
    HeaderOnly,
    /// Rows have a different number of fields from the header.
    Ragged {
        /// How many rows.
        rows: u64,
        /// The line of the first one.
        line: u64,
    },
    /// Quotes are in the middle of fields, or are never closed.
    StrayQuote {
        /// The line of the first one.
        line: u64,
    },
    /// Rows are not text in the file's encoding.
    Undecodable {
        /// How many rows.
        rows: u64,
        /// The line of the first one.
        line: u64,
        /// The encoding.
        encoding: &'static str,
    },
    /// Lines are not JSON.
    NoJson {
        /// How many rows.
        rows: u64,
        /// The line of the first one.
        line: u64,
    },
    /// JSON Lines among CSV files, or the other way round.
    OtherFormat,
    /// Its encoding differs from that of most files.
    OtherEncoding {
        /// That of the file.
        encoding: &'static str,
        /// That of most files.
        most: &'static str,
    },
    /// Its delimiter differs from that of most files.
    OtherDelimiter {
        /// That of the file.
        #[serde(serialize_with = "as_text")]
        delimiter: Delimiter,
        /// That of most files.
        #[serde(serialize_with = "as_text")]
        most: Delimiter,
    },
    /// It has no header but most files have one, or the other way round.
    OtherHeader {
        /// Whether it has one.
        header: bool,
    },
    /// Its columns differ from those of most files.
    OtherColumns {
        /// Columns of most files that it lacks.
        lacks: Vec<String>,
        /// Columns that it adds.
        more: Vec<String>,
    },
    /// It has the columns of most files in a different order.
    OtherOrder,
    /// Its name says something else of its compression than its content.
    WrongEnding {
        /// What its name says.
        named: &'static str,
        /// What it is.
        is: &'static str,
    },
    /// Its compressed data is truncated.
    CutShort,
    /// It cannot be read, or only in part.
    Unreadable {
        /// Why.
        why: String,
    },
}

impl Anomaly {
    /// The first line with it, if it is about lines.
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::Ragged { line, .. }
            | Self::StrayQuote { line }
            | Self::Undecodable { line, .. }
            | Self::NoJson { line, .. } => Some(*line),
            _ => None,
        }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty"),
            Self::HeaderOnly => f.write_str("only a header, no rows"),
            Self::Ragged { rows: 1, line } => write!(f, "1 row has the wrong number of fields (line {line})"),
            Self::Ragged { rows, line } => {
                write!(f, "{rows} rows have the wrong number of fields (first at line {line})")
            }
            Self::StrayQuote { line } => {
                write!(f, "a quote is in the middle of a field, or is not closed (line {line})")
            }
            Self::Undecodable { rows: 1, line, encoding } => write!(f, "1 row is not valid {encoding} (line {line})"),
            Self::Undecodable { rows, line, encoding } => {
                write!(f, "{rows} rows are not valid {encoding} (first at line {line})")
            }
            Self::NoJson { rows: 1, line } => write!(f, "1 line is not valid JSON (line {line})"),
            Self::NoJson { rows, line } => write!(f, "{rows} lines are not valid JSON (first at line {line})"),
            Self::OtherFormat => f.write_str("different format from most files"),
            Self::OtherEncoding { encoding, most } => write!(f, "encoding is {encoding}, most files use {most}"),
            Self::OtherDelimiter { delimiter, most } => {
                let (delimiter, most) = (delimiter_name(delimiter), delimiter_name(most));
                write!(f, "delimiter is {delimiter}, most files use {most}")
            }
            Self::OtherHeader { header: true } => f.write_str("has a header, most files have none"),
            Self::OtherHeader { header: false } => f.write_str("no header, most files have one"),
            Self::OtherColumns { lacks, more } => {
                let (lacks, more) = (quoted(lacks), quoted(more));
                match (lacks.is_empty(), more.is_empty()) {
                    (false, true) => write!(f, "lacks {lacks}"),
                    (true, _) => write!(f, "adds {more}"),
                    (false, false) => write!(f, "lacks {lacks} and adds {more}"),
                }
            }
            Self::OtherOrder => f.write_str("columns in a different order"),
            Self::WrongEnding { named: "none", is } => write!(f, "compressed with {is}, which its name does not say"),
            Self::WrongEnding { named, is: "none" } => write!(f, "not compressed, but named like a file of {named}"),
            Self::WrongEnding { named, is } => write!(f, "compressed with {is}, but named like a file of {named}"),
            Self::CutShort => f.write_str("the compressed data is truncated"),
            Self::Unreadable { why } => write!(f, "cannot be read: {why}"),
        }
    }
}

/// A delimiter as text for people.
pub fn delimiter_name(delimiter: &Delimiter) -> String {
    match delimiter {
        Delimiter::Byte(b'\t') => "tab".to_owned(),
        Delimiter::Byte(byte) => format!("`{}`", char::from(*byte)),
        Delimiter::Text(text) => format!("`{text}`"),
        Delimiter::Whitespace => "whitespace".to_owned(),
    }
}

fn as_text<S: Serializer>(delimiter: &Delimiter, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(delimiter.text()))
}

/// Names in backticks, the first of them if there are many.
fn quoted(names: &[String]) -> String {
    const MOST: usize = 5;
    let mut text = names.iter().take(MOST).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text.push_str(&format!(" and {} more", names.len() - MOST));
    }
    text
}
