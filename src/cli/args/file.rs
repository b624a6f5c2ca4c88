//! A file that a run writes besides its outputs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A file as the user named it, or `-` for stdout.
#[derive(Debug, Clone)]
pub struct FileArg {
    /// As it was typed.
    pub typed: PathBuf,
    /// Independent of the working directory, because a resumed run has its own.
    pub path: PathBuf,
}

impl FileArg {
    /// Whether it is `-`.
    pub fn is_stdout(&self) -> bool {
        self.typed == Path::new("-")
    }
}

/// Reads the value of an option.
pub fn file(value: OsString) -> Result<FileArg, String> {
    let typed = PathBuf::from(value);
    let path = std::path::absolute(&typed).map_err(|error| error.to_string())?;
    Ok(FileArg { typed, path })
}
