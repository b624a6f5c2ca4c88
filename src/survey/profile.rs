//! The profile of one file: what it holds.

use crate::model::{CsvDialect, Kind};
use crate::rows::{Inference, JsonKinds, Occurrences, RowRuns, Styles};
use crate::sniff::Finding;
use crate::sources::{ReadingOptions, RowFile, read_error};
use crate::spec::{Compression, RowFormat};
use encoding_rs::Encoding;
use std::io;
use std::sync::Arc;

/// What a file holds.
#[derive(Debug, Clone)]
pub struct FileProfile {
    /// The path, as it was given.
    pub path: Arc<str>,
    /// Bytes on disk.
    pub bytes: u64,
    /// The format of its rows.
    pub format: RowFormat,
    /// How it is compressed.
    pub compression: CompressionProfile,
    /// How its text is encoded.
    pub text: TextProfile,
    /// How it is written.
    pub dialect: CsvDialect,
    /// Whether the first record is a header.
    pub header: bool,
    /// How it was found to be written, unless the workflow describes it.
    pub finding: Option<Finding>,
    /// Its columns, or the keys of its mappings.
    pub columns: Vec<ColumnProfile>,
    /// Its rows.
    pub runs: RowRuns,
    /// The rows that cannot be read.
    pub bad_rows: BadRows,
    /// Why it cannot be read, or only in part.
    pub error: Option<FileError>,
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy)]
pub struct CompressionProfile {
    /// How it is, never [`Compression::Auto`].
    pub is: Compression,
    /// What its name says, if that is wrong.
    pub named: Option<Compression>,
}

/// How the text of a file is encoded.
#[derive(Debug, Clone, Copy)]
pub struct TextProfile {
    /// The encoding; none if there is no text.
    pub encoding: Option<&'static Encoding>,
    /// Whether it starts with a byte order mark.
    pub mark: bool,
    /// Whether the encoding is a guess.
    pub guessed: bool,
    /// Whether all bytes on disk are ASCII: such text reads the same in most encodings.
    pub is_ascii: bool,
}

/// The rows of a file that cannot be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct BadRows {
    /// Rows whose number of fields is not the number of columns.
    pub ragged: Occurrences,
    /// Rows that are not text in the file's encoding.
    pub undecodable: Occurrences,
    /// Lines that are not JSON.
    pub invalid_json: Occurrences,
}

/// Why a file cannot be read, or only in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// The reason.
    pub message: String,
    /// Whether its compressed data ends too early.
    pub is_truncated: bool,
}

/// A column of a file, or a key of its mappings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnProfile {
    /// Its name.
    pub name: String,
    pub(super) kinds: Kinds,
    /// In which other ways its texts can be written.
    pub(super) styles: Styles,
}

/// The types that the values of a column can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kinds {
    Texts(Inference),
    /// The type of the values, given the format that was found for them.
    Told(Kind),
    Json(JsonKinds),
}

impl ColumnProfile {
    /// Its type, as workflows name it; for JSON also `list`, `mapping`, `null` and `mixed`.
    pub fn kind(&self) -> &'static str {
        match self.kinds {
            Kinds::Texts(inference) => inference.kind().name(),
            Kinds::Told(kind) => kind.name(),
            Kinds::Json(kinds) => kinds.name(),
        }
    }

    /// Whether `types` of a workflow should list it.
    pub fn is_typed(&self) -> bool {
        self.text_kind().is_some_and(|kind| kind != Kind::Text)
    }

    /// Its type, if it is a column of texts.
    pub(super) fn text_kind(&self) -> Option<Kind> {
        match self.kinds {
            Kinds::Texts(inference) => Some(inference.kind()),
            Kinds::Told(kind) => Some(kind),
            Kinds::Json(_) => None,
        }
    }

    /// Takes it for text.
    pub fn forget_type(&mut self) {
        self.kinds = Kinds::Told(Kind::Text);
    }

    /// Takes it for text if it has numbers that are not written in the usual way everywhere.
    pub fn forget_numbers(&mut self) {
        if matches!(self.kinds, Kinds::Told(Kind::Number)) {
            self.forget_type();
        }
    }

    /// Widens the type so that it holds for a column of another file too.
    pub fn widen(&mut self, other: &Self) {
        match (&mut self.kinds, other.kinds) {
            (Kinds::Texts(one), Kinds::Texts(other)) => *one = one.and(other),
            (Kinds::Json(one), Kinds::Json(other)) => *one = one.and(other),
            (Kinds::Told(one), Kinds::Told(other)) if *one == other => {}
            (Kinds::Told(one), _) => *one = Kind::Text,
            _ => {}
        }
        self.styles = self.styles.and(other.styles);
    }
}

impl FileProfile {
    /// The profile of a file that has not been read yet.
    pub(super) fn new(file: &RowFile, options: &ReadingOptions) -> Self {
        Self {
            path: Arc::clone(&file.name),
            bytes: file.size,
            format: options.format.unwrap_or_else(|| file.format_by_extension()),
            compression: CompressionProfile { is: file.found_compression(options.compression), named: None },
            text: TextProfile { encoding: None, mark: false, guessed: false, is_ascii: true },
            dialect: options.dialect.clone().unwrap_or_default(),
            header: false,
            finding: None,
            columns: Vec::new(),
            runs: RowRuns::default(),
            bad_rows: BadRows::default(),
            error: None,
        }
    }

    /// Notes why the file cannot be read to its end.
    pub(super) fn fail(&mut self, error: &io::Error) {
        let is_truncated = error.kind() == io::ErrorKind::UnexpectedEof;
        self.error = Some(FileError { message: read_error(error), is_truncated });
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.runs.rows()
    }
}
