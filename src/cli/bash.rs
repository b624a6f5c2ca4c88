//! Completion in bash, which takes `name=value` for three words: `name`, `=` and `value`.

use clap::Command;
use clap_complete::engine::complete;
use clap_complete::env::{Bash, EnvCompleter};
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

/// bash, with its words put together again.
pub struct JoinedBash;

/// How the script passes the word up to the cursor to the program. The word is empty if the cursor is right after a `=`.
const WORD: &str = "words[COMP_CWORD]=\"$2\"";

/// The same, but the `=` stays.
const WORD_OR_BREAK: &str = "[[ \"${words[COMP_CWORD]}\" == [=:] ]] || words[COMP_CWORD]=\"$2\"";

impl EnvCompleter for JoinedBash {
    fn name(&self) -> &'static str {
        Bash.name()
    }

    fn is(&self, name: &str) -> bool {
        Bash.is(name)
    }

    fn write_registration(
        &self,
        var: &str,
        name: &str,
        bin: &str,
        completer: &str,
        buf: &mut dyn Write,
    ) -> Result<(), io::Error> {
        let mut script = Vec::new();
        Bash.write_registration(var, name, bin, completer, &mut script)?;
        buf.write_all(String::from_utf8_lossy(&script).replace(WORD, WORD_OR_BREAK).as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut Command,
        words: Vec<OsString>,
        here: Option<&Path>,
        buf: &mut dyn Write,
    ) -> Result<(), io::Error> {
        let (words, at) = joined(words);
        let word = words.get(at).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
        // bash keeps what is before the last break.
        let kept = word.rfind(['=', ':']).map_or("", |end| &word[..=end]);
        let found = complete(command, words, at, here)?;
        let values = found.iter().map(|candidate| candidate.get_value().to_string_lossy().into_owned());
        let values: Vec<String> =
            values.map(|value| value.strip_prefix(kept).map(str::to_owned).unwrap_or(value)).collect();
        let between = std::env::var("_CLAP_IFS").unwrap_or_else(|_| "\n".to_owned());
        buf.write_all(values.join(&between).as_bytes())
    }
}

/// The words as they were typed, and which one is completed.
pub fn joined(words: Vec<OsString>) -> (Vec<OsString>, usize) {
    let index = std::env::var("_CLAP_COMPLETE_INDEX").ok().and_then(|index| index.parse().ok());
    let index: usize = index.unwrap_or_else(|| words.len().saturating_sub(1));
    join(words, index)
}

fn join(words: Vec<OsString>, index: usize) -> (Vec<OsString>, usize) {
    let is_break = |word: &OsString| word == "=" || word == ":";
    let mut all: Vec<OsString> = Vec::new();
    let (mut at, mut open) = (0, false);
    for (place, word) in words.into_iter().enumerate() {
        let breaks = is_break(&word);
        match all.last_mut().filter(|_| open || breaks) {
            Some(last) => last.push(word),
            None => all.push(word),
        }
        open = breaks;
        if place <= index {
            at = all.len() - 1;
        }
    }
    (all, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_put_together_again() {
        let join = |text: &str, index| {
            let (words, at) = join(text.split(' ').map(OsString::from).collect(), index);
            (words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" "), at)
        };
        assert_eq!(join("batchmill run w.yaml a = b c", 6), ("batchmill run w.yaml a=b c".to_owned(), 4));
        assert_eq!(join("batchmill run w.yaml a =", 4), ("batchmill run w.yaml a=".to_owned(), 3));
        assert_eq!(join("batchmill run w.yaml a = b", 5), ("batchmill run w.yaml a=b".to_owned(), 3));
        assert_eq!(join("batchmill run --format = json w", 3), ("batchmill run --format=json w".to_owned(), 2));
    }

    #[test]
    fn the_script_of_clap_still_has_the_line_to_replace() {
        let mut script = Vec::new();
        JoinedBash.write_registration("A", "b", "b", "b", &mut script).unwrap();
        assert!(String::from_utf8(script).unwrap().contains(WORD_OR_BREAK));
    }
}
