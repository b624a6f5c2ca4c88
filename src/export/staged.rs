//! The output of a step while it is being written: one file, a folder of parts, or stdout.

use super::error::WriteError;
use super::staged_file::StagedFile;
use super::staged_parts::StagedParts;
use super::target::Target;
use rustix::fs::OFlags;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// One file, a folder of parts, or stdout.
#[derive(Debug)]
pub(super) enum StagedOutput {
    /// `path` is a file.
    File(StagedFile),
    /// `path` is a folder.
    Parts(StagedParts),
    /// `path` is stdout, which gets everything at once.
    Stdout,
}

impl StagedOutput {
    /// Begins what the target asks for.
    pub(super) fn begin(target: &Target) -> Result<Self, WriteError> {
        if target.is_stdout() {
            if is_closed(io::stdout().as_fd()) {
                return Err(WriteError::Occupied("it is closed; redirect it, or name a file in `path`".to_owned()));
            }
            Ok(Self::Stdout)
        } else if target.parts {
            StagedParts::begin(target).map(Self::Parts)
        } else {
            StagedFile::begin(&target.path).map(Self::File)
        }
    }

    /// A file to write to: the only one, or the next part.
    pub(super) fn next_file(&mut self) -> Result<File, WriteError> {
        match self {
            Self::File(staged) => Ok(staged.file().try_clone()?),
            Self::Parts(staged) => staged.next_file(),
            Self::Stdout => Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
        }
    }

    /// Moves it to its path. When this returns, it survives a power failure.
    pub(super) fn commit(self) -> Result<(), WriteError> {
        match self {
            Self::File(staged) => staged.commit(),
            Self::Parts(staged) => staged.commit(),
            Self::Stdout => Ok(()),
        }
    }
}

/// Whether stdout was closed when the program began. The standard library then puts `/dev/null` in its place, open for reading
/// too, which a shell never does with `> /dev/null`.
fn is_closed(stdout: BorrowedFd<'_>) -> bool {
    let is_null = || {
        let (is, null) = (rustix::fs::fstat(stdout).ok()?, rustix::fs::stat("/dev/null").ok()?);
        Some(is.st_rdev == null.st_rdev && is.st_mode == null.st_mode)
    };
    let flags = rustix::fs::fcntl_getfl(stdout).unwrap_or(OFlags::WRONLY);
    flags.contains(OFlags::RDWR) && is_null() == Some(true)
}
