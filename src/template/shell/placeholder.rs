//! Placeholders: they mark where a value belongs in a command until its quoting is known.

use super::error::ShellError;
use crate::template::check::filter_names;
use crate::template::filters::Raw;
use crate::template::text::text_of;
use crate::template::tokens::COMMENT;
use minijinja::value::Value;
use minijinja::{Error, ErrorKind, Output, State};

/// The values captured while a command is rendered.
#[derive(Debug, Clone, Default)]
pub(super) struct Captured(pub(super) Vec<String>);

/// Encloses the number of a captured value.
pub(super) const PLACEHOLDER: char = '\0';

/// The formatter for shell commands: captures the value and writes a placeholder.
pub(super) fn capture(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    if let Some(raw) = value.downcast_object_ref::<Raw>() {
        return out.write_str(&raw.0).map_err(write_failed);
    }
    let text = text_of(value).map_err(|message| Error::new(ErrorKind::InvalidOperation, message))?.into_owned();
    let captured = &mut state.get_or_insert_extension_with(Captured::default).0;
    // A block assigned to a variable contains placeholders. It becomes one value.
    let text = if text.contains(PLACEHOLDER) { fill(&text, captured).ok_or_else(nul)? } else { text };
    captured.push(text);
    let number = captured.len() - 1;
    out.write_fmt(format_args!("{PLACEHOLDER}{number}{PLACEHOLDER}")).map_err(write_failed)
}

fn write_failed(error: std::fmt::Error) -> Error {
    Error::new(ErrorKind::WriteFailure, "cannot write the command").with_source(error)
}

fn nul() -> Error {
    Error::new(ErrorKind::InvalidOperation, ShellError::Nul.to_string())
}

/// Replaces each placeholder by its value; `None` if there is a NUL byte that is not part of one.
fn fill(text: &str, captured: &[String]) -> Option<String> {
    let mut filled = String::new();
    for (position, part) in text.split(PLACEHOLDER).enumerate() {
        filled.push_str(if position % 2 == 0 { part } else { captured.get(part.parse::<usize>().ok()?)? });
    }
    text.matches(PLACEHOLDER).count().is_multiple_of(2).then_some(filled)
}

/// The name of the variable that carries a value.
pub(super) fn variable(number: usize) -> String {
    format!("BATCHMILL_V{number}")
}

/// Replaces every `{{ .. }}` by the placeholder of value 0, so that a command can be checked before the run. `None` if the
/// command contains statements, because its text is not known then.
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

/// A command in which a mark takes the place of each `{{ .. }}`, and nothing the place of statements and comments.
pub(super) fn with_marks(raw: &str) -> String {
    let mut marked = String::new();
    let mut rest = raw;
    while let Some(at) = rest.find("{{").into_iter().chain(rest.find("{%")).chain(rest.find(COMMENT)).min() {
        marked.push_str(&rest[..at]);
        rest = &rest[at..];
        let close = if rest.starts_with("{{") {
            marked.push_str(mark(rest));
            "}}"
        } else if rest.starts_with("{%") {
            "%}"
        } else {
            "##}"
        };
        let end = rest.find(close).map_or(rest.len(), |end| end + close.len());
        rest = &rest[end..];
    }
    marked + rest
}

/// What marks the substitution that starts here.
fn mark(text: &str) -> &'static str {
    let end = text.find("}}").map_or(text.len(), |end| end + 2);
    let filters = filter_names(&text[..end]);
    if filters.contains(&"raw") {
        ""
    } else if filters.last() == Some(&"quote") {
        "\u{1}"
    } else {
        "\u{0}"
    }
}

/// Whether `text` starts with a substitution that has the `raw` filter.
pub(super) fn is_raw(text: &str) -> bool {
    mark(text).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_place_of_their_placeholders_and_of_nothing_else() {
        let captured = ["x".to_owned(), "y".to_owned()];
        for (text, filled) in [
            ("a\u{0}0\u{0}b", Some("axb")),
            ("\u{0}1\u{0}\u{0}0\u{0}", Some("yx")),
            ("0", Some("0")),
            ("a\u{0}0", None),
            ("a\u{0}b\u{0}", None),
            ("a\u{0}2\u{0}", None),
        ] {
            assert_eq!(fill(text, &captured).as_deref(), filled, "{text:?}");
        }
    }

    #[test]
    fn a_command_is_known_before_the_run_if_it_has_no_statements() {
        for (raw, command) in [
            ("echo", Some("echo")),
            ("echo {{ a }}-{{ b | raw }}{{ c }} d", Some("echo \u{0}0\u{0}-\u{0}0\u{0} d")),
            ("echo {% if a %}b{% endif %}", None),
            (&format!("echo {COMMENT} a ##}}"), None),
            ("echo \u{0}", None),
            ("echo {{ a", None),
        ] {
            assert_eq!(with_placeholders(raw).as_deref(), command, "{raw:?}");
        }
    }
}
