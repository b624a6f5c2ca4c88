//! What a secret looks like in a text from which escapes were removed: as it is, line by line, quoted for a shell, in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Shorter text is not masked, because it would be found everywhere.
pub(super) const SHORTEST: usize = 3;

/// Secrets with fewer bytes are not looked for within the base64 of a longer text: they would be found everywhere.
const SHORTEST_WITHIN: usize = 5;

/// One form of a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Form {
    pub(super) text: Vec<u8>,
    /// Whether the character before it has bits of the secret, as in base64.
    pub(super) before: bool,
    /// Whether the character after it has.
    pub(super) after: bool,
}

impl Form {
    /// The same in a text that is read from its end.
    pub(super) fn reversed(&self) -> Self {
        // What is before it then has no bits of a piece, for which alone it is looked.
        Self { text: self.text.iter().rev().copied().collect(), before: false, after: false }
    }
}

/// The forms of a secret. None of a secret that is too short.
pub(super) fn forms(value: &str) -> Vec<Form> {
    let mut plain = vec![value.to_owned()];
    // A secret may be shown line by line, and a file ends in a line break that its reader drops.
    plain.extend(value.lines().map(|line| line.trim().to_owned()).filter(|line| line.contains(char::is_alphanumeric)));
    plain.push(value.trim().to_owned());
    plain.retain(|text| text.chars().count() >= SHORTEST);
    let mut forms: Vec<Form> = plain.iter().flat_map(|text| based(text.as_bytes())).collect();
    let quoted = plain.iter().flat_map(|text| {
        [
            text.replace(' ', "+"),
            text.replace('\'', "'\\''"),
            text.replace('\'', "'\"'\"'"),
            text.replace('\'', "''"),
            latin(text),
        ]
    });
    let texts: Vec<String> = quoted.chain(plain.iter().cloned()).collect();
    forms.extend(texts.into_iter().map(|text| Form { text: text.into_bytes(), before: false, after: false }));
    forms
}

/// With the `\xe9` that Python writes for a character, where others mean a byte.
fn latin(text: &str) -> String {
    let write =
        |c: char| if ('\u{80}'..='\u{ff}').contains(&c) { format!("\\x{:02x}", u32::from(c)) } else { c.into() };
    text.chars().map(write).collect()
}

/// In base64: alone, and within a longer text, where it may begin at each third of a group. Only characters that hold nothing but
/// the secret.
fn based(value: &[u8]) -> Vec<Form> {
    let offsets = if value.len() < SHORTEST_WITHIN { 0..1 } else { 0..3 };
    let form = |offset: usize| {
        let mut padded = vec![0; offset];
        padded.extend_from_slice(value);
        let (first, bits) = ((8 * offset).div_ceil(6), 8 * padded.len());
        let text = STANDARD_NO_PAD.encode(&padded).as_bytes()[first..bits / 6].to_vec();
        let safe = text.iter().map(|c| match c {
            b'+' => b'-',
            b'/' => b'_',
            c => *c,
        });
        let (before, after) = (offset > 0, bits % 6 > 0);
        [Form { text: safe.collect(), before, after }, Form { text, before, after }]
    };
    offsets.flat_map(form).collect()
}

/// Whether base64 is made of it.
pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}
