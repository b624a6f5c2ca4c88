//! The tokens of the expressions and statements in a template, read just well enough to look at operators and filters.
//!
//! minijinja has a reader of its own, but offers it only as an unstable part of its interface.

/// What begins and ends what, and where minijinja reads nothing.
const BLOCKS: [(&str, &str); 2] = [("{{", "}}"), ("{%", "%}")];
/// Starts a comment. Jinja's own `{#` would clash with the shell's `${#name}`, the length of a variable.
pub(super) const COMMENT: &str = "{##";
const COMMENT_END: &str = "##}";

/// A token between `{{` and `}}`, or between `{%` and `%}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// An expression or a statement begins or ends here.
    Border,
    /// A name, a keyword or a number.
    Word(&'a str),
    /// A string.
    String,
    /// Any other character.
    Sign(char),
}

/// The tokens of a template, from left to right.
pub(super) struct Tokens<'a> {
    rest: &'a str,
    /// What ends the block that is being read.
    close: Option<&'static str>,
    /// Open brackets in this block.
    open: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(raw: &'a str) -> Self {
        Self { rest: raw, close: None, open: 0 }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Goes to the next block; none if there is none.
    fn enter(&mut self) -> Option<Token<'a>> {
        loop {
            self.skip(memchr::memchr(b'{', self.rest.as_bytes())?);
            if self.rest.starts_with(COMMENT) {
                self.skip(self.rest.find(COMMENT_END)?);
            } else if let Some((_, close)) = BLOCKS.iter().find(|(open, _)| self.rest.starts_with(open)) {
                self.skip(2);
                let statement = self.rest.trim_start_matches(['-', '+']).trim_start();
                if *close == "%}"
                    && statement
                        .strip_prefix("raw")
                        .is_some_and(|it| it.trim_start_matches(['-', '+', ' ']).starts_with("%}"))
                {
                    self.skip(self.rest.find("endraw")?);
                    continue;
                }
                (self.close, self.open) = (Some(*close), 0);
                return Some(Token::Border);
            } else {
                self.skip(1);
            }
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let Some(close) = self.close else {
            return self.enter();
        };
        self.rest = self.rest.trim_start();
        if self.open == 0 && self.rest.starts_with(close) {
            self.skip(close.len());
            self.close = None;
            return Some(Token::Border);
        }
        let first = self.rest.chars().next()?;
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        Some(match first {
            '"' | '\'' => {
                self.skip(string_length(self.rest, first));
                Token::String
            }
            c if is_word(c) => {
                let (word, rest) = self.rest.split_at(self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len()));
                self.rest = rest;
                Token::Word(word)
            }
            sign => {
                match sign {
                    '(' | '[' | '{' => self.open += 1,
                    ')' | ']' | '}' => self.open = self.open.saturating_sub(1),
                    _ => {}
                }
                self.skip(sign.len_utf8());
                Token::Sign(sign)
            }
        })
    }
}

/// The length of the string that begins here, with its quotes.
fn string_length(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => _ = chars.next(),
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(raw: &str) -> Vec<&str> {
        Tokens::new(raw).filter_map(|token| if let Token::Word(word) = token { Some(word) } else { None }).collect()
    }

    #[test]
    fn only_expressions_and_statements_have_tokens() {
        assert_eq!(
            words("a {{ b }} c {% if d -%} e {## f {{ it's g }} ##} {{ {'x}}': {'h': i}} }} j"),
            ["b", "if", "d", "i"]
        );
        assert_eq!(words("{%- raw %} {{ a }} ' {% endraw %} {{ b }}"), ["b"]);
        assert_eq!(words("${#a} {b} {{ \"\\\"c\" ~ d }"), ["d"]);
    }
}
