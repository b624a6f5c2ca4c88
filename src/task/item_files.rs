//! Files that items create: an empty directory for each attempt, from which finished files move to their final directory.
//!
//! The files of an item are moved after it has succeeded and before its result is reported, so a result in the ledger has its
//! files. The reverse is not true: if the engine is killed in between, the files of an item that will run again are already
//! there. So a file on disk does not tell which item owns the path. A path belongs to the item that claimed it in this run and
//! has a result; any other file at that path is overwritten. Items with the same key are the same item. No file is put through a
//! link that is below the final directory.

use super::beneath::Beneath;
use crate::model::{Failure, FailureKind, ItemKey, StepName};
use crate::text::{MaybeSecret, Secrets};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The owner of each path: the item's key, and its index for messages.
pub type Claims = HashMap<PathBuf, (ItemKey, u64)>;

/// The files of a step's items.
#[derive(Debug)]
pub struct ItemFiles {
    scratch: PathBuf,
    into: Beneath,
    claims: Mutex<Claims>,
    /// Files that items of other steps have made.
    others: BTreeMap<PathBuf, StepName>,
    /// On a host: how many directories were handed over to the engine, which alone knows the owners of paths.
    handed: Option<AtomicU64>,
}

impl ItemFiles {
    /// Creates the directories for attempts in `scratch` and moves files to `into`. `claims` has the owners so far.
    pub fn new(scratch: PathBuf, into: PathBuf, claims: Claims) -> Self {
        // A task may run in another working directory.
        let scratch = std::path::absolute(&scratch).unwrap_or(scratch);
        let (claims, others) = (Mutex::new(claims), BTreeMap::new());
        let items = Self { scratch, into: Beneath(into), claims, others, handed: None };
        items.clear();
        items
    }

    /// Creates the directories for attempts in `scratch`, and leaves those of items that succeed there, for an engine to adopt.
    pub fn handing_over(scratch: PathBuf) -> Self {
        Self { handed: Some(AtomicU64::new(0)), ..Self::new(scratch, PathBuf::new(), Claims::new()) }
    }

    /// Where hosts create directories: hosts of one execution of the step, which share the file system.
    pub fn of_hosts(&self) -> PathBuf {
        self.scratch.join("hosts")
    }

    /// The same next to files that items of other steps have made in the same directory.
    pub fn beside(self, others: BTreeMap<PathBuf, StepName>) -> Self {
        Self { others, ..self }
    }

    /// The paths that belong to items.
    pub fn claimed(&self) -> Vec<PathBuf> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Deletes the directories of all attempts.
    pub fn clear(&self) {
        drop(fs::remove_dir_all(&self.scratch));
    }

    /// The directory of an item's attempt.
    pub(super) fn path(&self, index: u64) -> PathBuf {
        self.scratch.join(index.to_string())
    }

    /// Creates an empty directory for an item's attempt.
    pub(super) fn fresh(&self, index: u64) -> Result<PathBuf, Failure> {
        let path = self.path(index);
        let emptied = match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::create_dir_all(&path),
        };
        emptied.map_err(|error| failure(format!("cannot create directory `{}`: {error}", path.display())))?;
        Ok(path)
    }

    /// Deletes the directory of an attempt.
    pub(super) fn discard(&self, index: u64) {
        drop(fs::remove_dir_all(self.path(index)));
    }

    /// Moves the files of an item that has succeeded to their final directory, and returns their paths there.
    ///
    /// The ledger keeps the paths, so none may contain a secret.
    pub(super) fn keep(&self, index: u64, key: ItemKey, secrets: &Secrets) -> Result<Vec<PathBuf>, Failure> {
        match &self.handed {
            Some(handed) => self.hand_over(index, handed.fetch_add(1, Ordering::Relaxed)),
            None => self.adopt(&self.path(index), (index, key), secrets),
        }
    }

    /// Leaves the directory of an item under a name that no later attempt uses.
    fn hand_over(&self, index: u64, number: u64) -> Result<Vec<PathBuf>, Failure> {
        let (from, to) = (self.path(index), self.scratch.join(format!("handed-{number}")));
        match fs::rename(&from, &to) {
            Ok(()) => Ok(vec![to]),
            // The task may have moved the directory itself.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(failure(format!("cannot keep directory `{}`: {error}", from.display()))),
        }
    }

    /// Moves the files in a directory to their final directory, as those of an item, and deletes it.
    pub(super) fn adopt(
        &self,
        folder: &Path,
        (index, key): (u64, ItemKey),
        secrets: &Secrets,
    ) -> Result<Vec<PathBuf>, Failure> {
        let mut files = Vec::new();
        list(folder, Path::new(""), &mut files)
            .map_err(|error| failure(format!("cannot read directory `{}`: {error}", folder.display())))?;
        if let Some(file) = files.iter().find(|file| MaybeSecret::new(bytes(file)).has_secret(secrets)) {
            let name = MaybeSecret::new(bytes(file)).masked(secrets).into_string();
            let message =
                format!("item {index} made the file `{name}`, whose name contains a secret; name it otherwise");
            return Err(failure(message).permanent());
        }
        self.claim(&files, index, key)?;
        for (done, file) in files.iter().enumerate() {
            if let Err(error) = self.into.put(&folder.join(file), file) {
                // The item fails, so the files that it has moved already are deleted.
                files[..done].iter().for_each(|file| drop(self.into.remove(file)));
                self.release(&files, key);
                return Err(failure(format!(
                    "cannot move `{}` to `{}`: {error}",
                    file.display(),
                    self.into.0.join(file).display()
                )));
            }
        }
        drop(fs::remove_dir_all(folder));
        Ok(files)
    }

    /// Claims all of these paths, or none.
    fn claim(&self, files: &[PathBuf], index: u64, key: ItemKey) -> Result<(), Failure> {
        if let Some((file, step)) = files.iter().find_map(|file| Some((file, self.others.get(file)?))) {
            let path = self.into.0.join(file);
            let message = format!(
                "item {index} wrote `{}`, but step `{step}` of this run already wrote that file",
                path.display()
            );
            return Err(Failure::new(FailureKind::Exception, "ItemFileClash", message).permanent());
        }
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = files.iter().find_map(|file| {
            let (owner, first) = claims.get(file)?;
            (*owner != key).then_some((file, *first))
        });
        if let Some((file, first)) = taken {
            let path = self.into.0.join(file);
            let message = format!("item {index} wrote `{}`, but item {first} already wrote that file", path.display());
            return Err(Failure::new(FailureKind::Exception, "ItemFileClash", message).permanent());
        }
        claims.extend(files.iter().map(|file| (file.clone(), (key, index))));
        Ok(())
    }

    fn release(&self, files: &[PathBuf], key: ItemKey) {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        for file in files {
            if claims.get(file).is_some_and(|(owner, _)| *owner == key) {
                claims.remove(file);
            }
        }
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn failure(message: String) -> Failure {
    Failure::new(FailureKind::Start, "ItemFileError", message)
}

/// All files below a directory, as paths relative to it, sorted.
fn list(folder: &Path, within: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(folder.join(within)) {
        // The task may have moved the directory itself.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = within.join(entry.file_name());
        if entry.file_type()?.is_dir() { list(folder, &path, files)? } else { files.push(path) }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(item: &str) -> ItemKey {
        ItemKey::of(item.as_bytes())
    }

    fn make(items: &ItemFiles, index: u64, files: &[&str]) {
        let folder = items.fresh(index).unwrap();
        for file in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, index.to_string()).unwrap();
        }
    }

    #[test]
    fn a_path_belongs_to_the_first_item_and_the_second_keeps_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("into");
        let items = ItemFiles::new(folder.path().join("scratch"), into.clone(), Claims::new());
        make(&items, 0, &["b", "deep/a"]);
        assert_eq!(items.keep(0, key("0"), &Secrets::default()).unwrap(), [Path::new("b"), Path::new("deep/a")]);
        make(&items, 1, &["c", "deep/a"]);
        let failure = items.keep(1, key("1"), &Secrets::default()).unwrap_err();
        assert_eq!((failure.class.as_str(), failure.retryable), ("ItemFileClash", false));
        assert!(failure.message.contains("item 1 wrote") && failure.message.contains("deep/a`, but item 0 already"));
        assert!(!into.join("c").exists());
        assert_eq!(fs::read_to_string(into.join("deep/a")).unwrap(), "0");
        // The same item again, under another index.
        make(&items, 7, &["b"]);
        items.keep(7, key("0"), &Secrets::default()).unwrap();
        assert_eq!(fs::read_to_string(into.join("b")).unwrap(), "7");
        make(&items, 3, &["c"]);
        items.keep(3, key("3"), &Secrets::default()).unwrap();
    }

    #[test]
    fn an_attempt_begins_with_an_empty_folder_and_a_file_that_cannot_be_put_takes_the_others_along() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("into");
        let items = ItemFiles::new(folder.path().join("scratch"), into.clone(), Claims::new());
        make(&items, 0, &["old"]);
        make(&items, 0, &["a", "z"]);
        fs::create_dir_all(into.join("z/full")).unwrap();
        let failure = items.keep(0, key("0"), &Secrets::default()).unwrap_err();
        assert_eq!(failure.class, "ItemFileError");
        assert!(!into.join("a").exists());
        fs::remove_dir_all(into.join("z")).unwrap();
        make(&items, 1, &["a"]);
        assert_eq!(items.keep(1, key("1"), &Secrets::default()).unwrap().len(), 1);
        items.clear();
        assert!(!folder.path().join("scratch").exists());
    }
}
