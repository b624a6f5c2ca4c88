//! The YAML parser's errors in words that help the user.
//!
//! saphyr-parser reports an error as text alone, so this is the one place that decides by the text of a message.

/// An error of the YAML parser.
pub(super) struct YamlError {
    pub message: String,
    pub help: Option<&'static str>,
    /// Whether the error is about a tab, which may be on the line after the one that the parser names.
    pub is_tab: bool,
}

impl YamlError {
    /// Rewords `info`, the parser's own message.
    pub fn new(info: &str) -> Self {
        let has = |needle: &str| info.contains(needle);
        if has("tab") && (has("indentation") || has("disallowed") || has("found a tab") || has("cannot be used")) {
            let message = "a tab cannot be used for indentation".to_owned();
            return Self { message, help: Some("indent with spaces"), is_tab: true };
        }
        match reword(&has) {
            Some((message, help)) => Self { message: message.to_owned(), help, is_tab: false },
            None => Self { message: format!("invalid YAML: {info}"), help: None, is_tab: false },
        }
    }
}

/// The message and the help for an error whose text `has` these words.
fn reword(has: &dyn Fn(&str) -> bool) -> Option<(&'static str, Option<&'static str>)> {
    Some(if has("mapping values are not allowed") || has("illegal placement of ':'") {
        ("unexpected `:`", Some("quote a string that contains `: `, and check the indentation"))
    } else if has("simple key expect") {
        ("missing `:` after a key, or wrong indentation", Some("write `key: value`"))
    } else if has("did not find expected key") || has("invalid indentation") || has("expected '-' indicator") {
        ("the indentation does not match the lines above", Some("start all keys of a mapping in the same column"))
    } else if has("flow sequence, expected") {
        ("missing `]` or comma in a list", None)
    } else if has("flow mapping, did not find") {
        ("missing `}` or comma in a mapping", Some("for a template, write `{{ name }}`"))
    } else if has("quoted scalar, found unexpected end") || has("found unexpected document indicator") {
        ("missing closing quote", None)
    } else if has("unknown escape character") {
        (
            "unknown escape sequence in a double-quoted string",
            Some("write `\\\\` for a backslash, or use single quotes"),
        )
    } else if has("unknown anchor") {
        ("unknown alias", Some("define the anchor above it, or quote a string that starts with `*`"))
    } else if has("unexpected character") {
        ("a string cannot start with this character", Some("quote the string"))
    } else if has("did not find expected node content") {
        ("missing value, or a missing closing bracket above", None)
    } else if has("recursion limit") {
        ("the file is nested too deeply", None)
    } else if has("trailing content after double-quoted") {
        ("unexpected text after a quoted string", Some("quote the whole string"))
    } else if has("wasn't declared") {
        ("unknown YAML tag", Some("remove the tag"))
    } else {
        return None;
    })
}
