//! Text of any encoding as UTF-8, without a byte order mark.

use super::transcoder::Transcoder;
use encoding_rs::{Encoding, UTF_8};
use std::io::{self, Read};

/// Text of this encoding as UTF-8, without the byte order mark that it may begin with.
pub(crate) fn decode(bytes: Box<dyn Read + Send>, encoding: &'static Encoding) -> io::Result<Box<dyn Read + Send>> {
    if encoding == UTF_8 {
        return Ok(Box::new(WithoutMark::new(bytes)?));
    }
    Ok(Box::new(Transcoder::new(bytes, encoding.new_decoder())))
}

/// A stream without the byte order mark that it may begin with. Bytes that are not UTF-8 stay, so that their row fails.
struct WithoutMark<R> {
    inner: R,
    head: Vec<u8>,
}

impl<R: Read> WithoutMark<R> {
    fn new(mut inner: R) -> io::Result<Self> {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        let mut head = Vec::with_capacity(MARK.len());
        inner.by_ref().take(MARK.len() as u64).read_to_end(&mut head)?;
        if head == MARK {
            head.clear();
        }
        Ok(Self { inner, head })
    }
}

impl<R: Read> Read for WithoutMark<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.head.is_empty() {
            return self.inner.read(buffer);
        }
        let count = self.head.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.head[..count]);
        self.head.drain(..count);
        Ok(count)
    }
}
