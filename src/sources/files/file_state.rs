//! The state of a file, to tell whether it has changed.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;

/// A file's identity, size and modification time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sources) struct FileState {
    place: (u64, u64),
    pub(super) size: u64,
    modified: (i64, i64),
}

/// How a file differs from what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It is the same.
    None,
    /// It has become longer.
    Longer,
    /// It is not the same any more.
    Other(&'static str),
}

impl FileState {
    /// The state that this metadata describes.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            place: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// Whether the kernel generates the file as it is read, as under `/proc`, so that its size is unknown.
    pub(super) fn is_without_size(&self) -> bool {
        self.size == 0
    }

    /// Checks that an open file is still in this state.
    pub(super) fn check_same(&self, file: &File) -> io::Result<()> {
        match self.change_to(&Self::of(&file.metadata()?)) {
            Change::None => Ok(()),
            Change::Longer => Err(io::Error::other("it has grown since it was opened")),
            Change::Other(what) => Err(io::Error::other(what)),
        }
    }

    /// How it has changed.
    pub(super) fn change_to(&self, now: &Self) -> Change {
        if (self.size, self.modified) == (now.size, now.modified) {
            Change::None
        } else if self.place != now.place {
            Change::Other("it was replaced after it was opened")
        } else if now.size > self.size {
            Change::Longer
        } else if now.size < self.size {
            Change::Other("it was truncated after it was opened")
        } else {
            Change::Other("it was changed after it was opened")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, FileTimes, OpenOptions};
    use std::io::Write;
    use std::time::SystemTime;

    #[test]
    fn a_file_that_is_not_what_it_was_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv.gz");
        let changed = |change: &dyn Fn()| {
            fs::write(&path, "four").unwrap();
            let file = File::open(&path).unwrap();
            file.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH)).unwrap();
            let state = FileState::of(&file.metadata().unwrap());
            change();
            state.check_same(&File::open(&path).unwrap()).map_err(|error| error.to_string())
        };
        assert_eq!(changed(&|| {}), Ok(()));
        let grow = || OpenOptions::new().append(true).open(&path).unwrap().write_all(b"five").unwrap();
        assert!(changed(&grow).unwrap_err().contains("grown"));
        assert!(changed(&|| fs::write(&path, "two").unwrap()).unwrap_err().contains("truncated"));
        assert!(changed(&|| fs::write(&path, "FOUR").unwrap()).unwrap_err().contains("changed"));
        let replace = || {
            fs::write(folder.path().join("new"), "other").unwrap();
            fs::rename(folder.path().join("new"), &path).unwrap();
        };
        assert!(changed(&replace).unwrap_err().contains("replaced"));
    }
}
