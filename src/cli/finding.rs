//! What is wrong with a file, for programs: places as numbers, texts one by one.

use crate::compile::Warning;
use crate::spec::{Diagnostic, Diagnostics, SourceFile};
use serde::Serialize;

/// One thing that is wrong.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The file, as the user named it.
    pub file: String,
    /// Where in the file; nowhere if it is about the whole file.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// A few words about the place.
    pub label: Option<String>,
    /// The path of keys to the place.
    pub path: Option<String>,
    /// Causes, and other places that are involved.
    pub notes: Vec<Note>,
    /// What to do about it.
    pub help: Option<String>,
}

/// A cause, or another place that is involved.
#[derive(Debug, Clone, Serialize)]
pub struct Note {
    /// Where in the file.
    #[serde(flatten)]
    pub place: Place,
    /// What is there.
    pub message: String,
}

/// A range in a file. Lines and columns start at 1, columns count characters, and the end is behind the last one.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Place {
    /// The line.
    pub line: Option<u64>,
    /// The column.
    pub column: Option<u64>,
    /// The line of the end.
    pub end_line: Option<u64>,
    /// The column of the end.
    pub end_column: Option<u64>,
}

impl Finding {
    /// A finding without a place.
    pub fn of_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            place: Place::default(),
            message: message.into(),
            label: None,
            path: None,
            notes: Vec::new(),
            help: None,
        }
    }

    /// A warning.
    pub fn warning(warning: &Warning) -> Self {
        let place = Place { line: Some(warning.line as u64), ..Place::default() };
        Self { place, help: warning.help.clone(), ..Self::of_file(warning.file.clone(), warning.message.clone()) }
    }

    /// All errors of a workflow file.
    pub fn all(diagnostics: &Diagnostics) -> Vec<Self> {
        diagnostics.errors().iter().map(|error| Self::of(diagnostics.source(), error)).collect()
    }

    fn of(source: &SourceFile, error: &Diagnostic) -> Self {
        let place = |span: crate::model::Span| {
            let ((line, column), (end_line, end_column)) =
                (source.line_column(span.start), source.line_column(span.end));
            let number = |number: usize| Some(number as u64);
            Place {
                line: number(line),
                column: number(column),
                end_line: number(end_line),
                end_column: number(end_column),
            }
        };
        let notes = error.others.iter().map(|(span, text)| Note { place: place(*span), message: text.clone() });
        Self {
            place: error.span.map(place).unwrap_or_default(),
            label: error.label.as_deref().map(str::to_owned),
            path: error.context.as_deref().map(str::to_owned),
            notes: notes.collect(),
            help: error.help.as_deref().map(str::to_owned),
            ..Self::of_file(source.path.display().to_string(), error.message.clone())
        }
    }
}
