//! Text for a person's eyes.

use super::escape::{Escaped, Layout, Piece, escape};
use serde::Serialize;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unicode_width::UnicodeWidthChar;

/// Text that a terminal shows and never obeys.
///
/// Made from any text, however hostile: control characters, bidi overrides, invisible characters and bytes that are not UTF-8
/// are shown as escapes such as `\x1b` and `\u{202e}`. Escaping twice changes nothing, so a line made of printable parts may be
/// escaped again as a whole. The escapes are for people and cannot be undone: text that contains the four characters `\x1b`
/// looks the same.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Printable(String);

impl Printable {
    /// Text on one line: line breaks and tabs are escaped too.
    pub fn line(text: impl AsRef<[u8]>) -> Self {
        Self(escape(text.as_ref(), Layout::Line))
    }

    /// Text that may have several lines.
    pub fn lines(text: impl AsRef<[u8]>) -> Self {
        Self(escape(text.as_ref(), Layout::Lines))
    }

    /// Text that may have several lines, and colours. No other sequence of a terminal is kept.
    pub fn styled(text: impl AsRef<[u8]>) -> Self {
        Self(escape(text.as_ref(), Layout::Styled))
    }

    /// A path, on one line.
    pub fn path(path: &Path) -> Self {
        Self::line(path.as_os_str().as_bytes())
    }

    /// The first line of a text, at most `columns` wide; it ends in `…` if the rest was cut off.
    ///
    /// Reads no more of the text than it shows.
    pub fn excerpt(text: impl AsRef<[u8]>, columns: usize) -> Self {
        let text = text.as_ref();
        let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
        let first = text[..end].strip_suffix(b"\r").unwrap_or(&text[..end]);
        let more = !text[end..].trim_ascii().is_empty();
        let (mut out, mut width, mut fits) = (String::new(), 0, None);
        for piece in Escaped::new(first, Layout::Line) {
            let before = out.len();
            let added = match piece {
                Piece::Char(c) => {
                    out.push(c);
                    c.width().unwrap_or(1)
                }
                Piece::Space(text) => {
                    out.push_str(text);
                    text.len()
                }
                Piece::Escape(text) => {
                    out.push_str(&text);
                    text.len()
                }
            };
            // Even a character without width costs time and memory.
            if width + added > columns || out.len() > 8 * columns {
                out.truncate(fits.unwrap_or(before));
                out.push('…');
                return Self(out);
            }
            width += added;
            if width < columns {
                fits = None;
            } else {
                // There is room for this or for `…`, whichever is needed.
                fits.get_or_insert(before);
            }
        }
        if more {
            out.truncate(fits.unwrap_or(out.len()));
            out.push('…');
        }
        Self(out)
    }

    /// The same text with `indent` before each line but the first, so that no line can pass for another message.
    pub fn indented(&self, indent: &str) -> Self {
        Self(self.0.replace('\n', &format!("\n{indent}")))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One line.
impl From<&str> for Printable {
    fn from(text: &str) -> Self {
        Self::line(text)
    }
}

/// One line.
impl From<String> for Printable {
    fn from(text: String) -> Self {
        Self::line(text)
    }
}

/// One line.
impl From<&Path> for Printable {
    fn from(path: &Path) -> Self {
        Self::path(path)
    }
}

impl fmt::Display for Printable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Printable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<[u8]> for Printable {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_would_obey_or_hide_is_shown() {
        for (text, shown) in [
            ("plain, caf\u{e9}, 日本, \u{1f600}", "plain, caf\u{e9}, 日本, \u{1f600}"),
            ("\u{1b}]52;c;aGk=\u{7}", "\\x1b]52;c;aGk=\\x07"),
            ("a\u{1b}[2Jb\u{8}\u{7f}", "a\\x1b[2Jb\\x08\\x7f"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("abc\u{202e}fdp.exe\u{2066}", "abc\\u{202e}fdp.exe\\u{2066}"),
            ("pay\u{200b}pal\u{feff}\u{ad}", "pay\\u{200b}pal\\u{feff}\\u{ad}"),
            ("one\nerror: two\r\n\tthree\rfour", "one\\nerror: two\\r\\n\\tthree\\rfour"),
            ("C:\\new \"x\"", "C:\\new \"x\""),
        ] {
            assert_eq!(Printable::line(text).as_str(), shown);
        }
        assert_eq!(Printable::line(b"a\xff\x1b\xc3(\xe2\x82").as_str(), "a\\xff\\x1b\\xc3(\\xe2\\x82");
    }

    #[test]
    fn every_kind_of_text_becomes_one_line() {
        let shown = [Printable::from("a\nb"), "a\nb".to_owned().into(), Path::new("a\nb").into()];
        assert!(shown.iter().all(|shown| shown.as_str() == "a\\nb"), "{shown:?}");
    }

    #[test]
    fn debug_output_is_escaped_twice_and_so_can_be_shown_too() {
        assert_eq!(format!("{:?}", Printable::line("a \u{1b}\"")), r#""a \\x1b\"""#);
    }

    #[test]
    fn joiners_stay_where_a_script_needs_them() {
        for text in ["می\u{200c}خواهم", "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f466}", "\u{2764}\u{fe0f}"] {
            assert_eq!(Printable::line(text).as_str(), text);
        }
        assert_eq!(Printable::line("ad\u{200d}min\u{200d}é").as_str(), "ad\\u{200d}min\\u{200d}é");
        assert_eq!(Printable::line("é\u{200d}né\u{200d}").as_str(), "é\\u{200d}né\\u{200d}");
    }

    #[test]
    fn several_lines_keep_their_breaks_and_nothing_else() {
        let text = Printable::lines("one\r\n\ttwo\rthree\u{1b}[1m\u{b}\nfour");
        assert_eq!(text.as_str(), "one\n    two\\rthree\\x1b[1m\\x0b\nfour");
    }

    #[test]
    fn styled_text_keeps_colours_and_nothing_else() {
        let text = "\u{1b}[1;31mred\u{1b}[0m \u{1b}[2J \u{1b}]0;title\u{7} \u{1b}[38:5:9m \u{1b}[1";
        assert_eq!(
            Printable::styled(text).as_str(),
            "\u{1b}[1;31mred\u{1b}[0m \\x1b[2J \\x1b]0;title\\x07 \u{1b}[38:5:9m \\x1b[1"
        );
    }

    #[test]
    fn an_excerpt_is_one_line_of_a_given_width() {
        for (text, columns, shown) in [
            ("short", 5, "short"),
            ("longer", 5, "long…"),
            ("日本語", 6, "日本語"),
            ("日本語x", 6, "日本…"),
            ("first\nsecond", 20, "first…"),
            ("first\nsecond", 5, "firs…"),
            ("first\n", 20, "first"),
            ("a\u{1b}[2J", 4, "a…"),
            ("", 5, ""),
        ] {
            assert_eq!(Printable::excerpt(text, columns).as_str(), shown, "{text}");
        }
        let marks = "e".to_owned() + &"\u{301}".repeat(100_000);
        assert!(Printable::excerpt(&marks, 10).as_str().len() < 100);
    }

    proptest! {
        #[test]
        fn no_text_reaches_a_terminal_unescaped(text: Vec<u8>) {
            let line = Printable::line(&text);
            prop_assert!(!line.as_str().contains(|c: char| c.is_control()));
            prop_assert_eq!(&Printable::line(&line), &line);
            let lines = Printable::lines(&text);
            prop_assert!(!lines.as_str().contains(|c: char| c.is_control() && c != '\n'));
            prop_assert_eq!(&Printable::lines(&lines), &lines);
            prop_assert!(!Printable::excerpt(&text, 9).as_str().contains(|c: char| c.is_control()));
        }
    }
}
