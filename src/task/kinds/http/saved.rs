//! Files of `save_to`: whose a path is, and writing the file.

use crate::model::{Failure, FailureKind};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Which item each path of a step belongs to, so that no item writes over the file of another one.
#[derive(Debug, Default)]
pub(super) struct SavedPaths(Mutex<HashMap<PathBuf, u64>>);

impl SavedPaths {
    /// Notes that a path belongs to an item.
    pub(super) fn claim(&self, path: &Path, index: u64) -> Result<(), Failure> {
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *owners.entry(real(path)).or_insert(index) {
            first if first == index => Ok(()),
            first => {
                let message = format!("item {index} saves to `{}`, but item {first} already does", path.display());
                Err(Failure::new(FailureKind::Start, "SaveError", message).permanent())
            }
        }
    }

    /// Gives a path free again, because its item has failed.
    pub(super) fn release(&self, path: &Path) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&real(path));
    }
}

/// A path without `.` and `..`, and with the folders that it goes through as they are, so that two names of a file are one.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute.parent().and_then(|folder| folder.canonicalize().ok());
    match (folder, absolute.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

/// A file beside `path` that nobody else has. It is deleted unless it is kept.
pub(super) struct PartFile {
    pub(super) file: File,
    part: PathBuf,
    kept: bool,
}

impl PartFile {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let part = path.with_added_extension(format!("{}-{number}.part", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&part) {
                Ok(file) => return Ok(Self { file, part, kept: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the file its name.
    pub(super) fn keep(mut self, path: &Path) -> io::Result<()> {
        std::fs::rename(&self.part, path)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.kept {
            drop(std::fs::remove_file(&self.part));
        }
    }
}
