//! Gzip with several members, and zeros after them, as tape drives and some writers leave them. Anything else there is an
//! error.

use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, BufReader, Read};

/// Decompresses gzip data.
pub(super) enum Gzip<R> {
    /// Before the first member.
    Begin(BufReader<R>),
    /// In a member.
    Member(Box<GzDecoder<BufReader<R>>>),
    /// After a member; whether zeros followed it.
    Behind(BufReader<R>, bool),
    /// Everything was read, or reading has failed.
    Ended,
}

impl<R: Read> Gzip<R> {
    /// Decompresses what `inner` gives.
    pub(super) fn new(inner: R) -> Self {
        Self::Begin(BufReader::with_capacity(64 << 10, inner))
    }

    /// What follows a member.
    fn follow(mut inner: BufReader<R>, mut zeros: bool) -> io::Result<Self> {
        loop {
            let bytes = inner.fill_buf()?;
            let Some(first) = bytes.first() else { return Ok(Self::Ended) };
            if *first != 0 {
                break;
            }
            zeros = true;
            let count = bytes.iter().take_while(|byte| **byte == 0).count();
            inner.consume(count);
        }
        if zeros || inner.buffer().first() != Some(&0x1F) {
            let message = "the compressed data is followed by bytes that are not gzip";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(Self::Member(Box::new(GzDecoder::new(inner))))
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            *self = match std::mem::replace(self, Self::Ended) {
                Self::Begin(inner) => Self::Member(Box::new(GzDecoder::new(inner))),
                Self::Member(mut member) => {
                    let read = member.read(buffer)?;
                    if read > 0 {
                        *self = Self::Member(member);
                        return Ok(read);
                    }
                    Self::Behind(member.into_inner(), false)
                }
                Self::Behind(inner, zeros) => Self::follow(inner, zeros)?,
                Self::Ended => return Ok(0),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn member(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        Gzip::new(bytes).read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn members_follow_each_other_and_zeros_the_last_one() {
        let two = [member("a\n"), member(""), member("b\n")].concat();
        assert_eq!(read(&two).unwrap(), "a\nb\n");
        assert_eq!(read(&[two.as_slice(), &[0; 70_000]].concat()).unwrap(), "a\nb\n");
    }

    #[test]
    fn anything_else_is_an_error() {
        let whole = member("some text\n");
        for rest in [&b"x"[..], b"\0\0x", b"\x1F", b"\x1F\x8B", &[b'x'; 100]] {
            assert!(read(&[whole.as_slice(), rest].concat()).is_err(), "{rest:?}");
        }
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end} bytes");
        }
        let after_zeros = [whole.as_slice(), &[0; 10], &whole].concat();
        assert!(read(&after_zeros).is_err());
    }
}
