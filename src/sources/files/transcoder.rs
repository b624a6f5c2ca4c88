//! Text of another encoding, read as UTF-8.
//!
//! Not `encoding_rs_io`, which replaces malformed bytes: the row that has them must fail.

use encoding_rs::{Decoder, DecoderResult};
use std::io::{self, Read};

/// A stream of another encoding as UTF-8, without a byte order mark. Bytes that the encoding does not define become a byte
/// that is not UTF-8, so that their row fails.
pub(super) struct Transcoder<R> {
    inner: R,
    decoder: Decoder,
    /// What was read, and how much of it has been decoded.
    raw: Vec<u8>,
    used: usize,
    /// What was decoded, and how much of it has been handed out.
    text: Vec<u8>,
    taken: usize,
    ended: bool,
    /// Whether the decoder has nothing left.
    done: bool,
}

impl<R: Read> Transcoder<R> {
    const BUFFER: usize = 64 << 10;

    pub(super) fn new(inner: R, decoder: Decoder) -> Self {
        Self { inner, decoder, raw: Vec::new(), used: 0, text: Vec::new(), taken: 0, ended: false, done: false }
    }

    /// Decodes more; false at the end.
    fn decode(&mut self) -> io::Result<bool> {
        if self.done {
            return Ok(false);
        }
        if self.used == self.raw.len() && !self.ended {
            self.raw.resize(Self::BUFFER, 0);
            let read = self.inner.read(&mut self.raw);
            self.raw.truncate(*read.as_ref().unwrap_or(&0));
            self.ended = read? == 0;
            self.used = 0;
        }
        self.text.resize(Self::BUFFER, 0);
        let (result, used, written) =
            self.decoder.decode_to_utf8_without_replacement(&self.raw[self.used..], &mut self.text, self.ended);
        self.text.truncate(written);
        (self.used, self.taken) = (self.used + used, 0);
        match result {
            DecoderResult::InputEmpty => self.done = self.ended,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => self.text.push(0xFF),
        }
        Ok(true)
    }
}

impl<R: Read> Read for Transcoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.text.len() {
            if !self.decode()? {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.text.len() - self.taken);
        buffer[..count].copy_from_slice(&self.text[self.taken..][..count]);
        self.taken += count;
        Ok(count)
    }
}
