//! A file that is written at a temporary path and moved to its final path once it is complete.

use super::error::WriteError;
use super::temporary::{folder_of, mode_of, sync_folder, temporary_file};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file that is being written at a temporary path. It is deleted unless [`StagedFile::commit`] is called.
#[derive(Debug)]
pub(super) struct StagedFile {
    path: PathBuf,
    temporary: NamedTempFile,
}

impl StagedFile {
    /// Begins a file for `path`, and creates the folders above it.
    pub(super) fn begin(path: &Path) -> Result<Self, WriteError> {
        // A link stays, and the file that it points to is replaced.
        let path = match fs::canonicalize(path) {
            Ok(real) => real,
            Err(_) if path.is_symlink() => {
                return Err(WriteError::Occupied("it is a broken symbolic link".to_owned()));
            }
            Err(_) => path.components().collect(),
        };
        check_replaceable(&path)?;
        fs::create_dir_all(folder_of(&path))?;
        let temporary = temporary_file(&path)?;
        if let Some(mode) = mode_of(&path) {
            temporary.as_file().set_permissions(mode)?;
        }
        Ok(Self { path, temporary })
    }

    /// The file to write to.
    pub(super) fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// Moves it to its path. When this returns, the file survives a power failure.
    pub(super) fn commit(self) -> Result<(), WriteError> {
        self.temporary.as_file().sync_all()?;
        let path = self.path.clone();
        self.rename()?;
        sync_folder(&path)?;
        Ok(())
    }

    /// Moves it to its path. Readers see it whole, but it may be lost in a power failure.
    pub(super) fn rename(self) -> Result<(), WriteError> {
        check_replaceable(&self.path)?;
        self.temporary.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Checks that the path is free, or holds a regular file: no folder, device, pipe or socket is ever replaced.
fn check_replaceable(path: &Path) -> Result<(), WriteError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Creating the directories above it will report why.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(()),
        Err(error) => Err(error.into()),
        Ok(there) if there.is_file() => Ok(()),
        Ok(there) => {
            let what = if there.is_dir() { "a directory" } else { "not a regular file" };
            Err(WriteError::Occupied(format!("it is {what}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn nothing_is_seen_of_a_file_before_it_is_whole_and_nothing_left_of_one_that_failed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/a.jsonl");
        let mut staged = StagedFile::begin(&path).unwrap();
        staged.file().write_all(b"1\n").unwrap();
        assert!(!path.exists());
        staged.commit().unwrap();
        let mut failed = StagedFile::begin(&path).unwrap();
        failed.file().write_all(b"2\n").unwrap();
        drop(failed);
        assert_eq!(fs::read(&path).unwrap(), b"1\n");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_keeps_the_mode_of_the_one_it_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for mode in [0o600, 0o664, 0o444] {
            fs::write(folder.path().join("new"), "old").unwrap();
            fs::rename(folder.path().join("new"), &path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let mut staged = StagedFile::begin(&path).unwrap();
            // Nobody may read the new content before, either.
            assert_eq!(staged.file().metadata().unwrap().permissions().mode() & 0o777, mode);
            staged.commit().unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            assert_eq!(fs::read(&path).unwrap(), b"");
        }
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        StagedFile::begin(&link).unwrap().commit().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"");
    }

    #[test]
    fn only_regular_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("folder")).unwrap();
        std::os::unix::fs::symlink("nowhere", path("link")).unwrap();
        std::os::unix::fs::symlink("/dev/null", path("null")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        for name in ["folder", "link", "null", "socket"] {
            assert!(matches!(StagedFile::begin(&path(name)), Err(WriteError::Occupied(_))), "{name}");
        }
        let staged = StagedFile::begin(&path("late")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("late")).unwrap();
        assert!(matches!(staged.commit(), Err(WriteError::Occupied(_))));
    }
}
