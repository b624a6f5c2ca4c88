//! Splits commands that need no shell into words.

use super::placeholder::is_raw;
use crate::template::tokens::COMMENT;

/// Keywords and built-in commands of shells. They need a shell, or are quicker in one (`true`).
const SHELL_WORDS: &[&str] = &[
    ".",
    ":",
    "[",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "command",
    "compgen",
    "complete",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "echo",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "while",
];

/// The words of a command without shell syntax: plain characters, quoted plain characters, and expressions. `None` if the
/// command needs a shell.
pub(super) fn split_plain(raw: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut rest = raw.trim();
    if rest.contains("{%") || rest.contains(COMMENT) {
        return None;
    }
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("{{") {
            let (expression, behind) = after.split_once("}}")?;
            // A string in the expression may contain `}}`, and `raw` text may contain shell syntax.
            if expression.contains(['"', '\'']) || is_raw(rest) {
                return None;
            }
            word.get_or_insert_default().push_str(&rest[..expression.len() + 4]);
            rest = behind;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match (c, quote) {
            (_, Some(open)) if c == open => quote = None,
            ('\\' | '$' | '`', Some('"')) | ('\n' | '{' | '}', Some(_)) => return None,
            (_, Some(_)) => word.get_or_insert_default().push(c),
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (' ' | '\t', None) => words.extend(word.take()),
            _ if c.is_alphanumeric() || "_-./:,+@%=".contains(c) => word.get_or_insert_default().push(c),
            _ => return None,
        }
    }
    words.extend(word);
    let program = words.first()?;
    let plain = quote.is_none() && !program.contains("{{") && !program.contains('=') && !program.is_empty();
    (plain && !SHELL_WORDS.contains(&program.as_str())).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_commands_need_no_shell() {
        let words = |raw: &str| split_plain(raw);
        assert_eq!(words("gzip {{ item }}").unwrap(), ["gzip", "{{ item }}"]);
        assert_eq!(
            words("convert -o 'a b' x-{{ item | stem }}.png ").unwrap(),
            ["convert", "-o", "a b", "x-{{ item | stem }}.png"]
        );
        for shell in [
            "echo {{ item }}",
            "a | b",
            "a > b",
            "X=1 a",
            "a $X",
            "a *",
            "a; b",
            "{{ item }}",
            "a \"$X\"",
            "cd x",
            "a ~/x",
            "a {{ item | raw }}",
            "a 'open",
            "a\nb",
            "a {x,y}",
            "",
        ] {
            assert_eq!(words(shell), None, "{shell}");
        }
    }
}
