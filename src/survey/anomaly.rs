//! What can make a file stand out, and its text for people.

use serde::Serialize;
use std::fmt;

/// Something that makes a file stand out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Anomaly {
    /// Nothing is in it.
    Empty,
    /// It has a header, and no rows.
    HeaderOnly,
    /// Rows have another number of fields than the header.
    Ragged {
        /// So many.
        rows: u64,
        /// The first of them.
        line: u64,
    },
    /// Rows are no text of the encoding.
    Undecodable {
        /// So many.
        rows: u64,
        /// The first of them.
        line: u64,
        /// The encoding.
        encoding: &'static str,
    },
    /// Lines are no JSON.
    NoJson {
        /// So many.
        rows: u64,
        /// The first of them.
        line: u64,
    },
    /// JSON Lines among CSV files, or the other way round.
    OtherFormat,
    /// Another encoding than most have.
    OtherEncoding {
        /// Its own.
        encoding: &'static str,
        /// That of most.
        most: &'static str,
    },
    /// Another delimiter than most have.
    OtherDelimiter {
        /// Its own.
        delimiter: char,
        /// That of most.
        most: char,
    },
    /// It has no header, and most have one; or the other way round.
    OtherHeader {
        /// Whether it has one.
        header: bool,
    },
    /// Other columns than most have.
    OtherColumns {
        /// Those of most that it lacks.
        lacks: Vec<String>,
        /// Those that it has besides.
        more: Vec<String>,
    },
    /// The columns of most, in another order.
    OtherOrder,
    /// Its compressed data ends too early.
    CutShort,
    /// It cannot be read, or not to its end.
    Unreadable {
        /// Why.
        why: String,
    },
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty"),
            Self::HeaderOnly => f.write_str("header only, no rows"),
            Self::Ragged { rows, line } => places(f, *rows, *line, "with another number of fields"),
            Self::Undecodable { rows, line, encoding } => {
                places(f, *rows, *line, &format!("that cannot be read as {encoding}"))
            }
            Self::NoJson { rows: 1, line } => write!(f, "1 line that is no JSON, line {line}"),
            Self::NoJson { rows, line } => write!(f, "{rows} lines that are no JSON, the first is line {line}"),
            Self::OtherFormat => f.write_str("another format than the others"),
            Self::OtherEncoding { encoding, most } => write!(f, "encoding {encoding}, the others are {most}"),
            Self::OtherDelimiter { delimiter, most } => {
                write!(f, "delimiter {}, the others have {}", delimiter_name(*delimiter), delimiter_name(*most))
            }
            Self::OtherHeader { header: true } => f.write_str("a header, the others have none"),
            Self::OtherHeader { header: false } => f.write_str("no header, the others have one"),
            Self::OtherColumns { lacks, more } => {
                let (lacks, more) = (quoted(lacks), quoted(more));
                match (lacks.is_empty(), more.is_empty()) {
                    (false, true) => write!(f, "lacks {lacks}"),
                    (true, _) => write!(f, "has {more} too"),
                    (false, false) => write!(f, "lacks {lacks} and has {more}"),
                }
            }
            Self::OtherOrder => f.write_str("columns in another order"),
            Self::CutShort => f.write_str("cut short: the compressed data ends too early"),
            Self::Unreadable { why } => write!(f, "cannot be read: {why}"),
        }
    }
}

/// A delimiter as people read it.
pub fn delimiter_name(delimiter: char) -> String {
    if delimiter == '\t' { "tab".to_owned() } else { format!("`{delimiter}`") }
}

fn places(f: &mut fmt::Formatter<'_>, rows: u64, line: u64, what: &str) -> fmt::Result {
    match rows {
        1 => write!(f, "1 row {what}, at line {line}"),
        _ => write!(f, "{rows} rows {what}, the first at line {line}"),
    }
}

/// Some names; of many, the first.
fn quoted(names: &[String]) -> String {
    const MOST: usize = 5;
    let mut text = names.iter().take(MOST).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text.push_str(&format!(" and {} more", names.len() - MOST));
    }
    text
}
