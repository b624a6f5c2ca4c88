//! Where results go, and how much was written there.

use crate::model::OutputFormat;
use std::path::PathBuf;

/// Where results go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The file, or with `parts` the folder.
    pub path: PathBuf,
    /// The format of the file.
    pub format: OutputFormat,
    /// Whether `path` is a folder of files of limited size.
    pub parts: bool,
}

impl Target {
    /// Whether the path holds a file or folder, whichever it should be.
    pub fn exists(&self) -> bool {
        if self.parts { self.path.is_dir() } else { self.path.is_file() }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// How many records.
    pub records: u64,
}
