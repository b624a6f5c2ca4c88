//! Placeholders: what stands in a command for a value until the place for it is known.

use super::error::ShellError;
use crate::template::check::filter_names;
use crate::template::environment::COMMENT;
use crate::template::filters::Raw;
use minijinja::value::Value;
use minijinja::{Error, ErrorKind, Output, State};

/// Values captured while a command is rendered.
#[derive(Debug, Default)]
pub(super) struct Captured(pub(super) Vec<String>);

/// Stands on both sides of the number of a value that was captured.
pub(super) const PLACEHOLDER: char = '\0';

/// The formatter of the shell environment: puts a marker where the value belongs.
pub(super) fn capture(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    if let Some(raw) = value.downcast_object_ref::<Raw>() {
        return out.write_str(&raw.0).map_err(write_failed);
    }
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let captured = &mut state.get_or_insert_extension_with(Captured::default).0;
    // A block that was captured into a variable holds markers of its own: it becomes one value.
    let text = if text.contains(PLACEHOLDER) { fill(&text, captured).ok_or_else(nul)? } else { text };
    captured.push(text);
    let number = captured.len() - 1;
    out.write_fmt(format_args!("{PLACEHOLDER}{number}{PLACEHOLDER}")).map_err(write_failed)
}

fn write_failed(error: std::fmt::Error) -> Error {
    Error::new(ErrorKind::WriteFailure, "cannot write").with_source(error)
}

fn nul() -> Error {
    Error::new(ErrorKind::InvalidOperation, ShellError::Nul.to_string())
}

/// `text` with each marker replaced by its value; none if it holds a NUL that is no marker.
fn fill(text: &str, captured: &[String]) -> Option<String> {
    let mut filled = String::new();
    for (position, part) in text.split(PLACEHOLDER).enumerate() {
        filled.push_str(if position % 2 == 0 { part } else { captured.get(part.parse::<usize>().ok()?)? });
    }
    text.matches(PLACEHOLDER).count().is_multiple_of(2).then_some(filled)
}

/// The variable that carries a value.
pub(super) fn variable(number: usize) -> String {
    format!("BATCHMILL_V{number}")
}

/// The command with every `{{ .. }}` as the marker of value 0, to find bad places before the run; none where statements
/// make the text unknowable.
pub(super) fn with_placeholders(raw: &str) -> Option<String> {
    if raw.contains("{%") || raw.contains(COMMENT) || raw.contains(PLACEHOLDER) {
        return None;
    }
    let mut command = String::new();
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once("{{") {
        let (expression, behind) = after.split_once("}}")?;
        command.push_str(before);
        if !is_raw(&format!("{{{{{expression}}}}}")) {
            command.push_str("\u{0}0\u{0}");
        }
        rest = behind;
    }
    command.push_str(rest);
    Some(command)
}

/// Whether the substitution that `text` begins with asks for the shell's reading.
pub(super) fn is_raw(text: &str) -> bool {
    let end = text.find("}}").map_or(text.len(), |end| end + 2);
    filter_names(&text[..end]).contains(&"raw")
}
