//! What a path points to: a file, which can be read again, or a stream, which cannot.

use super::file_state::FileState;
use super::member::Member;
use super::meter::{Meter, Metered};
use super::stream::{Stopped, Stream};
use super::whole_file::WholeFile;
use crossbeam_channel::Receiver;
use std::convert::Infallible;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// What a path points to, as it was when it was first opened.
#[derive(Debug, Clone)]
pub(in crate::sources) enum Input {
    /// A file.
    File(FileState),
    /// A pipe, a device or a socket.
    Stream(Stream),
    /// A member of an archive.
    Member(Member),
    /// Part of an archive that cannot be read, and why.
    Refused(Arc<str>),
    /// Nothing, or something that cannot be read. The error comes when it is opened.
    Unreadable,
}

/// Whether what is read is needed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sources) enum Purpose {
    /// It is: a stream keeps it.
    Look,
    /// It is not.
    Read,
}

impl Input {
    /// What the path points to. Reads of a stream end when `stop` is disconnected.
    pub(in crate::sources) fn of(path: &Path, metadata: Option<&Metadata>, stop: &Receiver<Infallible>) -> Self {
        match metadata {
            Some(metadata) if metadata.is_file() => Self::File(FileState::of(metadata)),
            Some(metadata) if !metadata.is_dir() => Self::Stream(Stream::new(path, stop)),
            _ => Self::Unreadable,
        }
    }

    /// The bytes at the path.
    ///
    /// # Errors
    /// If they cannot be read, or not any more.
    pub(in crate::sources) fn open(
        &self,
        path: &Path,
        purpose: Purpose,
        meter: &Meter,
    ) -> io::Result<Box<dyn Read + Send>> {
        let meter = meter.clone();
        match self {
            Self::File(state) => {
                let input = WholeFile::new(File::open(path)?, *state, meter.clone())?;
                Ok(Box::new(Metered { input, meter }))
            }
            Self::Stream(stream) => {
                let input = if purpose == Purpose::Look { stream.look()? } else { stream.read()? };
                Ok(Box::new(Metered { input, meter }))
            }
            Self::Member(member) => member.open(meter),
            Self::Refused(why) => Err(io::Error::other(why.to_string())),
            Self::Unreadable => {
                File::open(path)?;
                Err(io::Error::other(if path.is_dir() { "it is a directory" } else { "it is not a file" }))
            }
        }
    }

    /// The file at the path, which must not have changed at all.
    ///
    /// # Errors
    /// If it cannot be opened, has changed, or is a stream.
    pub(in crate::sources) fn open_unchanged(&self, path: &Path) -> io::Result<File> {
        match self {
            Self::File(state) => {
                let file = File::open(path)?;
                state.check_same(&file)?;
                Ok(file)
            }
            Self::Stream(_) => {
                Err(io::Error::other("it is a stream, but Parquet is read from the end; use a regular file"))
            }
            Self::Member(_) => Err(io::Error::other("Parquet files in an archive are not read; unpack the archive")),
            Self::Unreadable | Self::Refused(_) => {
                self.open(path, Purpose::Look, &Meter::default()).and_then(|_| File::open(path))
            }
        }
    }

    /// Checks that an open file is still as it was.
    ///
    /// # Errors
    /// If it is not.
    pub(in crate::sources) fn check_unchanged(&self, file: &File) -> io::Result<()> {
        if let Self::File(state) = self { state.check_same(file) } else { Ok(()) }
    }

    /// Whether it is a stream.
    pub(in crate::sources) fn is_stream(&self) -> bool {
        matches!(self, Self::Stream(_))
    }

    /// Whether it is a stream that is being read, or was.
    pub(in crate::sources) fn is_used_up(&self) -> bool {
        matches!(self, Self::Stream(stream) if stream.is_read())
    }
}

/// Whether reading ended because the bytes are no longer needed.
pub(in crate::sources) fn is_stopped(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<Stopped>())
}
