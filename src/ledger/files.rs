//! Files and directories of a run: private to their owner, appended to, or replaced as a whole.
//!
//! Owns how they are created. What is in them is up to the callers.

use super::error::LedgerError;
use super::run_path::RunPath;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use tempfile::{Builder, NamedTempFile};

/// Creates a directory that only its owner may open: items and results may be secret.
pub(super) fn create_directory(path: &Path) -> Result<(), LedgerError> {
    let created = DirBuilder::new().mode(0o700).create(path);
    created.map_err(|source| io_error("create directory", path, source))
}

/// The same with all its parents. An existing directory is fine.
pub(super) fn create_directories(path: &Path) -> Result<(), LedgerError> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(|source| io_error("create directory", path, source))
}

/// Replaces a file that only its owner may read. It is written under another name and then renamed, so that nobody reads
/// half of it, not even after a power cut.
pub(super) fn write_atomically(
    path: &RunPath,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<io::Result<()>, LedgerError>,
) -> Result<(), LedgerError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = write_new(&path.folder(), (&format!(".{name}."), ".tmp"), write)?;
    temporary.persist(&**path).map_err(|error| io_error("write", path, error.error))?;
    Ok(())
}

/// Writes a file with a unique name that starts and ends like this, and waits until it is on disk. Only its owner may
/// read it. It is deleted unless it is renamed, and locked until then.
pub(super) fn write_new(
    folder: &RunPath,
    (prefix, suffix): (&str, &str),
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<io::Result<()>, LedgerError>,
) -> Result<NamedTempFile, LedgerError> {
    let failed = |source| io_error("write", folder, source);
    folder.check_folder()?;
    let temporary = Builder::new().prefix(prefix).suffix(suffix).tempfile_in(&**folder).map_err(failed)?;
    // If locks are not supported, no process can mistake the file for an abandoned one.
    let _ = temporary.as_file().try_lock();
    let mut out = BufWriter::new(temporary.as_file());
    write(&mut out)?.and_then(|()| out.flush()).map_err(failed)?;
    drop(out);
    temporary.as_file().sync_all().map_err(failed)?;
    Ok(temporary)
}

/// Which file is at a path: it may be deleted or replaced while it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u64, u64);

impl Place {
    /// The place of an open file.
    pub(super) fn of(file: &File, path: &Path) -> Result<Self, LedgerError> {
        Self::known(file.metadata(), path)
    }

    /// The place of the file at a path, which is not opened: to close it would end the locks that SQLite has on it.
    pub(super) fn at(path: &Path) -> Result<Self, LedgerError> {
        Self::known(fs::symlink_metadata(path), path)
    }

    fn known(metadata: io::Result<fs::Metadata>, path: &Path) -> Result<Self, LedgerError> {
        let metadata = metadata.map_err(|source| io_error("read", path, source))?;
        Ok(Self(metadata.dev(), metadata.ino()))
    }

    /// Checks that the file is still at its path.
    pub(super) fn check(self, path: &Path) -> Result<(), LedgerError> {
        let how = match fs::metadata(path) {
            Ok(metadata) if Self(metadata.dev(), metadata.ino()) == self => return Ok(()),
            Ok(_) => "replaced",
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => "deleted",
            Err(source) => return Err(io_error("read", path, source)),
        };
        Err(LedgerError::Gone { path: path.to_path_buf(), how })
    }
}

/// Deletes a file. A missing file is fine.
pub(super) fn remove_file(path: &RunPath) -> Result<(), LedgerError> {
    path.folder().check_folder()?;
    match fs::remove_file(&**path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(io_error("delete", path, source)),
        _ => Ok(()),
    }
}

/// Cuts off what a file has beyond its end. A new file is left alone: if a file was ever truncated to nothing, ext4 writes it to disk when
/// it is closed, which would delay the end of a step.
pub(super) fn cut(file: &File, end: u64) -> io::Result<()> {
    if file.metadata()?.len() == end { Ok(()) } else { file.set_len(end) }
}

/// Waits until the names in a directory are on disk: after a power cut, a file whose name was not synced is gone even if its
/// contents were.
pub(super) fn sync_directory(path: &Path) -> Result<(), LedgerError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|directory| directory.sync_all()).map_err(|source| io_error("write", path, source))
}

pub(super) fn io_error(action: &'static str, path: &Path, source: io::Error) -> LedgerError {
    LedgerError::Io { action, path: path.to_path_buf(), source }
}
