//! Finds commands that need no shell, and cuts them into words.

use crate::template::filters::COMMENT;
use crate::template::names::filter_names;

/// Words that a shell takes itself, although they look like programs: another meaning, or, as for `true`, the same one
/// without starting a second program.
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

/// The words of a command that uses no shell syntax: plain characters, quotes around plain characters, and expressions.
/// None where a shell is needed.
pub(super) fn plain_words(raw: &str) -> Option<Vec<String>> {
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
            // Quotes inside an expression could hold a `}}`; the `raw` filter asks for the shell's reading.
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

/// Programs that read an argument as code, and the letter of the option in front of it.
const INTERPRETERS: &[(&str, char)] = &[
    ("sh", 'c'),
    ("bash", 'c'),
    ("dash", 'c'),
    ("zsh", 'c'),
    ("ksh", 'c'),
    ("ash", 'c'),
    ("fish", 'c'),
    ("su", 'c'),
    ("python", 'c'),
    ("python3", 'c'),
    ("perl", 'e'),
    ("ruby", 'e'),
    ("node", 'e'),
    ("php", 'r'),
];

/// The program that would read a substitution as code of its own: `bash -c "echo {{ item }}"`, `eval echo {{ item }}`.
/// The quoting of the outer command does not reach in there.
pub(super) fn inner_code(words: &[String]) -> Option<String> {
    let bare = |word: &str| word.chars().filter(|c| !matches!(c, '\'' | '"' | '\\')).collect::<String>();
    let substitutes = |word: &String| word.match_indices("{{").any(|(at, _)| !is_raw(&word[at..]));
    for (at, word) in words.iter().enumerate() {
        let program = bare(word);
        let program = program.rsplit('/').next().unwrap_or_default();
        let rest = || words[at + 1..].iter().take_while(|word| !is_operator(word));
        if program == "eval" && rest().any(substitutes) {
            return Some(program.to_owned());
        }
        let Some((_, letter)) = INTERPRETERS.iter().find(|(name, _)| *name == program) else { continue };
        let is_option = |word: &&String| word.starts_with('-') && !word.starts_with("--") && word.contains(*letter);
        if rest().skip_while(|word| !is_option(word)).nth(1).is_some_and(substitutes) {
            return Some(program.to_owned());
        }
    }
    None
}

/// Whether the substitution that `text` begins with asks for the shell's reading.
pub(super) fn is_raw(text: &str) -> bool {
    let end = text.find("}}").map_or(text.len(), |end| end + 2);
    filter_names(&text[..end]).contains(&"raw")
}

fn is_operator(word: &str) -> bool {
    matches!(word, ";" | "&" | "|" | "\n" | "(" | ")")
}

/// The words of any command, with their quotes, and its operators as words of their own. Only good for looking.
pub(super) fn rough_words(raw: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("{{") {
            let end = rest.find("}}").map_or(rest.len(), |end| end + 2);
            words.last_mut().expect("there is always one").push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match (c, quote) {
            (_, Some(open)) => quote = (c != open).then_some(open),
            ('\'' | '"', None) => quote = Some(c),
            (' ' | '\t', None) => {
                words.push(String::new());
                continue;
            }
            (';' | '&' | '|' | '\n' | '(' | ')', None) => {
                words.extend([c.to_string(), String::new()]);
                continue;
            }
            _ => {}
        }
        words.last_mut().expect("there is always one").push(c);
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_for_another_interpreter_is_found() {
        let inner = |raw: &str| inner_code(&rough_words(raw));
        for (raw, program) in [
            ("bash -c \"echo {{ item }}\"", "bash"),
            ("cd /tmp && sudo /bin/sh -ec 'ls {{ item }}' x", "sh"),
            ("eval echo {{ item }}", "eval"),
            ("sh -c 'echo {{ draw }}'", "sh"),
            ("sh -c 'echo {{ item | raw }} {{ index }}'", "sh"),
            ("python3 -c \"print('{{ item }}')\"", "python3"),
            ("cat x | xargs sh -c 'echo {{ item }}'", "sh"),
        ] {
            assert_eq!(inner(raw).as_deref(), Some(program), "{raw}");
        }
        for raw in [
            "bash -c 'echo \"$1\"' _ {{ item }}",
            "bash script.sh {{ item }}",
            "echo bash; cat {{ item }}",
            "sh -c 'echo {{ item | raw }}'",
            "gcc -c {{ item }}",
            "echo eval; echo {{ item }}",
        ] {
            assert_eq!(inner(raw), None, "{raw}");
        }
    }

    #[test]
    fn plain_commands_need_no_shell() {
        let words = |raw: &str| plain_words(raw);
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
