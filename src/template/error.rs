//! Why a template cannot be compiled or rendered.

use crate::model::{Span, Text};
use minijinja::Error;

/// What is wrong with a template and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What kind of error it is. Code decides by this, never by the message.
    pub kind: TemplateErrorKind,
    /// What is wrong: one line, lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The string of the workflow file that holds the template.
    pub span: Span,
    /// The part of that string that is wrong, if it is known.
    pub needle: Option<String>,
}

/// The kinds of template errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateErrorKind {
    /// The template is not valid Jinja.
    Syntax,
    /// It uses a name that is not defined.
    UndefinedName,
    /// It uses an environment variable that is not set.
    UnsetVariable,
    /// It uses a filter that does not exist.
    UnknownFilter,
    /// Rendering failed.
    Render,
    /// A value cannot be quoted where it is used in a shell command.
    Shell,
    /// A file that belongs to the task cannot be read.
    File,
}

impl TemplateError {
    /// An error in the string at `span`.
    pub fn new(kind: TemplateErrorKind, span: Span, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None, span, needle: None }
    }

    /// Says what to do about it.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Names the part of the string that is wrong.
    pub(super) fn needle(self, needle: Option<String>) -> Self {
        Self { needle, ..self }
    }
}

/// The error of a template that does not compile.
pub(super) fn syntax_error(text: &Text, error: &Error) -> TemplateError {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let needle = error.range().and_then(|range| text.raw.get(range)).map(str::to_owned);
    TemplateError::new(TemplateErrorKind::Syntax, text.span, format!("invalid template: {what}")).needle(needle)
}

/// The first line of a text, truncated if it is long.
pub(super) fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= 80 { line.to_owned() } else { line.chars().take(79).chain(['…']).collect() }
}
