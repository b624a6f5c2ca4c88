//! Why a template cannot be compiled or rendered.

use crate::model::{Span, Text};
use minijinja::Error;

/// What is wrong with a template, where it stands and which text of it is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// One line.
    pub message: String,
    /// The string of the file that holds the template.
    pub span: Span,
    /// The part of it that is to blame, if that is known.
    pub needle: Option<String>,
}

/// The error of a template that does not compile.
pub(super) fn syntax_error(text: &Text, error: &Error) -> TemplateError {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let needle = error.range().and_then(|range| text.raw.get(range)).map(str::to_owned);
    TemplateError { message: format!("bad template: {what}"), span: text.span, needle }
}

/// The first line of a text, cut if it is long.
pub(super) fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= 80 { line.to_owned() } else { line.chars().take(79).chain(['…']).collect() }
}
