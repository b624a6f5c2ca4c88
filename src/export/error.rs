//! Why results cannot be written.

use super::target::shown;
use std::io;
use std::path::{Path, PathBuf};

/// A file of results cannot be written. Whatever the path held before is still there.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {cause}", shown(.path))]
pub struct ExportError {
    path: PathBuf,
    #[source]
    cause: WriteError,
}

/// Why writing failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// A file or folder.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The results cannot be read.
    #[error("the results cannot be read: {0}")]
    Results(io::Error),
    /// The path holds something that must not be replaced.
    #[error("{0}")]
    Occupied(String),
    /// The format cannot hold the records.
    #[error("{0}")]
    Records(String),
}

impl WriteError {
    /// The error for this path.
    pub(super) fn at(self, path: &Path) -> ExportError {
        ExportError { path: path.to_path_buf(), cause: self }
    }
}
