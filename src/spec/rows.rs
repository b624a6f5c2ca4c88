//! Rows of files: which files, and how they are read.

use super::output_file::OutputFile;
use super::setting::Setting;
use crate::model::{CsvDialect, Kind, Text, ValueFormat};
use std::num::NonZeroUsize;

/// Rows of files. One field for each key of the file, so it has more than a dozen.
#[derive(Debug, Clone)]
// More than 12 fields: one for each key of `{csv:}` and the like.
pub struct RowsSpec {
    /// The format of the files.
    pub format: RowFormat,
    /// Paths and patterns. Never empty.
    pub paths: Vec<Text>,
    /// `columns`: the columns to keep, in this order. `None` keeps all.
    pub columns: Option<Vec<Text>>,
    /// `types`
    pub types: Types,
    /// `delimiter`, `quote` and all other keys that say how a file is written.
    pub dialect: CsvDialect,
    /// `dialect`: who says how a file is written.
    pub dialect_from: DialectFrom,
    /// `header`
    pub header: Header,
    /// `names`
    pub names: Names,
    /// `encoding`
    pub encoding: &'static encoding_rs::Encoding,
    /// `null`: strings that mean null.
    pub null: Vec<String>,
    /// `decimal`, `thousands`, `true_values`, `false_values`
    pub values: ValueFormat,
    /// `dates`: columns with dates, and their `strftime` formats.
    pub dates: Vec<(String, DateFormat)>,
    /// `compression`
    pub compression: Compression,
    /// `where_from`: a column for the path of the file.
    pub where_from: Option<String>,
    /// `partitions`: whether `name=value` in paths are columns.
    pub partitions: bool,
    /// `limit`: the maximum number of rows.
    pub limit: Option<Setting<NonZeroUsize>>,
    /// `skip`: the number of rows to skip.
    pub skip: Option<Setting<i64>>,
    /// `on_bad_row`
    pub on_bad_row: OnBadRow,
    /// `save` of `on_bad_row`: the file for the rows.
    pub save_bad_rows: Option<OutputFile>,
    /// `on_schema_drift`
    pub on_schema_drift: OnSchemaDrift,
}

/// The formats of row files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// CSV.
    Csv,
    /// JSON Lines.
    JsonLines,
    /// Parquet.
    Parquet,
}

/// `types`: the types of columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Types {
    /// All columns are text.
    AsTheyAre,
    /// `infer`: types that fit the first rows.
    Infer,
    /// The types of some columns. All others are text.
    Named(Vec<(String, Kind)>),
}

/// `header`: where column names come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// The first record.
    First,
    /// There are none: `column_1` and so on.
    Missing,
    /// The workflow. The first record is a row.
    Named(Vec<String>),
}

/// `dialect`: who says how a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialectFrom {
    /// The workflow.
    Workflow,
    /// The beginning of each file.
    File {
        /// Whether it tells the encoding too.
        encoding: bool,
    },
}

/// How the dates of a column are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateFormat {
    /// The format of `strftime`.
    pub format: String,
    /// Whether they have a time of day.
    pub kind: Kind,
}

/// `names`: what to do with empty and repeated names of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Name such columns by their position, or number them.
    Repair,
    /// Refuse the file.
    Error,
}

/// `compression` of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// By the first bytes of the file.
    Auto,
    /// None.
    Plain,
    /// gzip
    Gzip,
    /// Zstandard
    Zstd,
    /// bzip2
    Bzip2,
    /// xz
    Xz,
}

impl Compression {
    /// Its name in a workflow.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Plain => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        }
    }
}

/// `on_bad_row`: what to do with rows that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBadRow {
    /// Each becomes a failed item.
    Fail,
    /// Skip them, with a warning and a count.
    Skip,
    /// Skip them, and write them to a file.
    Save,
    /// Stop the step at the first one.
    Error,
}

impl OnBadRow {
    /// Whether the step goes on without them.
    pub fn skips(self) -> bool {
        matches!(self, Self::Skip | Self::Save)
    }
}

/// `on_schema_drift`: what to do if a file has other columns than the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSchemaDrift {
    /// Stop before anything runs.
    Error,
    /// Each row has the columns of its file.
    Group,
    /// Each row has the columns of all files. Those its file lacks are null.
    Union,
}
