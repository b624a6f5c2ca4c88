//! Finds code for another interpreter inside a command, such as `bash -c ".."`. The command's quoting does not protect it.

use super::placeholder::is_raw;

/// Programs that run an argument as code, and the option that precedes it.
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

/// The program that would run a substitution as code: `bash -c "echo {{ item }}"`, `eval echo {{ item }}`.
pub(super) fn nested_interpreter(words: &[String]) -> Option<String> {
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

fn is_operator(word: &str) -> bool {
    matches!(word, ";" | "&" | "|" | "\n" | "(" | ")")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::shell::split::split_roughly;

    #[test]
    fn code_for_another_interpreter_is_found() {
        let inner = |raw: &str| nested_interpreter(&split_roughly(raw));
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
}
