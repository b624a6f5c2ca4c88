//! Paths with wildcards. Only characters of the workflow file are wildcards; in a value that is inserted, `[` is part of
//! a name.

use minijinja::value::Value;
use minijinja::{Error, ErrorKind, Output, State};
use std::fmt::Write;

/// Begins and ends a value in what a template gives.
const BEGIN: char = '\u{1}';
const END: char = '\u{2}';

/// A path that may have wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    /// The path as it is written, with the values that were put into it.
    pub path: String,
    /// The same as a pattern: values stand for themselves.
    pub pattern: String,
    /// Whether it has wildcards; otherwise it names one file.
    pub has_wildcards: bool,
}

impl PathPattern {
    /// A text that is a pattern as a whole.
    pub fn new(text: &str) -> Self {
        Self { path: text.to_owned(), pattern: text.to_owned(), has_wildcards: has_wildcards(text) }
    }

    /// A value that names one file.
    pub(super) fn of_name(name: &str) -> Self {
        Self { path: name.to_owned(), pattern: escaped(name), has_wildcards: false }
    }

    /// What a template gave in which [`write_marked`] has marked the values.
    pub(super) fn of_marked(marked: &str) -> Self {
        let (mut own, mut path, mut pattern, mut depth) = (String::new(), String::new(), String::new(), 0_u32);
        for part in marked.split_inclusive([BEGIN, END]) {
            let text = part.strip_suffix([BEGIN, END]).unwrap_or(part);
            path.push_str(text);
            if depth > 0 {
                pattern.push_str(&escaped(text));
            } else {
                own.push_str(text);
                pattern.push_str(text);
            }
            match part.chars().next_back() {
                Some(BEGIN) => depth += 1,
                Some(END) => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        Self { path, pattern, has_wildcards: has_wildcards(&own) }
    }
}

/// Writes a value between two marks.
pub(super) fn write_marked(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.as_str().is_some_and(|text| text.contains(['\0', BEGIN, END])) {
        return Err(Error::new(ErrorKind::InvalidOperation, "a path cannot have control characters"));
    }
    out.write_char(BEGIN).map_err(Error::from)?;
    minijinja::escape_formatter(out, state, value)?;
    out.write_char(END).map_err(Error::from)
}

fn has_wildcards(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut pattern, char| {
        match char {
            '*' | '?' | '[' => pattern.extend(['[', char, ']']),
            other => pattern.push(other),
        }
        pattern
    })
}
