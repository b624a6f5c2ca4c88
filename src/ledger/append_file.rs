//! Files that are only appended to: results and keys. Owns how much of them counts.

use super::error::LedgerError;
use super::files::{Place, cut, io_error};
use super::run_path::RunPath;
use std::fs::File;
use std::io::Write;

/// How many bytes of pieces are written at a time.
const TOGETHER: usize = 256 << 10;

/// A file that is only appended to, and how many of its bytes count.
pub(super) struct AppendFile {
    path: RunPath,
    file: File,
    place: Place,
    end: u64,
}

impl AppendFile {
    /// Opens it and cuts off what no committed row points at: the torn end that a killed execution left behind.
    pub(super) fn open(path: RunPath, end: u64) -> Result<Self, LedgerError> {
        let file = path.append()?;
        let place = Place::of(&file, &path)?;
        let mut opened = Self { path, file, place, end };
        opened.truncate(end)?;
        Ok(opened)
    }

    /// How many bytes count.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        self.file.write_all(bytes).map_err(|source| io_error("write", &self.path, source))?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Appends pieces: small ones together, large ones as they are, so that large results are not in memory twice.
    pub(super) fn append_all<'a>(&mut self, pieces: impl Iterator<Item = &'a [u8]>) -> Result<(), LedgerError> {
        let mut together = Vec::new();
        for piece in pieces {
            if together.len() + piece.len() <= TOGETHER {
                together.extend_from_slice(piece);
                continue;
            }
            self.append(&together)?;
            together.clear();
            self.append(piece)?;
        }
        self.append(&together)
    }

    /// Checks that the file is still there, and as long as it should be.
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        self.place.check(&self.path)?;
        let length = self.file.metadata().map_err(|source| io_error("read", &self.path, source))?.len();
        if length == self.end {
            Ok(())
        } else {
            Err(LedgerError::Gone { path: self.path.to_path_buf(), how: "changed" })
        }
    }

    /// Waits until all of it is on disk.
    pub(super) fn sync(&self) -> Result<(), LedgerError> {
        self.file.sync_data().map_err(|source| io_error("write", &self.path, source))
    }

    /// Cuts off everything from `end` on.
    pub(super) fn truncate(&mut self, end: u64) -> Result<(), LedgerError> {
        cut(&self.file, end).map_err(|source| io_error("write", &self.path, source))?;
        self.end = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `check` says of a file after something was done to it.
    fn after(change: impl Fn(&std::path::Path)) -> Result<(), LedgerError> {
        let folder = tempfile::tempdir().unwrap();
        let path = RunPath::new(folder.path().join("f"), 1);
        let mut file = AppendFile::open(path.clone(), 0)?;
        file.append(b"1\n2\n")?;
        change(&path);
        file.check()
    }

    #[test]
    fn pieces_of_any_size_are_appended_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = RunPath::new(folder.path().join("f"), 1);
        let mut file = AppendFile::open(path.clone(), 0).unwrap();
        let pieces = [vec![b'a'; 3], vec![b'b'; TOGETHER], vec![b'c'; TOGETHER - 1], vec![b'd'], vec![], vec![b'e']];
        file.append_all(pieces.iter().map(Vec::as_slice)).unwrap();
        assert!(std::fs::read(&*path).unwrap() == pieces.concat());
        assert_eq!(file.end(), pieces.concat().len() as u64);
    }

    #[test]
    fn a_file_that_is_gone_or_has_another_length_is_noticed() {
        use std::fs::{remove_file as remove, write};
        assert!(after(|_| ()).is_ok());
        let gone = |result| matches!(result, Err(LedgerError::Gone { .. }));
        assert!(gone(after(|path| remove(path).unwrap())));
        assert!(gone(after(|path| write(path, "1\n").unwrap())));
        assert!(gone(after(|path| write(path, "1\n2\n3\n").unwrap())));
        assert!(gone(after(|path| remove(path).and_then(|()| write(path, "1\n2\n")).unwrap())), "another file");
    }
}
