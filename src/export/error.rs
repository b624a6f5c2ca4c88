//! Why results could not be written.

use std::io;
use std::path::{Path, PathBuf};

/// Trouble with a file of results; what stood there before still does.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{}`: {trouble}", .path.display())]
pub struct ExportError {
    path: PathBuf,
    #[source]
    trouble: Trouble,
}

/// What is in the way.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// A file or folder.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The results themselves cannot be had.
    #[error("the results cannot be read: {0}")]
    Results(io::Error),
    /// Something at the path that must not be replaced.
    #[error("{0}")]
    Taken(String),
    /// Records that the format cannot hold.
    #[error("{0}")]
    Records(String),
}

impl Trouble {
    /// The error for this path.
    pub(super) fn at(self, path: &Path) -> ExportError {
        ExportError { path: path.to_path_buf(), trouble: self }
    }
}
