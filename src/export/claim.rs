//! Who writes to a path: one step of one run at a time.
//!
//! A lock file next to the path marks the claim. Two runs may share nothing else: neither the state directory nor the
//! process IDs of one machine. The lock ends with the process, however that ends.

use super::target::Target;
use super::temporary::{folder_of, is_temporary, lock_name};
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// The right to write to a path, until it is dropped.
#[derive(Debug)]
pub struct Claim {
    /// None if the path's folder has no room for a lock, or the file system knows none.
    lock: Option<Lock>,
    path: PathBuf,
}

#[derive(Debug)]
struct Lock {
    _file: File,
    path: PathBuf,
    /// The folders that were made for it, the innermost first.
    made: Vec<PathBuf>,
}

/// Another run writes to the path.
#[derive(Debug, thiserror::Error)]
#[error("another run is writing to `{}`", .0.display())]
pub struct Busy(PathBuf);

impl Claim {
    /// Claims the path of a target.
    ///
    /// # Errors
    /// If another run is writing there.
    pub fn take(target: &Target) -> Result<Self, Busy> {
        Self::take_path(&target.path)
    }

    /// Claims a path, and deletes what killed processes have left next to it.
    ///
    /// # Errors
    /// If another run is writing there.
    pub fn take_path(named: &Path) -> Result<Self, Busy> {
        let path = real_path(named);
        // Devices are never overwritten, and a lock file does not belong in `/dev`.
        let is_device = fs::metadata(&path).is_ok_and(|there| !there.is_file() && !there.is_dir());
        let taken = if is_device { Err(io::ErrorKind::Unsupported.into()) } else { Lock::take(&path) };
        let lock = match taken {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(Busy(named.to_path_buf())),
            // Whatever prevents the lock most likely prevents writing the results too, and is reported then.
            Err(_) => None,
        };
        if lock.is_some() {
            delete_leftovers(&path);
        }
        Ok(Self { lock, path })
    }

    /// The path without links and detours.
    pub fn real_path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(lock) = &self.lock else { return };
        // Still locked: whoever gets the lock next sees that the file has no name any more.
        drop(fs::remove_file(&lock.path));
        for folder in &lock.made {
            drop(fs::remove_dir(folder));
        }
    }
}

impl Lock {
    fn take(path: &Path) -> io::Result<Self> {
        let folder = folder_of(path);
        let missing = folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let made: Vec<PathBuf> = missing.map(Path::to_path_buf).collect();
        fs::create_dir_all(folder)?;
        let lock_path = folder.join(lock_name(path));
        loop {
            let file = File::options().create(true).append(true).open(&lock_path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(TryLockError::Error(error)) => {
                    drop(fs::remove_file(&lock_path));
                    return Err(error);
                }
            }
            // Its last owner may have deleted it in between.
            let has_name = fs::metadata(&lock_path)
                .is_ok_and(|named| Some(named.ino()) == file.metadata().ok().map(|it| it.ino()));
            if has_name {
                return Ok(Self { _file: file, path: lock_path, made });
            }
        }
    }
}

/// Deletes the temporary files and directories for `path` that killed processes have left. We hold the claim, so nobody
/// is writing to them. Errors are ignored: leftovers only take up space.
fn delete_leftovers(path: &Path) {
    let Ok(entries) = fs::read_dir(folder_of(path)) else { return };
    for entry in entries.filter_map(Result::ok) {
        if !is_temporary(path, &entry.file_name().to_string_lossy()) {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => drop(fs::remove_dir_all(entry.path())),
            Ok(kind) if kind.is_file() => drop(fs::remove_file(entry.path())),
            _ => {}
        }
    }
}

/// A path without links, `.` and `..`. What does not exist yet has no links.
pub fn real_path(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    for known in absolute.ancestors() {
        if let Ok(mut real) = fs::canonicalize(known) {
            for part in absolute.strip_prefix(known).expect("it is an ancestor").components() {
                match part {
                    Component::ParentDir => drop(real.pop()),
                    part => real.push(part),
                }
            }
            return real;
        }
    }
    absolute
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::testing::target;
    use crate::model::OutputFormat;

    fn claim(path: &Path) -> Result<Claim, Busy> {
        Claim::take(&target(path.to_path_buf(), OutputFormat::Jsonl))
    }

    #[test]
    fn a_path_is_claimed_once_at_a_time_whatever_it_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/a.jsonl");
        let held = claim(&path).unwrap();
        assert_eq!(held.real_path(), folder.path().canonicalize().unwrap().join("deep/er/a.jsonl"));
        std::os::unix::fs::symlink("deep/er", folder.path().join("link")).unwrap();
        for other in ["deep/er/a.jsonl", "deep/./er/../er/a.jsonl", "link/a.jsonl"] {
            assert!(claim(&folder.path().join(other)).is_err(), "{other}");
        }
        let neighbour = claim(&folder.path().join("deep/er/b.jsonl")).unwrap();
        drop(neighbour);
        drop(held);
        fs::remove_file(folder.path().join("link")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
        claim(&path).unwrap();
    }

    #[test]
    fn only_our_own_leftovers_are_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        for name in ["a.csv", "a.csv.2024.part", ".a.csv.batchmill-0123456789.part", ".b.csv.batchmill-0123456789.part"]
        {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir_all(folder.path().join("a.csv.7.part/mine")).unwrap();
        fs::create_dir_all(folder.path().join(".a.csv.batchmill-abcdefghij.part/part-00000.csv")).unwrap();
        drop(claim(&path).unwrap());
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".b.csv.batchmill-0123456789.part", "a.csv", "a.csv.2024.part", "a.csv.7.part"]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_no_refusal() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("out"), "").unwrap();
        assert!(claim(&folder.path().join("out/a.jsonl")).unwrap().lock.is_none());
    }
}
