//! Which characters a terminal obeys or hides, and how they are shown instead.
//!
//! Written here because no crate does it: the standard library and bstr also escape quotes, backslashes or letters outside
//! ASCII, while console and strip-ansi-escapes drop sequences, so the reader never learns that they were there.

use std::borrow::Cow;
use std::fmt::Write;

/// What happens to line breaks and tabs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// They are escaped: the text stays on its line.
    Line,
    /// Line breaks stay, and tabs become spaces.
    Lines,
    /// The same, and colours stay.
    Styled,
}

/// Whether a character must not reach a terminal: one that it obeys, or that is invisible and can disguise other text.
fn is_unsafe(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

/// Unicode's default ignorable characters, its line separators and its bidi controls. Variation selectors are left out, because
/// emoji need them.
fn is_invisible(c: char) -> bool {
    if c < '\u{ad}' {
        return false;
    }
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a joiner belongs between these two: Persian, Indic scripts and emoji spell with joiners, ASCII does not.
fn joins(before: Option<char>, after: Option<char>) -> bool {
    let spells = |c: Option<char>| c.is_some_and(|c| !c.is_ascii() && !is_unsafe(c));
    spells(before) && spells(after)
}

/// Escapes text piece by piece, so that a reader of the first few can stop.
pub(super) struct Escaped<'a> {
    rest: &'a [u8],
    layout: Layout,
    before: Option<char>,
}

/// A piece of escaped text.
pub(super) enum Piece {
    /// A character as it is.
    Char(char),
    /// What takes the place of a line break or a tab.
    Space(&'static str),
    /// The escape of a character or a byte.
    Escape(String),
}

impl<'a> Escaped<'a> {
    pub(super) fn new(text: &'a [u8], layout: Layout) -> Self {
        Self { rest: text, layout, before: None }
    }

    /// The next character, or the next byte if the text is not UTF-8 there.
    fn take_char(&mut self) -> Option<Result<char, u8>> {
        let first = *self.rest.first()?;
        let length = match first {
            0x00..=0x7f => 1,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 0,
        };
        let head = self.rest.get(..length).and_then(|head| std::str::from_utf8(head).ok());
        match head.and_then(|head| head.chars().next()) {
            Some(c) => {
                self.rest = &self.rest[length..];
                Some(Ok(c))
            }
            None => {
                self.rest = &self.rest[1..];
                Some(Err(first))
            }
        }
    }

    fn peek(&self) -> Option<char> {
        Self { rest: self.rest, ..*self }.take_char()?.ok()
    }

    fn unsafe_char(&mut self, c: char) -> Piece {
        match (c, self.layout) {
            ('\n', Layout::Lines | Layout::Styled) => return Piece::Char('\n'),
            ('\t', Layout::Lines | Layout::Styled) => return Piece::Space("    "),
            ('\r', Layout::Lines | Layout::Styled) if self.rest.first() == Some(&b'\n') => return Piece::Space(""),
            ('\u{1b}', Layout::Styled) => {
                if let Some(length) = colour(self.rest) {
                    let (colour, rest) = self.rest.split_at(length);
                    self.rest = rest;
                    return Piece::Escape(format!("\u{1b}{}", String::from_utf8_lossy(colour)));
                }
            }
            ('\u{200c}' | '\u{200d}', _) if joins(self.before, self.peek()) => return Piece::Char(c),
            _ => {}
        }
        Piece::Escape(match c {
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            '\0'..='\u{7f}' => format!("\\x{:02x}", u32::from(c)),
            _ => format!("\\u{{{:x}}}", u32::from(c)),
        })
    }
}

impl Iterator for Escaped<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let piece = match self.take_char()? {
            Err(byte) => Piece::Escape(format!("\\x{byte:02x}")),
            Ok(c) if is_unsafe(c) => self.unsafe_char(c),
            Ok(c) => Piece::Char(c),
        };
        self.before = if let Piece::Char(c) = &piece { Some(*c) } else { None };
        Some(piece)
    }
}

/// The length of a sequence that sets colours, `[1;31m`, behind its escape character.
fn colour(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(b"[")?;
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':')).count();
    (rest.get(length) == Some(&b'm')).then_some(length + 2)
}

/// The whole text, escaped.
pub(super) fn escape(text: &[u8], layout: Layout) -> String {
    match std::str::from_utf8(text) {
        Ok(text) if !text.chars().any(|c| is_unsafe(c) && !(c == '\n' && layout != Layout::Line)) => text.to_owned(),
        _ => Escaped::new(text, layout).fold(String::with_capacity(text.len()), |mut out, piece| {
            match piece {
                Piece::Char(c) => out.push(c),
                Piece::Space(text) => out.push_str(text),
                Piece::Escape(text) => out.push_str(&text),
            }
            out
        }),
    }
}

/// JSON that a terminal can show: characters that it would obey or hide are written as `\u` escapes, which mean the same.
/// Line breaks between values stay. The text must be JSON, so that only its strings contain such characters.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    let stays = |c: char| c == '\n' || !is_unsafe(c);
    if json.chars().all(stays) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if stays(c) {
            out.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                let _ = write!(out, "\\u{unit:04x}");
            });
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_meaning() {
        let text = "a\u{9b}2J\u{202e}\u{e0041}\u{7f}é\u{1f600}";
        let json = serde_json::to_string_pretty(&[text, "plain"]).unwrap();
        let escaped = escape_json(&json);
        assert!(escaped.contains("\\u009b2J\\u202e\\udb40\\udc41\\u007fé\u{1f600}"), "{escaped}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&escaped).unwrap()[0], text);
        assert!(matches!(escape_json("[1,\n 2]"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_line_break_stays_only_where_the_text_has_lines() {
        for (layout, escaped) in [(Layout::Line, "a\\nb"), (Layout::Lines, "a\nb"), (Layout::Styled, "a\nb")] {
            assert_eq!(escape(b"a\nb", layout), escaped);
            assert_eq!(escape("plain é".as_bytes(), layout), "plain é");
        }
    }
}
