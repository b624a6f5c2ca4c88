//! What messages of one cause have in common.
//!
//! Variable are: quoted text, and words that have a digit or a slash, look like a file name, or are long and hexadecimal. So
//! numbers, times, IDs, addresses and paths are, and a message that a person wrote for one cause stays the same. Which of them
//! vary in fact is known only when several messages are compared: see [`FailureGroups`](super::groups::FailureGroups).

/// What stands for a variable part.
pub(super) const HOLE: char = '…';

/// How much of a message is looked at, in bytes.
const MOST_BYTES: usize = 600;

/// Hexadecimal words of this length are IDs, even if they have no digit.
const SHORTEST_ID: usize = 8;

/// Words of this length or longer are data.
const LONGEST_WORD: usize = 40;

/// The longest extension of a file name.
const LONGEST_EXTENSION: usize = 5;

/// A message with [`HOLE`] in place of each variable part, and these parts.
#[derive(Default)]
pub(super) struct Pattern<'a> {
    /// The text, on one line.
    pub(super) text: String,
    /// The variable parts, in order.
    pub(super) parts: Vec<&'a str>,
    /// The part of the message that is looked at.
    source: &'a str,
}

impl<'a> Pattern<'a> {
    /// Clears the pattern and makes it that of a message. Looks at the beginning of the message only.
    pub(super) fn set(&mut self, message: &'a str) {
        self.text.clear();
        self.parts.clear();
        let end = (0..=MOST_BYTES.min(message.len())).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        let (text, mut at) = (&message[..end], 0);
        self.source = text;
        while let Some(c) = text[at..].chars().next() {
            let taken = match c {
                '\'' | '"' | '`' => self.quote(&text[at..], c),
                c if is_word(c) || matches!(c, '/' | '~' | '-' | '+' | '.') => self.word(&text[at..]),
                c if c.is_whitespace() => self.space(c),
                // A message cannot pose as a pattern.
                HOLE => self.hole(&text[at..at + HOLE.len_utf8()]),
                c => self.push(c),
            };
            debug_assert!(taken > 0, "each turn takes a part of the message");
            at += taken;
        }
        if end < message.len() {
            self.hole(&text[end..]);
        }
    }

    fn push(&mut self, c: char) -> usize {
        self.text.push(c);
        c.len_utf8()
    }

    fn space(&mut self, c: char) -> usize {
        if !self.text.is_empty() && !self.text.ends_with(' ') {
            self.text.push(' ');
        }
        c.len_utf8()
    }

    /// Adds a variable part. Those that only commas separate are one: a list of any length.
    fn hole(&mut self, part: &'a str) -> usize {
        let before = self.text.trim_end_matches([' ', ',']);
        if before.ends_with(HOLE) && before.len() < self.text.len() && self.text[before.len()..].contains(',') {
            self.text.truncate(before.len());
            if let Some(last) = self.parts.last_mut() {
                let place = |part: &str| part.as_ptr().addr() - self.source.as_ptr().addr();
                *last = &self.source[place(last)..place(part) + part.len()];
            }
        } else {
            self.text.push(HOLE);
            self.parts.push(part);
        }
        part.len()
    }

    /// Quoted text at the beginning of `rest`, or a quote that opens nothing. The quotes themselves stay.
    fn quote(&mut self, rest: &'a str, quote: char) -> usize {
        let opens = quote != '\'' || !self.text.ends_with(|c: char| is_word(c) || c == HOLE);
        let Some(end) = end_of_quote(&rest[1..], quote).filter(|_| opens) else { return self.push(quote) };
        self.push(quote);
        self.text.push(HOLE);
        self.parts.push(&rest[1..=end]);
        self.text.push(quote);
        end + 2
    }

    /// A word at the beginning of `rest`, with what joins its parts.
    fn word(&mut self, rest: &'a str) -> usize {
        let word = &rest[..end_of_word(rest)];
        let body = word.trim_start_matches(['-', '+', '.']);
        if body.is_empty() {
            // Punctuation alone.
            self.text.push_str(word);
            return word.len();
        }
        // The sign of a number belongs to it; a dash before a word does not.
        let signed = body.starts_with(|c: char| c.is_numeric()) && word.len() == body.len() + 1;
        let body = if signed || body.starts_with('/') { word } else { body };
        self.text.push_str(&word[..word.len() - body.len()]);
        if is_variable(body) {
            self.hole(body);
        } else {
            self.text.push_str(body);
        }
        word.len()
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the quote ends: at the first quote that is not escaped and, for `'`, is not within a word.
fn end_of_quote(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        let closes = c == quote && !escaped;
        if closes && (quote != '\'' || !text[at + 1..].starts_with(is_word)) {
            return Some(at);
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

/// Where a word ends, with the parts that are joined to it: `10.0.0.1:80`, `data/2024-07.csv`, `12:30`.
fn end_of_word(rest: &str) -> usize {
    let mut digits = false;
    for (at, c) in rest.char_indices() {
        digits |= c.is_numeric();
        let next = || rest[at + c.len_utf8()..].chars().next();
        let joins = match c {
            '/' | '~' => true,
            '.' | '-' | '+' | '@' | '%' => next().is_some_and(|next| is_word(next) || matches!(next, '/' | '.' | '-')),
            // A port or a time, but not `line:6`; and the beginning of a URL.
            ':' => {
                digits && next().is_some_and(|next| is_word(next) || next == ':') || rest[at + 1..].starts_with("//")
            }
            c => is_word(c),
        };
        if !joins {
            // What begins a word and joins nothing is a word by itself.
            return if at == 0 { c.len_utf8() } else { at };
        }
    }
    rest.len()
}

fn is_variable(word: &str) -> bool {
    let path = word.contains('/') && word.len() > 1;
    path || word.contains(char::is_numeric)
        || word.len() >= LONGEST_WORD
        || word.len() >= SHORTEST_ID && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
        || is_file_name(word)
}

/// Whether a word looks like `orders.csv`. `json.JSONDecodeError` does not, and neither does `e.g`.
fn is_file_name(word: &str) -> bool {
    word.rsplit_once('.').is_some_and(|(name, extension)| {
        let short = (2..=LONGEST_EXTENSION).contains(&extension.len());
        short && !name.is_empty() && extension.bytes().all(|byte| byte.is_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(message: &str) -> String {
        let mut pattern = Pattern::default();
        pattern.set(message);
        pattern.text
    }

    #[test]
    fn what_varies_between_items_is_taken_out() {
        for (message, expected) in [
            ("could not convert string to float: 'n/a'", "could not convert string to float: '…'"),
            ("expected 19 fields in line 6, saw 21", "expected … fields in line …, saw …"),
            ("no such file: data/2024-07.csv", "no such file: …"),
            ("no such file: /var/data/a b", "no such file: … b"),
            ("reading b.jpg", "reading …"),
            ("reading ./x and ~/y and ../z", "reading … and … and …"),
            ("GET https://a.example/b?c=1: 503", "GET …?c=…: …"),
            ("connect to 10.0.0.1:8080: refused", "connect to …: refused"),
            ("connect to fe80::1 and localhost:80", "connect to … and localhost:…"),
            ("at 2024-01-05T10:00:00Z took 1.5e-3s", "at … took …"),
            ("order 550e8400-e29b-41d4-a716-446655440000 is gone", "order … is gone"),
            ("commit deadbeef, object at 0x7f3a", "commit …, object at …"),
            ("user=12, line:6, col:7", "user=…, line:…, col:…"),
            ("saw 1, 2,3", "saw …"),
            ("value -3 of +4 (-5%)", "value … of … (…%)"),
            ("don't `drop` the user's \"own\" name", "don't `…` the user's \"…\" name"),
            ("it's 'a \\'b\\' c' and 'it's'", "it's '…' and '…'"),
            ("an 'open quote of item 4", "an 'open quote of item …"),
            ("stderr:\n\tline 4\r\n  end", "stderr: line … end"),
            ("json.decoder.JSONDecodeError: Expecting value", "json.decoder.JSONDecodeError: Expecting value"),
            ("read-only, e.g. this; and so on... - or not", "read-only, e.g. this; and so on... - or not"),
            ("Größe ٣ und 第4章", "Größe … und …"),
            ("a … b", "a … b"),
            ("", ""),
        ] {
            assert_eq!(pattern(message), expected, "{message}");
        }
    }

    #[test]
    fn a_list_is_one_part() {
        let mut pattern = Pattern::default();
        pattern.set("saw 1, 2,3 and 4");
        assert_eq!((&*pattern.text, &*pattern.parts), ("saw … and …", &["1, 2,3", "4"][..]));
    }

    #[test]
    fn long_messages_are_looked_at_from_the_beginning() {
        let long = format!("bad row: {}", "é".repeat(1_000_000));
        assert_eq!(pattern(&long), "bad row: ……");
        assert_eq!(pattern(&format!("{}{}", "word ".repeat(200), 1)).chars().next_back(), Some(HOLE));
    }

    proptest! {
        #[test]
        fn each_hole_has_its_part(message in any::<String>()) {
            let mut pattern = Pattern::default();
            pattern.set(&message);
            prop_assert_eq!(pattern.text.matches(HOLE).count(), pattern.parts.len());
        }

        #[test]
        fn numbers_do_not_make_another_pattern(a: u64, b: u64, c: f32, d: f32) {
            let message = |int: u64, float: f32| format!("item {int} of {float}: row {int}, '{float}' at /x/{int}");
            prop_assert_eq!(pattern(&message(a, c)), pattern(&message(b, d)));
        }
    }
}
