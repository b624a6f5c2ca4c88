//! File formats for results, how a file of results is written, and what happens to tables for them.

use serde::Serialize;

/// A file format for results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// JSON Lines
    Jsonl,
    /// CSV with a header
    Csv,
    /// Parquet
    Parquet,
}

impl OutputFormat {
    /// Its name in a workflow, which is also the file extension.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    /// The format for the extension of a path. An extension for a compression may follow.
    pub fn of_path(path: &str) -> Option<Self> {
        let (name, ending) = name_and_ending(path)?;
        let ending = match OutputCompression::of_ending(&ending) {
            Some(_) => name_and_ending(name)?.1,
            None => ending,
        };
        match ending.as_str() {
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// How a file is compressed as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputCompression {
    /// Not at all.
    #[default]
    None,
    /// gzip
    Gzip,
    /// Zstandard
    Zstd,
}

impl OutputCompression {
    /// The compression for the extension of a path.
    pub fn of_path(path: &str) -> Self {
        name_and_ending(path).and_then(|(_, ending)| Self::of_ending(&ending)).unwrap_or_default()
    }

    /// What it adds to the name of a file.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }

    fn of_ending(ending: &str) -> Option<Self> {
        match ending {
            "gz" | "gzip" => Some(Self::Gzip),
            "zst" | "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// The last part of a path without its extension, and the extension in lower case.
fn name_and_ending(path: &str) -> Option<(&str, String)> {
    let name = path.trim_end_matches('/').rsplit('/').next()?;
    let (name, ending) = name.rsplit_once('.')?;
    Some((name, ending.to_lowercase()))
}

/// How a file of results is written, besides its format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OutputOptions {
    /// `compression`; none for the one that the path names.
    pub compression: Option<OutputCompression>,
    /// The options of CSV.
    pub csv: CsvStyle,
    /// `columns`: the only ones, in this order; none for all.
    pub columns: Option<Vec<String>>,
    /// `drop_null`: whether null results are left out of JSON Lines. Tables never have them.
    pub drop_null: bool,
    /// `on_type_conflict`
    pub on_type_conflict: OnTypeConflict,
    /// `include`: what rows have besides the result.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Include>,
}

/// `include`: a part of a row that is not from the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Include {
    /// The item: its fields, if it is a mapping.
    Item,
    /// Its index.
    Index,
    /// The number of attempts.
    Attempts,
    /// Why it failed; items that failed have rows then.
    Error,
}

/// `on_type_conflict`: what happens to a Parquet column of values that have no type in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTypeConflict {
    /// The step stops.
    #[default]
    Error,
    /// It becomes a column of text.
    Text,
}

/// How CSV is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CsvStyle {
    /// `delimiter`
    pub delimiter: u8,
    /// `quote`
    pub quote: CsvQuote,
    /// `null`: the text for null and for missing keys.
    pub null: String,
    /// `bom`: whether the file begins with a byte order mark.
    pub bom: bool,
}

/// Which fields of CSV are quoted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CsvQuote {
    /// Those that would be read wrongly otherwise.
    #[default]
    Minimal,
    /// All.
    All,
}

impl Default for CsvStyle {
    fn default() -> Self {
        Self { delimiter: b',', quote: CsvQuote::Minimal, null: String::new(), bom: false }
    }
}

/// What happens if the table for the results of a step is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IfExists {
    /// The step is refused.
    #[default]
    Fail,
    /// Rows are added, or updated by their key.
    Append,
    /// A new table takes its place.
    Replace,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_tells_the_format() {
        let of = |path| OutputFormat::of_path(path).map(OutputFormat::as_str);
        assert_eq!(of("out/{{ day }}.ndjson"), Some("jsonl"));
        assert_eq!(of("a.CSV"), Some("csv"));
        assert_eq!(of("a.parquet/"), Some("parquet"));
        assert_eq!([of("a.json"), of("csv"), of("a.csv/b"), of("{{ path }}"), of("-")], [None; 5]);
        assert_eq!([of("a.csv.gz"), of("a.b.CSV.ZST/")], [Some("csv"); 2]);
        assert_eq!([of("a.gz"), of("gz"), of("a.csv.gz.gz")], [None; 3]);
    }

    #[test]
    fn the_ending_tells_the_compression() {
        use OutputCompression::{Gzip, None, Zstd};
        for (path, expected) in [
            ("a.csv", None),
            ("a.csv.gz", Gzip),
            ("out/a.GZ/", Gzip),
            ("a.jsonl.zst", Zstd),
            ("a.zst/b.csv", None),
            ("gz", None),
            ("-", None),
        ] {
            assert_eq!(OutputCompression::of_path(path), expected, "{path}");
        }
    }
}
