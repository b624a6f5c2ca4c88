//! Diagnostics: what is wrong with a workflow file, where, and what to do about it.
//!
//! Owns their form. Others decide what is an error: the parser in this module, and outside it whatever else checks a workflow
//! before a run. Code tells diagnostics apart by their kind, never by their text.

use super::source_file::SourceFile;
use crate::model::Span;
use crate::text::Secrets;
use std::fmt;

/// One thing that is wrong with a workflow file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of error it is.
    pub kind: DiagnosticKind,
    /// What is wrong: lower case, no full stop, names in backticks.
    pub message: String,
    /// The text to underline; `None` for an error of the whole file.
    pub span: Option<Span>,
    /// A few words next to the underline.
    pub label: Option<Box<str>>,
    /// Other places that are involved, each with a few words.
    pub others: Vec<(Span, String)>,
    /// The path of keys to the place, for example `steps.resize.max_parallel`.
    pub context: Option<Box<str>>,
    /// What to do about it.
    pub help: Option<Box<str>>,
}

/// The kinds of diagnostics that code has to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DiagnosticKind {
    /// The workflow is wrong.
    #[default]
    Invalid,
    /// The workflow is fine, but a required parameter has no value.
    MissingParam,
    /// A key is none that is known there. It may be meant as this one.
    UnknownKey(Option<&'static str>),
}

impl Diagnostic {
    /// An error at a place in the file.
    pub fn at(span: Span, message: impl Into<String>) -> Self {
        Self { span: Some(span), ..Self::of_file(message) }
    }

    /// An error of the whole file.
    pub fn of_file(message: impl Into<String>) -> Self {
        Self {
            kind: DiagnosticKind::Invalid,
            message: message.into(),
            span: None,
            label: None,
            others: Vec::new(),
            context: None,
            help: None,
        }
    }

    /// Sets the kind.
    pub fn kind(self, kind: DiagnosticKind) -> Self {
        Self { kind, ..self }
    }

    /// Puts a few words next to the underline.
    pub fn label(self, label: impl Into<Box<str>>) -> Self {
        Self { label: Some(label.into()), ..self }
    }

    /// Points at another place that is involved.
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.others.push((span, label.into()));
        self
    }

    /// Sets the path of keys to the place.
    pub fn within(self, context: impl Into<Box<str>>) -> Self {
        Self { context: Some(context.into()), ..self }
    }

    /// Says what to do about it.
    pub fn help(self, help: impl Into<Box<str>>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// The errors found so far.
#[derive(Debug, Default)]
pub(super) struct ErrorList(Vec<Diagnostic>);

impl ErrorList {
    pub fn push(&mut self, error: Diagnostic) {
        self.0.push(error);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn first(&self) -> Option<&Diagnostic> {
        self.0.first()
    }

    /// Those from the one at `start` on.
    pub fn since(&self, start: usize) -> &[Diagnostic] {
        &self.0[start..]
    }

    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.0
    }
}

/// All errors of one file, in the order of the text. There is at least one.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    source: SourceFile,
    errors: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The errors of `source`; `None` if there are none.
    pub fn new(source: SourceFile, mut errors: Vec<Diagnostic>) -> Option<Self> {
        errors.sort_by_key(|error| error.span.map_or((usize::MAX, 0), |span| (span.start, span.end)));
        errors.dedup();
        (!errors.is_empty()).then_some(Self { source, errors })
    }

    /// A single error.
    pub fn one(source: SourceFile, error: Diagnostic) -> Self {
        Self { source, errors: vec![error] }
    }

    /// The same without secrets, neither in what is said nor in the lines that are quoted.
    pub fn masked(mut self, secrets: &Secrets) -> Self {
        self.source.text = secrets.starred(&self.source.text);
        for error in &mut self.errors {
            secrets.mask(&mut error.message);
            error.others.iter_mut().for_each(|(_, label)| secrets.mask(label));
            for text in [&mut error.label, &mut error.help].into_iter().flatten() {
                *text = secrets.masked(std::mem::take(text).into()).into();
            }
        }
        self
    }

    /// The file.
    pub fn source(&self) -> &SourceFile {
        &self.source
    }

    /// The errors, in the order of the text.
    pub fn errors(&self) -> &[Diagnostic] {
        &self.errors
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.errors.first().expect("there is at least one error");
        write!(f, "{}", self.source.path.display())?;
        if let Some(span) = first.span {
            let (line, column) = self.source.line_column(span.start);
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", first.message)?;
        match self.errors.len() - 1 {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_in_the_order_of_the_text() {
        let list =
            vec![Diagnostic::of_file("c"), Diagnostic::at(Span::new(4, 5), "b"), Diagnostic::at(Span::new(1, 2), "a")];
        let errors =
            Diagnostics::new(SourceFile { path: "nightly.yaml".into(), text: "one two".to_owned() }, list).unwrap();
        let messages: Vec<_> = errors.errors().iter().map(|error| error.message.as_str()).collect();
        assert_eq!(messages, ["a", "b", "c"]);
        assert_eq!(errors.to_string(), "nightly.yaml:1:2: a (and 2 more)");
    }
}
