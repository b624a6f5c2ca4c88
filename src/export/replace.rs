//! Small files that are replaced again and again while a run goes.

use super::error::WriteError;
use super::staged_file::StagedFile;
use std::io::{self, Write};
use std::path::Path;

/// Replaces a file by one with these bytes: readers see the old one or the new one. Not flushed to disk, because it is
/// soon replaced again.
///
/// # Errors
/// If it cannot be written, or the path holds anything but a regular file.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let replace = || {
        let mut staged = StagedFile::begin(path)?;
        staged.file().write_all(bytes)?;
        staged.rename()
    };
    replace().map_err(|error| match error {
        WriteError::Io(error) => error,
        error => io::Error::other(error.to_string()),
    })
}
