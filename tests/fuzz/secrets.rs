//! Secrets: however they are encoded, whatever is around them and wherever the text is cut, no piece of them is left.

use crate::fuzzer::fuzz;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use batchmill::text::{CUT, MASK, MaybeSecret, Secrets};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// What secrets are made of: all that encodings treat in a way of their own.
const CHARACTERS: &[char] = &[
    'a',
    'b',
    'Z',
    '7',
    '0',
    '-',
    '_',
    '.',
    '~',
    '*',
    '!',
    '(',
    '\'',
    '"',
    '`',
    '\\',
    '/',
    '%',
    '+',
    '&',
    '=',
    '<',
    '$',
    ' ',
    '\n',
    '\t',
    '\u{1b}',
    '\u{e9}',
    '\u{df}',
    '\u{4e2d}',
    '\u{1f600}',
];

/// A way to write a secret.
#[derive(Debug, Clone, Copy)]
enum Encoding {
    Plain,
    Json,
    JsonInJson,
    Ascii,
    Rust,
    Shell,
    Html,
    Percent {
        lower: bool,
        kept: &'static str,
    },
    Plus,
    PercentInJson,
    /// After so many other bytes, in an alphabet, in lines if there is a width.
    Base64(usize, usize, Option<usize>),
}

fn json(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap();
    json[1..json.len() - 1].to_owned()
}

fn percent(text: &str, lower: bool, kept: &str) -> String {
    let write = |byte: u8| match char::from(byte) {
        c if c.is_ascii_alphanumeric() || kept.contains(c) => c.to_string(),
        _ if lower => format!("%{byte:02x}"),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(write).collect()
}

fn based(text: &str, offset: usize, alphabet: usize) -> String {
    let bytes = [&b"u:"[..offset], text.as_bytes()].concat();
    match alphabet {
        0 => STANDARD.encode(bytes),
        1 => STANDARD_NO_PAD.encode(bytes),
        2 => URL_SAFE.encode(bytes),
        _ => URL_SAFE_NO_PAD.encode(bytes),
    }
}

impl Encoding {
    fn write(self, text: &str) -> String {
        let units =
            |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
        match self {
            Self::Plain => text.to_owned(),
            Self::Json => json(text),
            Self::JsonInJson => json(&json(text)),
            Self::Ascii => json(text).chars().map(|c| if c.is_ascii() { c.to_string() } else { units(c) }).collect(),
            Self::Rust => text.escape_debug().collect(),
            Self::Shell => text.replace('\'', "'\\''"),
            Self::Html => {
                text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('\'', "&#x27;")
            }
            Self::Percent { lower, kept } => percent(text, lower, kept),
            Self::Plus => percent(text, false, "-_. ").replace(' ', "+"),
            Self::PercentInJson => json(&percent(text, true, "\"\\")),
            Self::Base64(offset, alphabet, width) => {
                let encoded = based(text, offset, alphabet).into_bytes();
                let lines =
                    encoded.chunks(width.unwrap_or(usize::MAX)).map(|line| String::from_utf8_lossy(line).into_owned());
                lines.collect::<Vec<_>>().join("\n")
            }
        }
    }
}

fn encodings() -> impl Strategy<Value = Encoding> {
    let kept = select(&["", "/", "-_.~", "-_.!~*'()", "-_.!~*'();/?:@&=+$,#"][..]);
    prop_oneof![
        select(
            &[Encoding::Plain, Encoding::Json, Encoding::JsonInJson, Encoding::Ascii, Encoding::Rust, Encoding::Shell]
                [..]
        ),
        select(&[Encoding::Html, Encoding::Plus, Encoding::PercentInJson][..]),
        (any::<bool>(), kept).prop_map(|(lower, kept)| Encoding::Percent { lower, kept }),
        (0..3_usize, 0..4_usize, select(&[None, Some(4), Some(76)][..]))
            .prop_map(|(offset, alphabet, width)| Encoding::Base64(offset, alphabet, width)),
    ]
}

fn secrets() -> impl Strategy<Value = String> {
    // The letters make sure that no secret is one of the words around it, or part of a mask.
    vec(select(CHARACTERS), 0..30).prop_map(|middle| format!("Kqv{}xW", String::from_iter(middle)))
}

/// Text without any character of a secret's ends.
fn around() -> impl Strategy<Value = String> {
    vec(select(&["", " ", "\"", "{", ": ", "\n", "\u{e9}", "h: ", "=", "\\", "%", "&", "1"][..]), 0..4)
        .prop_map(|all| all.concat())
}

#[test]
fn no_secret_is_left_in_any_encoding() {
    let input = (secrets(), encodings(), around(), around());
    fuzz(200, &input, |(secret, encoding, before, after)| {
        let written = encoding.write(&secret);
        let text = format!("{before} {written} {after}");
        let secrets = Secrets::new([secret.clone()]);
        let masked = secrets.masked(text.clone());
        let rest = masked.replace(MASK, "");
        // What base64 was encoded before the secret stays.
        let most = text.len() - written.len() + if matches!(encoding, Encoding::Base64(..)) { 8 } else { 0 };
        prop_assert!(masked.contains(MASK) && rest.len() <= most, "{:?} {:?}", text, masked);
        prop_assert_eq!(secrets.masked(masked.clone()), masked);
        let bytes = MaybeSecret::new(text.as_bytes()).masked(&secrets).into_bytes();
        prop_assert!(bytes.len() <= text.len().max(rest.len() + 3 * text.len()));
        let starred = secrets.starred(&text);
        prop_assert!(starred.len() == text.len() && starred.matches('\n').count() == text.matches('\n').count());
        Ok(())
    });
}

#[test]
fn no_piece_of_a_secret_is_left_at_a_cut() {
    let input = (secrets(), encodings(), 0..100_usize);
    fuzz(200, &input, |(secret, encoding, percent)| {
        let written = encoding.write(&secret);
        let at = (0..=written.len() * percent / 100).rev().find(|at| written.is_char_boundary(*at)).unwrap();
        let secrets = Secrets::new([secret.clone()]);
        let head = secrets.masked(format!(": {}{CUT}", &written[..at]));
        let tail = secrets.masked(format!("{CUT}{} :", &written[at..]));
        // Two characters are no secret, of which one may be an escape.
        let most = 2 * 12 + CUT.len() + 2 + if matches!(encoding, Encoding::Base64(..)) { 8 } else { 0 };
        prop_assert!(head.replace(MASK, "").len() <= most, "{:?} {:?}", &written[..at], head);
        prop_assert!(tail.replace(MASK, "").len() <= most, "{:?} {:?}", &written[at..], tail);
        Ok(())
    });
}

#[test]
fn a_secret_that_comes_in_pieces_is_held_until_it_is_whole() {
    let input = (secrets(), encodings(), around(), vec(0..100_usize, 1..4));
    fuzz(150, &input, |(secret, encoding, around, mut cuts)| {
        let text = format!("{around} {} :\n{around}", encoding.write(&secret));
        let secrets = Secrets::new([secret.clone()]);
        cuts.sort_unstable();
        cuts.push(100);
        let (mut held, mut out, mut from) = (String::new(), String::new(), 0);
        for cut in cuts {
            let to = (0..=text.len() * cut / 100).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            held.push_str(&text[from..to.max(from)]);
            from = to.max(from);
            let rest = held.split_off(secrets.open_end(&held));
            out.push_str(&secrets.masked(std::mem::replace(&mut held, rest)));
        }
        out.push_str(&secrets.masked(held));
        // Of a line that ends before base64 goes on, one character with a few bits may be left.
        let whole = secrets.masked(text);
        let is_left = matches!(encoding, Encoding::Base64(_, _, Some(_))) && out.len() <= whole.len() + 1;
        prop_assert!(out == whole || is_left, "{:?} {:?}", out, whole);
        Ok(())
    });
}
