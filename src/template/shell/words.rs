//! The words of a command, as a shell would see them, to find out which programs get a value as an argument or as input.
//!
//! Reads quotes, continued lines, comments, redirections, here-documents and `$(..)`. What a program sees of a word is kept: its text
//! without quotes, a mark for each value of the template, and a mark for what the shell puts in.

/// Marks a value of the template.
pub(super) const VALUE: char = '\u{0}';
/// Marks a value that the template has quoted for a shell.
pub(super) const QUOTED: char = '\u{1}';
/// Marks what the shell puts in: `$HOME`, `$(..)`.
pub(super) const EXPANSION: char = '\u{2}';

/// A program with its arguments.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SimpleCommand {
    /// The program and its arguments, after assignments and other words before it.
    pub words: Vec<String>,
    /// Texts that are its input: here-documents and here-strings.
    pub input: Vec<String>,
    /// The position of the command whose output is its input.
    pub piped_from: Option<usize>,
}

/// All simple commands in a command, also those inside `$(..)`.
pub(super) fn simple_commands(text: &str) -> Vec<SimpleCommand> {
    let chars = text.chars().collect();
    let mut reader = Reader { chars, at: 0, end: None, done: Vec::new(), documents: Vec::new() };
    while reader.at < reader.chars.len() {
        // A bracket that closes nothing, such as that of a `case`, ends no command.
        reader.list(None);
    }
    reader.done
}

/// A here-document whose text has not come yet.
struct Document {
    delimiter: String,
    tabs: bool,
    /// Whether the shell puts nothing in.
    quoted: bool,
    /// The command whose input it is, or where that command will be.
    command: usize,
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    /// What ends the list of commands that is being read.
    end: Option<char>,
    done: Vec<SimpleCommand>,
    documents: Vec<Document>,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self, text: &str) -> bool {
        let here = text.chars().eq(self.chars[self.at..].iter().copied().take(text.chars().count()));
        self.at += if here { text.chars().count() } else { 0 };
        here
    }

    /// Reads commands up to `end` or the end of the text.
    fn list(&mut self, end: Option<char>) {
        let outer = std::mem::replace(&mut self.end, end);
        self.commands(end);
        self.end = outer;
    }

    fn commands(&mut self, end: Option<char>) {
        let mut command = self.begin(None);
        while let Some(c) = self.peek() {
            if Some(c) == end {
                self.at += 1;
                return;
            }
            match c {
                ' ' | '\t' | '\r' => self.at += 1,
                '\\' if self.take("\\\n") => {}
                '#' => self.skip_comment(),
                '\n' => {
                    self.at += 1;
                    self.read_documents();
                    command = self.begin(None);
                }
                '|' if !self.chars[self.at..].starts_with(&['|', '|']) => {
                    self.at += 1;
                    self.take("&");
                    command = self.begin(Some(command));
                }
                ';' | '&' | '|' => {
                    self.at += if c == '|' { 2 } else { 1 };
                    command = self.begin(None);
                }
                '(' => {
                    self.at += 1;
                    self.list(Some(')'));
                }
                ')' => {
                    self.at += 1;
                    command = self.begin(None);
                }
                '<' | '>' => self.redirection(command),
                _ => {
                    let word = self.word();
                    self.done[command].words.push(word);
                }
            }
        }
    }

    /// Begins a command, and returns its position.
    fn begin(&mut self, piped_from: Option<usize>) -> usize {
        self.done.push(SimpleCommand { piped_from, ..SimpleCommand::default() });
        self.done.len() - 1
    }

    fn skip_comment(&mut self) {
        while self.peek().is_some_and(|c| c != '\n') {
            self.at += 1;
        }
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t')) || self.take("\\\n") {
            self.at += usize::from(matches!(self.peek(), Some(' ' | '\t')));
        }
    }

    fn redirection(&mut self, command: usize) {
        if self.take("<<<") {
            self.skip_blanks();
            let text = self.word();
            self.done[command].input.push(text);
        } else if self.take("<<") {
            let tabs = self.take("-");
            self.skip_blanks();
            let start = self.at;
            let delimiter = self.word();
            let quoted = self.chars[start..self.at].iter().any(|c| matches!(c, '\'' | '"' | '\\'));
            self.documents.push(Document { delimiter, tabs, quoted, command });
        } else if self.take("<(") || self.take(">(") {
            self.list(Some(')'));
            self.done[command].words.push(EXPANSION.to_string());
        } else {
            while matches!(self.peek(), Some('<' | '>' | '&' | '|')) {
                self.at += 1;
            }
            self.skip_blanks();
            self.word();
        }
    }

    /// Reads the texts of the here-documents that begin on the line before.
    fn read_documents(&mut self) {
        for document in std::mem::take(&mut self.documents) {
            let mut text = String::new();
            while self.at < self.chars.len() {
                let rest = &self.chars[self.at..];
                let line: String = rest.iter().take_while(|c| **c != '\n').collect();
                self.at = (self.at + line.chars().count() + 1).min(self.chars.len());
                let bare = if document.tabs { line.trim_start_matches('\t') } else { &line };
                if bare == document.delimiter {
                    break;
                }
                text.push_str(&line);
                text.push('\n');
            }
            let text = if document.quoted { text } else { self.expanded(&text) };
            self.done[document.command].input.push(text);
        }
    }

    /// The text of a here-document with what the shell puts in. The commands in it are read too.
    fn expanded(&mut self, text: &str) -> String {
        let rest = std::mem::replace(&mut self.chars, text.chars().collect());
        let (at, end) = (std::mem::take(&mut self.at), self.end.take());
        let mut expanded = String::new();
        while let Some(c) = self.peek() {
            self.part(c, &mut expanded);
        }
        (self.chars, self.at, self.end) = (rest, at, end);
        expanded
    }

    /// Reads a word. It has at least one character, but for backquotes that end what is read.
    fn word(&mut self) -> String {
        let mut word = String::new();
        let start = self.at;
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' if self.at > start => break,
                '`' if self.end == Some('`') => break,
                '\'' => {
                    self.at += 1;
                    self.single_quoted(&mut word);
                }
                '"' => {
                    self.at += 1;
                    self.double_quoted(&mut word);
                }
                _ => self.part(c, &mut word),
            }
        }
        word
    }

    fn single_quoted(&mut self, word: &mut String) {
        while let Some(c) = self.peek() {
            self.at += 1;
            if c == '\'' {
                return;
            }
            word.push(c);
        }
    }

    fn double_quoted(&mut self, word: &mut String) {
        while let Some(c) = self.peek() {
            match c {
                '"' => {
                    self.at += 1;
                    return;
                }
                _ => self.part(c, word),
            }
        }
    }

    /// Reads a character, an escape or an expansion.
    fn part(&mut self, c: char, word: &mut String) {
        self.at += 1;
        match c {
            '\\' => match self.peek() {
                Some('\n') => self.at += 1,
                Some(escaped) => {
                    self.at += 1;
                    word.push(escaped);
                }
                None => {}
            },
            '$' if self.take("'") => self.single_quoted(word),
            '$' if self.take("(") => {
                self.list(Some(')'));
                word.push(EXPANSION);
            }
            '`' => {
                self.list(Some('`'));
                word.push(EXPANSION);
            }
            '$' if self.take("{") => {
                word.push(EXPANSION);
                self.braces(word);
            }
            '$' if self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || "_@*#?$!-".contains(c)) => {
                self.at += 1;
                while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
                    self.at += 1;
                }
                word.push(EXPANSION);
            }
            c => word.push(c),
        }
    }

    /// Reads the rest of `${..}`. The default for an unset variable belongs to the word.
    fn braces(&mut self, word: &mut String) {
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || "_:-=+?#%/!@".contains(c)) {
            self.at += 1;
        }
        while let Some(c) = self.peek() {
            match c {
                '}' => {
                    self.at += 1;
                    return;
                }
                '"' => self.at += 1,
                _ => self.part(c, word),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of each command, with `@` for values and `$` for expansions.
    fn read(text: &str) -> Vec<Vec<String>> {
        let shown = |word: &String| word.replace(VALUE, "@").replace(EXPANSION, "$");
        let commands = simple_commands(&text.replace('@', "\u{0}"));
        let words = commands.iter().map(|it| it.words.iter().chain(&it.input).map(shown).collect());
        words.filter(|words: &Vec<String>| !words.is_empty()).collect()
    }

    #[test]
    fn words_are_those_that_the_shell_passes_on() {
        for (text, expected) in [
            ("sh -c 'echo @'", vec![vec!["sh", "-c", "echo @"]]),
            ("bash \\\n -c\\\n \"a\"'b'\\c", vec![vec!["bash", "-c", "abc"]]),
            ("a|b && c; d &", vec![vec!["a"], vec!["b"], vec!["c"], vec!["d"]]),
            ("a # b 'c\nd", vec![vec!["a"], vec!["d"]]),
            ("x=1 a >b 2>&1 <c d", vec![vec!["x=1", "a", "2", "d"]]),
            ("$SHELL -c \"$(a @)\"", vec![vec!["$", "-c", "$"], vec!["a", "@"]]),
            ("echo ${x:-@} \"${y}\" `b @`", vec![vec!["echo", "$@", "$", "$"], vec!["b", "@"]]),
            ("sh <<E -s\necho @\nE\nb", vec![vec!["sh", "-s", "echo @\n"], vec!["b"]]),
            ("cat <<E\n$(b @) \"c\nE\nd", vec![vec!["cat", "$ \"c\n"], vec!["b", "@"], vec!["d"]]),
            ("sh <<< 'a @'", vec![vec!["sh", "a @"]]),
            ("(a; b @) | c", vec![vec!["c"], vec!["a"], vec!["b", "@"]]),
            ("case @ in a) b @;; esac", vec![vec!["case", "@", "in", "a"], vec!["b", "@"], vec!["esac"]]),
            ("sh -c $'echo @'", vec![vec!["sh", "-c", "echo @"]]),
            ("a ) b", vec![vec!["a"], vec!["b"]]),
            ("'unclosed", vec![vec!["unclosed"]]),
            ("", vec![]),
        ] {
            let mut found = read(text);
            let mut expected: Vec<Vec<String>> =
                expected.into_iter().map(|words| words.into_iter().map(str::to_owned).collect()).collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{text}");
        }
    }
}
