//! One member of a zip archive, read like a file.

use super::compressed::decompressed;
use super::file_state::FileState;
use super::meter::{Meter, Metered};
use crate::spec::Compression;
use flate2::Crc;
use flate2::read::DeflateDecoder;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Beyond this size, a member that is many times as large as its data is not read any further.
const LARGE: u64 = 1 << 30;

/// How many times. Text is seldom a fiftieth; the most that the format can do is a thousandth.
const MOST_TIMES: u64 = 400;

/// A member of an archive, as it was when the archive was opened.
#[derive(Debug, Clone)]
pub(in crate::sources) struct Member {
    pub(super) archive: Arc<OpenedArchive>,
    /// Where its data begin.
    pub(super) start: u64,
    /// Their size.
    pub(super) packed: u64,
    /// Its own size.
    pub(super) size: u64,
    pub(super) checksum: u32,
    pub(super) packing: Packing,
}

/// An archive.
#[derive(Debug)]
pub(super) struct OpenedArchive {
    path: PathBuf,
    state: FileState,
}

/// How data are compressed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Packing {
    Stored,
    Deflated,
    Other(Compression),
}

impl Member {
    /// The archive at this path, as it is now.
    pub(super) fn archive(path: &Path, file: &File) -> io::Result<Arc<OpenedArchive>> {
        Ok(Arc::new(OpenedArchive { path: path.to_path_buf(), state: FileState::of(&file.metadata()?) }))
    }

    /// Its bytes.
    ///
    /// # Errors
    /// If the archive cannot be opened, or has changed.
    pub(super) fn open(&self, meter: Meter) -> io::Result<Box<dyn Read + Send>> {
        let file = File::open(&self.archive.path)?;
        self.archive.state.check_same(&file)?;
        let data = Data { file: file.try_clone()?, at: self.start, left: self.packed };
        let data = Box::new(Metered { input: data, meter });
        let text: Box<dyn Read + Send> = match self.packing {
            Packing::Stored => data,
            Packing::Deflated => Box::new(DeflateDecoder::new(data)),
            Packing::Other(compression) => decompressed(data, compression)?,
        };
        Ok(Box::new(Checked { text, member: self.clone(), file, crc: Crc::new(), read: 0 }))
    }
}

/// A part of a file.
struct Data {
    file: File,
    at: u64,
    left: u64,
}

impl Read for Data {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read_at(&mut buffer[..most], self.at)?;
        (self.at, self.left) = (self.at + read as u64, self.left - read as u64);
        Ok(read)
    }
}

/// The text of a member, compared with what the archive says of it.
struct Checked {
    text: Box<dyn Read + Send>,
    member: Member,
    file: File,
    crc: Crc,
    read: u64,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = self.text.read(buffer)?;
        self.read += read as u64;
        if read == 0 {
            self.member.archive.state.check_same(&self.file)?;
        }
        let Member { size, packed, checksum, .. } = self.member;
        let wrong = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        if self.read > size || read == 0 && self.read < size {
            return wrong("the archive is damaged: the member has another size than the archive says");
        }
        if is_bomb(self.read, packed) {
            return wrong(
                "it is more than 1 GiB, and 400 times as large as its data in the archive, so it may be an attack; \
                 unpack the archive to read it all the same",
            );
        }
        self.crc.update(&buffer[..read]);
        if read == 0 && self.crc.sum() != checksum {
            return wrong("the archive is damaged: the checksum of the member is wrong");
        }
        Ok(read)
    }
}

fn is_bomb(read: u64, packed: u64) -> bool {
    read > LARGE && read / packed.max(1) > MOST_TIMES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_an_attack_only_if_it_is_large_and_hardly_any_data() {
        assert!(is_bomb(LARGE + 1, 1 << 20));
        assert!(!is_bomb(LARGE, 1 << 20));
        assert!(!is_bomb(50 * LARGE, LARGE));
    }
}
