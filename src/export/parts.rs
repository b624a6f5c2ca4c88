//! A folder of parts that is filled aside and comes into place whole.

use super::error::Trouble;
use super::leftover;
use super::place::{folder_of, sync_folder};
use crate::model::OutputFormat;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A folder under way. Dropped without [`PartsAside::commit`], it is gone.
#[derive(Debug)]
pub(super) struct PartsAside {
    path: PathBuf,
    aside: PathBuf,
    /// The folder, open: holds the lock.
    folder: File,
    format: OutputFormat,
    count: usize,
    open: Option<File>,
    done: bool,
}

impl PartsAside {
    /// Begins a folder that will stand at `path`; makes the folders above it.
    pub(super) fn begin(path: &Path, format: OutputFormat) -> Result<Self, Trouble> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.components().collect());
        check_replaceable(&path)?;
        fs::create_dir_all(folder_of(&path))?;
        leftover::clear(&path);
        let aside = leftover::aside(&path);
        fs::create_dir(&aside)?;
        let folder = File::open(&aside)?;
        let begun = Self { path, aside, folder, format, count: 0, open: None, done: false };
        begun.folder.lock()?;
        Ok(begun)
    }

    /// The next part, to write to; the one before is brought to the disk.
    pub(super) fn next_file(&mut self) -> Result<File, Trouble> {
        self.seal()?;
        let name = format!("part-{:05}.{}", self.count, self.format.as_str());
        let file = File::create_new(self.aside.join(name))?;
        self.count += 1;
        self.open = Some(file.try_clone()?);
        Ok(file)
    }

    fn seal(&mut self) -> io::Result<()> {
        self.open.take().map_or(Ok(()), |file| file.sync_all())
    }

    /// Puts the folder into place of one that was there.
    pub(super) fn commit(mut self) -> Result<(), Trouble> {
        self.seal()?;
        self.folder.sync_all()?;
        check_replaceable(&self.path)?;
        if self.path.exists() {
            self.exchange()?
        } else {
            fs::rename(&self.aside, &self.path)?
        }
        self.done = true;
        sync_folder(&self.path)?;
        Ok(())
    }

    /// Swaps the folder with the one at the path, and deletes that. Where the file system cannot swap, there is a moment
    /// without either.
    fn exchange(&self) -> Result<(), Trouble> {
        match renameat_with(CWD, &self.aside, CWD, &self.path, RenameFlags::EXCHANGE) {
            Ok(()) => fs::remove_dir_all(&self.aside)?,
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
                fs::remove_dir_all(&self.path)?;
                fs::rename(&self.aside, &self.path)?;
            }
            Err(error) => return Err(io::Error::from(error).into()),
        }
        Ok(())
    }
}

impl Drop for PartsAside {
    fn drop(&mut self) {
        if !self.done {
            drop(fs::remove_dir_all(&self.aside));
        }
    }
}

/// Whether the path is free, or holds nothing but parts: nobody else's file is ever deleted.
fn check_replaceable(path: &Path) -> Result<(), Trouble> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(there) if there.is_dir() => {}
        Ok(_) => return Err(Trouble::Taken("it is no folder, and `parts` needs one".to_owned())),
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !(is_part(&name) && entry.file_type()?.is_file()) {
            return Err(Trouble::Taken(format!(
                "the folder is there and holds `{name}`, which is no part; move it away"
            )));
        }
    }
    Ok(())
}

fn is_part(name: &str) -> bool {
    let Some((number, ending)) = name.strip_prefix("part-").and_then(|rest| rest.split_once('.')) else { return false };
    number.len() >= 5
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && ["jsonl", "csv", "parquet"].contains(&ending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn begin(path: &Path) -> Result<PartsAside, String> {
        PartsAside::begin(path, OutputFormat::Jsonl).map_err(|trouble| trouble.to_string())
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_of_parts_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/out");
        for count in [3, 1] {
            let mut begun = begin(&path).unwrap();
            (0..count).for_each(|_| begun.next_file().unwrap().write_all(b"1\n").unwrap());
            begun.commit().unwrap();
            assert_eq!(names(&path).len(), count);
        }
        assert_eq!(names(&path), ["part-00000.jsonl"]);
        begin(&path).unwrap().next_file().unwrap();
        assert_eq!(names(path.parent().unwrap()), ["out"]);
    }

    #[test]
    fn a_folder_with_anything_else_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("part-00000.jsonl"), "").unwrap();
        for other in ["part-1.csv", "part-00000.txt", "notes"] {
            fs::write(path.join(other), "").unwrap();
            assert!(begin(&path).unwrap_err().contains(&format!("holds `{other}`")));
            fs::remove_file(path.join(other)).unwrap();
        }
        let begun = begin(&path).unwrap();
        fs::write(path.join("notes"), "").unwrap();
        assert!(begun.commit().is_err());
        assert_eq!(names(folder.path()), ["out"]);
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(begin(&folder.path().join("file")).unwrap_err().contains("no folder"));
    }
}
