//! What the YAML parser complains about, in words that help.

/// The message for a error of the parser, and what the user can do.
pub(super) fn yaml_error(info: &str) -> (String, Option<&'static str>) {
    let has = |needle: &str| info.contains(needle);
    if has("tab") && (has("indentation") || has("disallowed") || has("found a tab") || has("cannot be used")) {
        return ("a tab cannot be used for indentation".to_owned(), Some("indent with spaces"));
    }
    let (message, help) = if has("mapping values are not allowed") || has("illegal placement of ':'") {
        ("a `:` is not allowed here", Some("put a text with `: ` in it in quotes, and check the indentation"))
    } else if has("simple key expect") {
        ("a key without `:`, or a line that is not indented far enough", Some("write `key: value`"))
    } else if has("did not find expected key") || has("invalid indentation") || has("expected '-' indicator") {
        ("the indentation does not fit the lines above", Some("keys of one mapping stand in the same column"))
    } else if has("flow sequence, expected") {
        ("a list in `[ ]` is not closed, or a comma is missing", None)
    } else if has("flow mapping, did not find") {
        ("a mapping in `{ }` is not closed, or a comma is missing", Some("a template is written `{{ name }}`"))
    } else if has("quoted scalar, found unexpected end") || has("found unexpected document indicator") {
        ("a string in quotes is not closed", None)
    } else if has("unknown escape character") {
        ("an unknown escape in a string in double quotes", Some("write `\\\\` for a backslash, or use single quotes"))
    } else if has("unknown anchor") {
        ("an alias for an anchor that is not defined above", Some("put a text that starts with `*` in quotes"))
    } else if has("unexpected character") {
        ("a plain text cannot start with this character", Some("put the text in quotes"))
    } else if has("did not find expected node content") {
        ("a value is missing here, or a bracket above is not closed", None)
    } else if has("recursion limit") {
        ("the file is nested too deeply", None)
    } else if has("trailing content after double-quoted") {
        ("text behind a string in quotes", Some("put the whole text in quotes"))
    } else if has("wasn't declared") {
        ("a YAML tag that is not declared", Some("leave the tag out"))
    } else {
        return (format!("not valid YAML: {info}"), None);
    };
    (message.to_owned(), help)
}
