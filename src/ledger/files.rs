//! Files and directories of a run: private to their owner, appended to, or replaced as a whole.
//!
//! Owns how they are created. What is in them is up to the callers.

use super::error::LedgerError;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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

/// Opens a file for appending that only its owner may read.
pub(super) fn private_file(path: &Path) -> Result<File, LedgerError> {
    let file = File::options().create(true).append(true).read(true).mode(0o600).open(path);
    file.map_err(|source| io_error("write", path, source))
}

/// Replaces a file that only its owner may read. It is written under another name and then renamed, so that nobody reads
/// half of it.
pub(super) fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<io::Result<()>, LedgerError>,
) -> Result<(), LedgerError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let failed = |source| io_error("write", path, source);
    let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&temporary).map_err(failed)?;
    let mut out = BufWriter::new(file);
    let written = write(&mut out).and_then(|written| written.and_then(|()| out.flush()).map_err(failed));
    let done = written.and_then(|()| fs::rename(&temporary, path).map_err(failed));
    if done.is_err() {
        drop(fs::remove_file(&temporary));
    }
    done
}

/// Deletes a file. A missing file is fine.
pub(super) fn remove_file(path: &Path) -> Result<(), LedgerError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(io_error("delete", path, source)),
        _ => Ok(()),
    }
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
