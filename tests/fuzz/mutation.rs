//! Bytes that were cut, swapped, doubled and overwritten.

use proptest::collection::vec;
use proptest::prelude::*;

/// One change of a text or a file. Places and lengths are fractions of 65,536, so that a change fits any file.
#[derive(Debug, Clone)]
pub enum Mutation {
    /// Another byte at this place.
    Byte(u16, u8),
    /// One bit is flipped.
    Bit(u16, u8),
    /// Everything from this place on is gone.
    Cut(u16),
    /// A piece is gone.
    Gone(u16, u16),
    /// A piece is there again, at another place.
    Copied(u16, u16, u16),
    /// A piece is zeros.
    Zeros(u16, u16),
    /// A word is put in.
    Word(u16, &'static str),
    /// A word is put in so many times.
    Words(u16, &'static str, u16),
}

/// Some changes; `words` are what the format's reader pays attention to.
pub fn mutations(words: &'static [&'static str]) -> impl Strategy<Value = Vec<Mutation>> {
    let at = any::<u16>;
    let length = || prop_oneof![4 => 0..64_u16, 1 => any::<u16>()];
    let word = move || proptest::sample::select(words);
    vec(
        prop_oneof![
            2 => (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
            2 => (at(), 0..8_u8).prop_map(|(at, bit)| Mutation::Bit(at, bit)),
            1 => at().prop_map(Mutation::Cut),
            2 => (at(), length()).prop_map(|(at, length)| Mutation::Gone(at, length)),
            2 => (at(), length(), at()).prop_map(|(from, length, to)| Mutation::Copied(from, length, to)),
            1 => (at(), length()).prop_map(|(at, length)| Mutation::Zeros(at, length)),
            4 => (at(), word()).prop_map(|(at, word)| Mutation::Word(at, word)),
            1 => (at(), word(), 0..5_000_u16).prop_map(|(at, word, times)| Mutation::Words(at, word, times)),
        ],
        1..6,
    )
}

impl Mutation {
    /// The bytes after the change.
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |fraction: u16| bytes.len() * usize::from(fraction) / 65_536;
        let piece = |from: u16, length: u16| at(from)..(at(from) + usize::from(length)).min(bytes.len());
        match *self {
            Self::Byte(_, _) | Self::Bit(_, _) if bytes.is_empty() => {}
            Self::Byte(place, byte) => {
                let place = at(place);
                bytes[place] = byte;
            }
            Self::Bit(place, bit) => {
                let place = at(place);
                bytes[place] ^= 1 << bit;
            }
            Self::Cut(place) => bytes.truncate(at(place)),
            Self::Gone(from, length) => drop(bytes.drain(piece(from, length))),
            Self::Copied(from, length, to) => {
                let (copy, to) = (bytes[piece(from, length)].to_vec(), at(to));
                bytes.splice(to..to, copy);
            }
            Self::Zeros(from, length) => {
                let piece = piece(from, length);
                bytes[piece].fill(0);
            }
            Self::Word(place, word) => {
                let place = at(place);
                bytes.splice(place..place, word.bytes());
            }
            Self::Words(place, word, times) => {
                let place = at(place);
                bytes.splice(place..place, word.repeat(usize::from(times)).into_bytes());
            }
        }
    }
}

/// The bytes after all changes.
pub fn mutated(bytes: &[u8], mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for mutation in mutations {
        mutation.apply(&mut bytes);
    }
    bytes
}
