//! The bytes of a file on their way to it: as they are, or compressed.

use super::error::WriteError;
use super::target::Target;
use super::terminal::Terminal;
use crate::model::OutputCompression;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use zstd::stream::write::Encoder as ZstdEncoder;

/// Writes to a file. What is written is complete only after [`ByteSink::finish`].
pub(super) enum ByteSink {
    Plain(File),
    Gzip(Box<GzEncoder<File>>),
    Zstd(Box<ZstdEncoder<'static, File>>),
    Terminal(Terminal),
}

impl ByteSink {
    /// Begins a file of a target.
    pub(super) fn of(target: &Target, file: File) -> Result<Self, WriteError> {
        if !target.is_stdout() || !file.is_terminal() {
            return Ok(Self::begin(file, target.compression)?);
        }
        match target.compression {
            OutputCompression::None => Ok(Self::Terminal(Terminal::new(file, target.format))),
            _ => Err(WriteError::Occupied("it is a terminal, which cannot show compressed data".to_owned())),
        }
    }

    /// Begins a file.
    pub(super) fn begin(file: File, compression: OutputCompression) -> io::Result<Self> {
        Ok(match compression {
            OutputCompression::None => Self::Plain(file),
            // Neither a name nor a time: the same records give the same file.
            OutputCompression::Gzip => Self::Gzip(Box::new(GzEncoder::new(file, Compression::default()))),
            OutputCompression::Zstd => {
                let mut encoder = ZstdEncoder::new(file, zstd::DEFAULT_COMPRESSION_LEVEL)?;
                encoder.include_checksum(true)?;
                Self::Zstd(Box::new(encoder))
            }
        })
    }

    /// Waits until what has reached the file so far is on disk.
    pub(super) fn sync_data(&self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.sync_data(),
            Self::Gzip(encoder) => encoder.get_ref().sync_data(),
            Self::Zstd(encoder) => encoder.get_ref().sync_data(),
            Self::Terminal(_) => Ok(()),
        }
    }

    /// Writes what is left.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut file) => file.flush(),
            Self::Gzip(encoder) => encoder.finish().map(drop),
            Self::Zstd(encoder) => encoder.finish().map(drop),
            Self::Terminal(terminal) => terminal.finish(),
        }
    }
}

impl Write for ByteSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
            Self::Terminal(terminal) => terminal.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // A compressor that is flushed early compresses worse.
        Ok(())
    }
}
