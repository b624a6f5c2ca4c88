//! A text as a reader of one of its encodings sees it: percent signs, backslashes and entities decoded, lines joined.
//!
//! A secret that is escaped in any way is found in the text without the escapes, whichever characters were escaped, and how.

use super::cuts::is_end;

/// How many encodings may lie one in another: a URL within JSON has two.
const DEEPEST: usize = 2;

/// What an escape stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Nothing: it only breaks a line, or was cut.
    Nothing,
    /// A byte, which may be part of a character.
    Byte(u8),
    /// A character by its number.
    Char(u32),
}

/// An escape at the beginning of a text: what it means, and how many bytes it has.
type Escape = (Meaning, usize);

/// Reads an escape at the beginning of a text.
type Decoder = fn(&[u8]) -> Option<Escape>;

const DECODERS: [Decoder; 4] = [percent, backslash, entity, line_break];

/// A text, with the place of each byte in the original.
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    /// Where each byte came from: start and end.
    origins: Vec<(usize, usize)>,
}

/// The most bytes of an escape.
const LONGEST_ESCAPE: usize = 12;

impl View {
    /// The place in the original of a range of bytes, which must not be empty.
    pub(super) fn origin(&self, start: usize, end: usize) -> (usize, usize) {
        (self.origins[start].0, self.origins[end - 1].1)
    }

    /// The same with what was left out after it.
    pub(super) fn origin_up_to(&self, start: usize, next: usize) -> (usize, usize) {
        (self.origins[start].0, self.origins.get(next).map_or(self.origins[next - 1].1, |next| next.0))
    }
}

/// All views of a text but the text itself.
pub(super) fn views(text: &[u8]) -> Vec<View> {
    let mut all: Vec<View> = DECODERS.iter().filter_map(|decoder| decoded(text, None, *decoder)).collect();
    let mut from = 0;
    for _ in 1..DEEPEST {
        let to = all.len();
        for at in from..to {
            let deeper = DECODERS.iter().filter_map(|decoder| decoded(&all[at].bytes, Some(&all[at]), *decoder));
            let deeper: Vec<View> = deeper.collect();
            all.extend(deeper);
        }
        from = to;
    }
    all
}

/// The text without escapes of one kind. None if it has none.
fn decoded(text: &[u8], of: Option<&View>, decoder: Decoder) -> Option<View> {
    let starts = |byte: &u8| matches!(byte, b'%' | b'\\' | b'&' | b'\n' | b'\r');
    let first = text.iter().position(starts)?;
    let first = (first..text.len()).find(|at| decoder(&text[*at..]).is_some())?;
    let place = |start: usize, end: usize| of.map_or((start, end), |view| view.origin(start, end));
    let mut view = View { bytes: text[..first].to_vec(), origins: (0..first).map(|at| place(at, at + 1)).collect() };
    let mut at = first;
    while at < text.len() {
        let escape = if starts(&text[at]) { decoder(&text[at..]) } else { None };
        let (meaning, length) = escape.unwrap_or((Meaning::Byte(text[at]), 1));
        let origin = place(at, at + length);
        match meaning {
            Meaning::Nothing => {}
            Meaning::Byte(byte) => view.bytes.push(byte),
            Meaning::Char(number) => {
                let c = char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER);
                view.bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        view.origins.resize(view.bytes.len(), origin);
        at += length;
    }
    Some(view)
}

/// A number in digits of this base at the beginning of a text: exactly so many.
fn number(text: &[u8], base: u32, digits: usize) -> Option<u32> {
    let digits = text.get(..digits).filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0_u32, |sum, digit| sum.checked_mul(base)?.checked_add(char::from(*digit).to_digit(base)?))
}

/// The byte with this number; of a larger one, as C does it, the lowest bits.
fn byte_of(number: u32) -> Meaning {
    Meaning::Byte(number.to_le_bytes()[0])
}

/// How many digits of this base a text begins with.
fn digits(text: &[u8], base: u32) -> usize {
    text.iter().take_while(|byte| char::from(**byte).is_digit(base)).count()
}

/// Where the escape begins that a text ends in, if it may go on.
pub(super) fn open_escape(text: &[u8]) -> Option<usize> {
    let decoders = [percent, backslash, entity];
    let is_open = |at: &usize| {
        let rest = &text[*at..];
        decoders.iter().any(|decoder| decoder(rest) == Some((Meaning::Nothing, rest.len())))
    };
    (text.len().saturating_sub(LONGEST_ESCAPE)..text.len()).find(is_open)
}

/// How many hexadecimal digits there are before the end, if they are fewer than they should be.
fn cut_digits(text: &[u8], all: usize) -> Option<usize> {
    let length = digits(text, 16);
    (length < all && is_end(&text[length..])).then_some(length)
}

/// `%2F`, and the beginning of one at the end of the text.
fn percent(text: &[u8]) -> Option<Escape> {
    let rest = text.strip_prefix(b"%")?;
    if let Some(length) = cut_digits(rest, 2) {
        return Some((Meaning::Nothing, 1 + length));
    }
    number(rest, 16, 2).map(|byte| (byte_of(byte), 3))
}

/// The escapes of JSON, Python, Rust and shells, and the beginning of one at the end of the text.
fn backslash(text: &[u8]) -> Option<Escape> {
    let rest = text.strip_prefix(b"\\")?;
    if is_end(rest) {
        return Some((Meaning::Nothing, 1));
    }
    let (kind, after) = (&rest[0], &rest[1..]);
    let hex = |length: usize| number(after, 16, length).map(|value| (value, 2 + length));
    let cut = |length: usize| cut_digits(after, length).map(|length| (Meaning::Nothing, 2 + length));
    let letter = |c: u8| Some((Meaning::Byte(c), 2));
    match kind {
        b'n' => letter(b'\n'),
        b'r' => letter(b'\r'),
        b't' => letter(b'\t'),
        b'b' => letter(8),
        b'f' => letter(12),
        b'v' => letter(11),
        b'a' => letter(7),
        b'e' | b'E' => letter(27),
        b'x' => hex(2).map(|(byte, length)| (byte_of(byte), length)).or_else(|| cut(2)),
        b'u' if after.first() == Some(&b'{') => {
            let length = digits(&after[1..], 16);
            let closed = after.get(1 + length) == Some(&b'}');
            if is_end(&after[1 + length..]) {
                return Some((Meaning::Nothing, 3 + length));
            }
            number(&after[1..], 16, length).filter(|_| closed).map(|c| (Meaning::Char(c), 4 + length))
        }
        b'u' => {
            let pair = |(unit, length)| surrogates(unit, &text[length..]).unwrap_or((Meaning::Char(unit), length));
            hex(4).map(pair).or_else(|| cut(4))
        }
        b'U' => hex(8).map(|(c, length)| (Meaning::Char(c), length)).or_else(|| cut(8)),
        b'0'..=b'7' => {
            let length = digits(rest, 8).min(3);
            number(rest, 8, length).map(|byte| (byte_of(byte), 1 + length))
        }
        b'\n' => Some((Meaning::Nothing, 2)),
        c if c.is_ascii_punctuation() || *c == b' ' => letter(*c),
        _ => None,
    }
}

/// A character that JSON writes as two escapes.
fn surrogates(high: u32, rest: &[u8]) -> Option<Escape> {
    if !(0xd800..0xdc00).contains(&high) {
        return None;
    }
    let Some(low) = rest.strip_prefix(b"\\u").and_then(|rest| number(rest, 16, 4)) else {
        // The other half was cut off.
        let after = rest.strip_prefix(b"\\u").and_then(|rest| cut_digits(rest, 4)).map(|length| 2 + length);
        let after = after.or_else(|| rest.strip_prefix(b"\\").filter(|rest| is_end(rest)).map(|_| 1));
        return after.or(is_end(rest).then_some(0)).map(|length| (Meaning::Nothing, 6 + length));
    };
    (0xdc00..0xe000).contains(&low).then(|| (Meaning::Char(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)), 12))
}

/// `&amp;`, `&#39;` and `&#x27;`.
fn entity(text: &[u8]) -> Option<Escape> {
    let rest = text.strip_prefix(b"&")?;
    let named = [("amp;", '&'), ("lt;", '<'), ("gt;", '>'), ("quot;", '"'), ("apos;", '\'')];
    if let Some((name, c)) = named.iter().find(|(name, _)| rest.starts_with(name.as_bytes())) {
        return Some((Meaning::Char(u32::from(*c)), 1 + name.len()));
    }
    let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'#').count();
    if length < 8 && is_end(&rest[length..]) {
        return Some((Meaning::Nothing, 1 + length));
    }
    let (before, base) = if rest.starts_with(b"#x") || rest.starts_with(b"#X") { (2, 16) } else { (1, 10) };
    let digits_at = rest.get(before..).filter(|_| rest.starts_with(b"#"))?;
    let length = digits(digits_at, base);
    let closed = digits_at.get(length) == Some(&b';');
    number(digits_at, base, length).filter(|_| closed).map(|c| (Meaning::Char(c), before + length + 2))
}

/// A line break and the blanks after it: base64 is often cut into lines.
fn line_break(text: &[u8]) -> Option<Escape> {
    let rest = text.strip_prefix(b"\r\n").or_else(|| text.strip_prefix(b"\n"))?;
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    Some((Meaning::Nothing, text.len() - rest.len() + blanks))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Vec<String> {
        views(text.as_bytes()).into_iter().map(|view| String::from_utf8_lossy(&view.bytes).into_owned()).collect()
    }

    #[test]
    fn every_kind_of_escape_is_decoded() {
        for (text, decoded) in [
            ("a%2fb%2Fc%", "a/b/c"),
            ("100% of %zz %c3%a9", "100% of %zz é"),
            ("a%2…b\\u00...", "a…b\\u00..."),
            ("\\u00… \\ud83d\\ud… \\…", "… … …"),
            (r#"\"\n\u00e9\ud83d\ude00\x41\101\'\/\\"#, "\"\né\u{1f600}AA'/\\"),
            (r"\u{e9}\U0001f600\xc3\xa9 \q \u12", "é\u{1f600}é \\q "),
            (r"\e[1m\E[0m", "\u{1b}[1m\u{1b}[0m"),
            (r"\a\b\f\v\t\r", "\u{7}\u{8}\u{c}\u{b}\t\r"),
            ("a\\\nb", "ab"),
            (r"caf\u{e", "caf"),
            (r"x \u002541", "x A"),
            ("&amp;&lt;&#39;&#x27;&quot; &x;", "&<''\" &x;"),
            ("YWJj\n  ZGVm\r\nZ2", "YWJjZGVmZ2"),
        ] {
            assert!(seen(text).contains(&decoded.to_owned()), "{text}: {:?}", seen(text));
        }
        assert!(seen("plain, café").is_empty());
    }

    #[test]
    fn encodings_within_encodings_are_decoded_and_their_places_known() {
        let text = r"x \u002541 y";
        let view = views(text.as_bytes()).into_iter().find(|view| view.bytes == b"x A y").unwrap();
        let (start, end) = view.origin(2, 3);
        assert_eq!(&text[start..end], r"\u002541");
    }
}
