//! Text of another encoding, read as UTF-8.

use encoding_rs::{Decoder, DecoderResult};
use std::io::{self, Read};

/// A stream of another encoding as UTF-8, without a byte order mark. What its encoding does not know becomes a byte that is
/// not UTF-8, for the row to fail.
pub(super) struct Decoded<R> {
    inner: R,
    decoder: Decoder,
    /// What was read, and how much of it is used up.
    raw: Vec<u8>,
    used: usize,
    /// What was decoded, and how much of it was given out.
    text: Vec<u8>,
    given: usize,
    ended: bool,
    /// Whether the decoder has given its last.
    done: bool,
}

impl<R: Read> Decoded<R> {
    const ROOM: usize = 64 << 10;

    pub(super) fn new(inner: R, decoder: Decoder) -> Self {
        Self { inner, decoder, raw: Vec::new(), used: 0, text: Vec::new(), given: 0, ended: false, done: false }
    }

    /// Decodes more; false at the end.
    fn decode(&mut self) -> io::Result<bool> {
        if self.done {
            return Ok(false);
        }
        if self.used == self.raw.len() && !self.ended {
            self.raw.resize(Self::ROOM, 0);
            let read = self.inner.read(&mut self.raw);
            self.raw.truncate(*read.as_ref().unwrap_or(&0));
            self.ended = read? == 0;
            self.used = 0;
        }
        self.text.resize(Self::ROOM, 0);
        let (result, used, written) =
            self.decoder.decode_to_utf8_without_replacement(&self.raw[self.used..], &mut self.text, self.ended);
        self.text.truncate(written);
        (self.used, self.given) = (self.used + used, 0);
        match result {
            DecoderResult::InputEmpty => self.done = self.ended,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => self.text.push(0xFF),
        }
        Ok(true)
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() {
            if !self.decode()? {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.text.len() - self.given);
        buffer[..count].copy_from_slice(&self.text[self.given..][..count]);
        self.given += count;
        Ok(count)
    }
}
