//! A file that is written at a temporary path and moved to its own path once it is whole.

use super::error::WriteError;
use super::temporary::{delete_stale, folder_of, sync_folder, temporary_path};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A file that is being written at a temporary path. It is deleted unless [`StagedFile::commit`] is called.
#[derive(Debug)]
pub(super) struct StagedFile {
    path: PathBuf,
    temporary: PathBuf,
    pub(super) file: File,
    committed: bool,
}

impl StagedFile {
    /// Begins a file for `path`, and creates the folders above it.
    pub(super) fn begin(path: &Path) -> Result<Self, WriteError> {
        // A link stays, and the file that it leads to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.components().collect());
        if fs::metadata(&path).is_ok_and(|there| !there.is_file()) {
            let what = if path.is_dir() { "a directory" } else { "not a regular file" };
            return Err(WriteError::Occupied(format!("it is {what}")));
        }
        fs::create_dir_all(folder_of(&path))?;
        delete_stale(&path);
        let temporary = temporary_path(&path);
        let file = File::create(&temporary)?;
        let staged = Self { path, temporary, file, committed: false };
        staged.file.lock()?;
        Ok(staged)
    }

    /// Moves it to its path. When this returns, the file survives a power failure.
    pub(super) fn commit(mut self) -> Result<(), WriteError> {
        self.file.sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        self.committed = true;
        sync_folder(&self.path)?;
        Ok(())
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.committed {
            drop(fs::remove_file(&self.temporary));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn nothing_is_seen_of_a_file_before_it_is_whole_and_nothing_left_of_one_that_failed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/a.jsonl");
        let mut staged = StagedFile::begin(&path).unwrap();
        staged.file.write_all(b"1\n").unwrap();
        assert!(!path.exists());
        staged.commit().unwrap();
        let mut failed = StagedFile::begin(&path).unwrap();
        failed.file.write_all(b"2\n").unwrap();
        drop(failed);
        assert_eq!(fs::read(&path).unwrap(), b"1\n");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
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
}
