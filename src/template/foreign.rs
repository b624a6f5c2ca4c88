//! Braces in commands that belong to the command: templates of Go (`docker ps --format '{{.Names}}'`), formats of git, blocks of awk.

use super::environment::environment;
use super::error::{TemplateError, TemplateErrorKind};

const RAW: &str = "{% raw %}";
const ENDRAW: &str = "{% endraw %}";

/// How much of a line is shown, in characters: it is meant to be copied.
const LONGEST: usize = 500;

/// Words that begin a tag of Go's templates. Some would be names here.
const GO_WORDS: [&str; 8] = ["range", "end", "else", "with", "define", "block", "template", "println"];

/// Statements that a workflow can use.
const STATEMENTS: [&str; 16] = [
    "if",
    "elif",
    "else",
    "endif",
    "for",
    "endfor",
    "set",
    "endset",
    "raw",
    "endraw",
    "filter",
    "endfilter",
    "with",
    "endwith",
    "do",
    "macro",
];

/// Adds to a syntax error how to write a command whose own braces were read as a template.
pub(super) fn with_raw(error: TemplateError, command: &str) -> TemplateError {
    if error.kind != TemplateErrorKind::Syntax {
        return error;
    }
    match as_raw(command) {
        Some(line) => error.help(format!("put braces of the command between `{RAW}` and `{ENDRAW}`: `{line}`")),
        None => error,
    }
}

/// The first line with such braces, and these as they should be written.
fn as_raw(command: &str) -> Option<String> {
    command.lines().find_map(|line| {
        let (mut out, mut rest, mut found) = (String::new(), line, false);
        while let Some(at) = [rest.find("{{"), rest.find("{%")].into_iter().flatten().min() {
            let close = if rest[at..].starts_with("{{") { "}}" } else { "%}" };
            let Some(length) = rest[at..].find(close) else { break };
            // `{{{a}}}` ends with the last brace.
            let end = at + length + 2;
            let end = end + rest[end..].bytes().take_while(|byte| *byte == b'}').count();
            let tag = &rest[at..end];
            out.push_str(&rest[..at]);
            if is_foreign(tag) {
                found = true;
                out.extend([RAW, tag, ENDRAW]);
            } else {
                out.push_str(tag);
            }
            rest = &rest[end..];
        }
        out.push_str(rest);
        let joined = out.replace(&format!("{ENDRAW}{RAW}"), "").replace(&format!("{ENDRAW} {RAW}"), " ");
        found.then(|| joined.trim().chars().take(LONGEST).collect())
    })
}

/// Whether a tag is not one of batchmill's.
fn is_foreign(tag: &str) -> bool {
    let inside = tag[2..tag.len() - 2].trim_matches(['-', '+', ' ']);
    let word = inside.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    if tag.starts_with("{%") {
        return !STATEMENTS.contains(&word);
    }
    GO_WORDS.contains(&word) || environment().template_from_str(tag).is_err()
}

#[cfg(test)]
mod tests {
    use super::as_raw;

    #[test]
    fn braces_of_a_command_are_shown_as_they_should_be() {
        for (command, fixed) in [
            ("docker ps --format '{{.Names}}'", "docker ps --format '{% raw %}{{.Names}}{% endraw %}'"),
            (
                "echo\ndocker ps --format '{{.ID}} {{ .A }}' {{ item }}",
                "docker ps --format '{% raw %}{{.ID}} {{ .A }}{% endraw %}' {{ item }}",
            ),
            ("awk '{{print $1}}' {{ item }}", "awk '{% raw %}{{print $1}}{% endraw %}' {{ item }}"),
            (
                "k -o t='{{range .items}}{{.name}}{{end}}'",
                "k -o t='{% raw %}{{range .items}}{{.name}}{{end}}{% endraw %}'",
            ),
            ("git log --format='{%h%}'", "git log --format='{% raw %}{%h%}{% endraw %}'"),
            ("echo '{{{a}}}'", "echo '{% raw %}{{{a}}}{% endraw %}'"),
        ] {
            assert_eq!(as_raw(command).as_deref(), Some(fixed));
        }
        assert_eq!(as_raw("echo {{ item }} {% if x %}a{% endif %} ${x}"), None);
    }
}
