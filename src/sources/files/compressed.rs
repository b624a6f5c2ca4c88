//! Decompresses files, and finds out by their first bytes how they are compressed.

use super::gzip::Gzip;
use crate::spec::Compression;
use bzip2::read::MultiBzDecoder;
use lzma_rust2::XzReader;
use std::io::{self, Read};

/// The first bytes of compressed data.
const MAGICS: [(&[u8], Compression); 4] = [
    (b"\x1F\x8B", Compression::Gzip),
    (b"\x28\xB5\x2F\xFD", Compression::Zstd),
    (b"BZh", Compression::Bzip2),
    (b"\xFD7zXZ\0", Compression::Xz),
];

/// Decompresses data of several members, or gives it as it is.
pub(super) fn decompressed(input: Box<dyn Read + Send>, compression: Compression) -> io::Result<Box<dyn Read + Send>> {
    Ok(match compression {
        Compression::Gzip => Box::new(Gzip::new(input)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(input)?),
        Compression::Bzip2 => Box::new(MultiBzDecoder::new(input)),
        Compression::Xz => Box::new(XzReader::new(input, true)),
        Compression::Plain | Compression::Auto => input,
    })
}

/// How data is compressed, and the whole of it. No more is read than is needed to know, so that a stream that gives plain text
/// is not waited for.
pub(super) fn detect(mut input: Box<dyn Read + Send>) -> io::Result<(Compression, Box<dyn Read + Send>)> {
    let mut head = Vec::new();
    let found = loop {
        if let Some((_, found)) = MAGICS.iter().find(|(magic, _)| head.starts_with(magic)) {
            break *found;
        }
        let mut next = [0];
        if !MAGICS.iter().any(|(magic, _)| magic.starts_with(&head)) || input.read(&mut next)? == 0 {
            break Compression::Plain;
        }
        head.push(next[0]);
    };
    Ok((found, Box::new(io::Cursor::new(head).chain(input))))
}

/// The compression that a file extension stands for.
pub(super) fn of_extension(extension: &str) -> Option<Compression> {
    match extension {
        "gz" | "gzip" => Some(Compression::Gzip),
        "zst" | "zstd" => Some(Compression::Zstd),
        "bz2" => Some(Compression::Bzip2),
        "xz" => Some(Compression::Xz),
        _ => None,
    }
}
