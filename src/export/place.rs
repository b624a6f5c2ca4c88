//! Where a file or a folder of files comes into being: aside, and then into place whole.

use super::error::Trouble;
use super::leftover;
use super::parts::PartsAside;
use super::write::Target;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// One file, or a folder of parts.
#[derive(Debug)]
pub(super) enum Place {
    /// `path` is a file.
    One(Aside),
    /// `path` is a folder.
    Parts(PartsAside),
}

impl Place {
    /// Begins what will stand at the target.
    pub(super) fn begin(target: &Target) -> Result<Self, Trouble> {
        if target.parts {
            PartsAside::begin(&target.path, target.format).map(Self::Parts)
        } else {
            Aside::begin(&target.path).map(Self::One)
        }
    }

    /// A file to write to: the only one, or the next part.
    pub(super) fn next_file(&mut self) -> Result<File, Trouble> {
        match self {
            Self::One(aside) => Ok(aside.file.try_clone()?),
            Self::Parts(parts) => parts.next_file(),
        }
    }

    /// Puts it into place. When this returns, it survives a power cut.
    pub(super) fn commit(self) -> Result<(), Trouble> {
        match self {
            Self::One(aside) => aside.commit(),
            Self::Parts(parts) => parts.commit(),
        }
    }
}

/// A file under way. Dropped without [`Aside::commit`], it is gone.
#[derive(Debug)]
pub(super) struct Aside {
    path: PathBuf,
    aside: PathBuf,
    pub(super) file: File,
    done: bool,
}

impl Aside {
    /// Begins a file that will stand at `path`; makes the folders above it.
    pub(super) fn begin(path: &Path) -> Result<Self, Trouble> {
        // A link stays, and what it leads to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.components().collect());
        if fs::metadata(&path).is_ok_and(|there| !there.is_file()) {
            let what = if path.is_dir() { "a folder" } else { "no regular file" };
            return Err(Trouble::Taken(format!("it is {what}")));
        }
        fs::create_dir_all(folder_of(&path))?;
        leftover::clear(&path);
        let aside = leftover::aside(&path);
        let file = File::create(&aside)?;
        let begun = Self { path, aside, file, done: false };
        begun.file.lock()?;
        Ok(begun)
    }

    /// Puts it into place. When this returns, it survives a power cut.
    pub(super) fn commit(mut self) -> Result<(), Trouble> {
        self.file.sync_all()?;
        fs::rename(&self.aside, &self.path)?;
        self.done = true;
        sync_folder(&self.path)?;
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.done {
            drop(fs::remove_file(&self.aside));
        }
    }
}

/// The folder that `path` stands in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes names in the folder of `path` durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn nothing_is_seen_of_a_file_before_it_is_whole_and_nothing_left_of_one_that_failed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/a.jsonl");
        let mut begun = Aside::begin(&path).unwrap();
        begun.file.write_all(b"1\n").unwrap();
        assert!(!path.exists());
        begun.commit().unwrap();
        let mut failed = Aside::begin(&path).unwrap();
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
        Aside::begin(&link).unwrap().commit().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"");
    }
}
