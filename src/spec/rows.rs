//! Rows of files: which files, and how they are read.

use super::setting::Setting;
use crate::model::{Kind, Text};
use std::num::NonZeroUsize;

/// Rows of files. One field for each key of the file, so it has more than a dozen.
#[derive(Debug, Clone)]
// More than 12 fields: one for each key of `{csv:}` and the like.
pub struct RowsSpec {
    /// What the files are.
    pub format: RowFormat,
    /// Paths and patterns. Never empty.
    pub paths: Vec<Text>,
    /// `columns`: those to keep, in this order; all where it is not given.
    pub columns: Option<Vec<Text>>,
    /// `types`
    pub types: Types,
    /// `delimiter`
    pub delimiter: u8,
    /// `quote`; none where fields are not quoted.
    pub quote: Option<u8>,
    /// `header`
    pub header: Header,
    /// `encoding`
    pub encoding: &'static encoding_rs::Encoding,
    /// `null`: texts that stand for nothing.
    pub null: Vec<String>,
    /// `compression`
    pub compression: Compression,
    /// `where_from`: a column for the path of the file.
    pub where_from: Option<String>,
    /// `limit`: the most rows.
    pub limit: Option<Setting<NonZeroUsize>>,
    /// `skip`: rows that are passed over first.
    pub skip: Option<Setting<i64>>,
    /// `on_bad_row`
    pub on_bad_row: OnBadRow,
    /// `on_schema_drift`
    pub on_schema_drift: OnSchemaDrift,
}

/// What files of rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// CSV.
    Csv,
    /// JSON Lines.
    JsonLines,
    /// Parquet.
    Parquet,
}

/// `types`: what the texts of columns are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Types {
    /// Text, as they are.
    AsTheyAre,
    /// `infer`: as the first rows suggest.
    Infer,
    /// By name; all others are text.
    Named(Vec<(String, Kind)>),
}

/// `header`: where the names of columns come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// The first record.
    First,
    /// Nowhere: `column_1` and so on.
    Missing,
    /// The workflow; the first record is a row.
    Named(Vec<String>),
}

/// `compression` of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As its name ends: `.gz`, `.zst`.
    ByName,
    /// None.
    Plain,
    /// gzip
    Gzip,
    /// Zstandard
    Zstd,
}

/// `on_bad_row`: what becomes of rows that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBadRow {
    /// Each is a failed item.
    Fail,
    /// They are left out, told and counted.
    Skip,
    /// The first one stops the step.
    Error,
}

/// `on_schema_drift`: what to do where files have other columns than the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSchemaDrift {
    /// Stop before anything runs.
    Error,
    /// Rows have the columns of their file.
    Group,
    /// Rows have the columns of all files; what theirs lacks is null.
    Union,
}
