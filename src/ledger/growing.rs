//! Files that only grow: results and keys. Owns how far they count, and how safe they are from a power cut.

use super::error::LedgerError;
use super::folder::{io_error, private_file};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The death of the process at any instant. A power cut may take the last commits, never their order.
    #[default]
    Normal,
    /// A power cut too: the disk has confirmed all of it before it counts.
    Full,
}

impl Durability {
    /// SQLite's `synchronous`. A checkpoint waits for the disk; with one per 4,000 pages (16 MB) instead of 1,000, steps of many
    /// short items wait a quarter as often.
    pub(super) fn pragma(self) -> &'static str {
        match self {
            Self::Normal => "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000",
            Self::Full => "PRAGMA synchronous = FULL",
        }
    }
}

/// A file that only grows, and how much of it counts.
pub(super) struct Growing {
    path: PathBuf,
    file: File,
    end: u64,
}

impl Growing {
    /// Opens it and cuts off what no committed row points at: the torn end of an execution that was killed.
    pub(super) fn open(path: PathBuf, end: u64) -> Result<Self, LedgerError> {
        let file = private_file(&path)?;
        file.set_len(end).map_err(|source| io_error("write", &path, source))?;
        Ok(Self { path, file, end })
    }

    /// How much of it counts.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        self.file.write_all(bytes).map_err(|source| io_error("write", &self.path, source))?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Waits until the disk has all of it.
    pub(super) fn sync(&self) -> Result<(), LedgerError> {
        self.file.sync_data().map_err(|source| io_error("write", &self.path, source))
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) -> Result<(), LedgerError> {
        self.file.set_len(0).map_err(|source| io_error("write", &self.path, source))?;
        self.end = 0;
        Ok(())
    }
}

/// Waits until the disk has the names in a folder: a file that is synced, but whose name is not, is gone after a power cut.
pub(super) fn sync_folder(path: &Path) -> Result<(), LedgerError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|source| io_error("write", path, source))
}
