//! The output of a step while it is being written: one file, a folder of parts, or stdout.

use super::error::WriteError;
use super::staged_file::StagedFile;
use super::staged_parts::StagedParts;
use super::target::Target;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

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
