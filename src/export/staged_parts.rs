//! A directory of parts that is filled at a temporary path and moved to its final path once it is complete.

use super::error::WriteError;
use super::target::Target;
use super::temporary::{folder_of, mode_of, sync_folder, temporary_folder};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{self, File, Permissions};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder that is being filled at a temporary path. It is deleted unless [`StagedParts::commit`] is called.
#[derive(Debug)]
pub(super) struct StagedParts {
    path: PathBuf,
    temporary: TempDir,
    /// What the name of each part ends with.
    ending: String,
    /// The mode of the parts that are replaced.
    mode: Option<Permissions>,
    count: usize,
    open: Option<File>,
}

impl StagedParts {
    /// Begins a folder for `path`, and creates the folders above it.
    pub(super) fn begin(target: &Target) -> Result<Self, WriteError> {
        let path = fs::canonicalize(&target.path).unwrap_or_else(|_| target.path.components().collect());
        check_replaceable(&path)?;
        fs::create_dir_all(folder_of(&path))?;
        let temporary = temporary_folder(&path)?;
        if let Some(mode) = mode_of(&path) {
            fs::set_permissions(temporary.path(), mode)?;
        }
        let ending = format!("{}{}", target.format.as_str(), target.compression.suffix());
        let mode = fs::read_dir(&path).ok().and_then(|mut parts| mode_of(&parts.next()?.ok()?.path()));
        Ok(Self { path, temporary, ending, mode, count: 0, open: None })
    }

    /// The next part to write to. The one before it is flushed to disk.
    pub(super) fn next_file(&mut self) -> Result<File, WriteError> {
        self.seal()?;
        let name = format!("part-{:05}.{}", self.count, self.ending);
        let file = File::create_new(self.temporary.path().join(name))?;
        if let Some(mode) = &self.mode {
            file.set_permissions(mode.clone())?;
        }
        self.count += 1;
        self.open = Some(file.try_clone()?);
        Ok(file)
    }

    fn seal(&mut self) -> io::Result<()> {
        self.open.take().map_or(Ok(()), |file| file.sync_all())
    }

    /// Moves the folder to its path, in place of an earlier one.
    pub(super) fn commit(mut self) -> Result<(), WriteError> {
        self.seal()?;
        File::open(self.temporary.path())?.sync_all()?;
        check_replaceable(&self.path)?;
        if self.path.exists() {
            self.exchange()?
        } else {
            fs::rename(self.temporary.path(), &self.path)?
        }
        // What is left at the temporary path, if anything, is what was replaced.
        sync_folder(&self.path)?;
        Ok(())
    }

    /// Swaps the folder with the one at the path, and deletes the latter. If the file system cannot swap, there is a moment
    /// without either.
    fn exchange(&self) -> Result<(), WriteError> {
        let temporary = self.temporary.path();
        match renameat_with(CWD, temporary, CWD, &self.path, RenameFlags::EXCHANGE) {
            Ok(()) => {
                // Somebody may have put a file there at the last moment.
                if let Err(error) = check_replaceable(temporary) {
                    renameat_with(CWD, temporary, CWD, &self.path, RenameFlags::EXCHANGE).map_err(io::Error::from)?;
                    return Err(error);
                }
                fs::remove_dir_all(temporary)?;
            }
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
                fs::remove_dir_all(&self.path)?;
                fs::rename(temporary, &self.path)?;
            }
            Err(error) => return Err(io::Error::from(error).into()),
        }
        Ok(())
    }
}

/// Checks that the path is free or holds only parts: no other file is ever deleted.
fn check_replaceable(path: &Path) -> Result<(), WriteError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(there) if there.is_dir() => {}
        Ok(_) => return Err(WriteError::Occupied("it is not a directory, which `parts` requires".to_owned())),
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !(is_part(&name) && entry.file_type()?.is_file()) {
            return Err(WriteError::Occupied(format!(
                "the directory contains `{name}`, which is not a part; move it away"
            )));
        }
    }
    Ok(())
}

fn is_part(name: &str) -> bool {
    let Some((number, extension)) = name.strip_prefix("part-").and_then(|rest| rest.split_once('.')) else {
        return false;
    };
    let format = [".gz", ".zst"].iter().find_map(|ending| extension.strip_suffix(ending)).unwrap_or(extension);
    number.len() >= 5
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && (["jsonl", "csv"].contains(&format) || extension == "parquet")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::testing::target;
    use crate::model::OutputFormat;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    fn begin(path: &Path) -> Result<StagedParts, String> {
        StagedParts::begin(&target(path.to_path_buf(), OutputFormat::Jsonl)).map_err(|error| error.to_string())
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
            let mut staged = begin(&path).unwrap();
            (0..count).for_each(|_| staged.next_file().unwrap().write_all(b"1\n").unwrap());
            staged.commit().unwrap();
            assert_eq!(names(&path).len(), count);
        }
        assert_eq!(names(&path), ["part-00000.jsonl"]);
        begin(&path).unwrap().next_file().unwrap();
        assert_eq!(names(path.parent().unwrap()), ["out"]);
    }

    #[test]
    fn a_folder_and_its_parts_keep_the_modes_of_those_they_replace() {
        let folder = tempfile::tempdir().unwrap();
        let (path, part) = (folder.path().join("out"), folder.path().join("out/part-00000.jsonl"));
        for round in 0..2 {
            let mut staged = begin(&path).unwrap();
            staged.next_file().unwrap();
            staged.commit().unwrap();
            if round == 0 {
                fs::set_permissions(&part, Permissions::from_mode(0o640)).unwrap();
                fs::set_permissions(&path, Permissions::from_mode(0o750)).unwrap();
            }
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&part)), (0o750, 0o640));
    }

    #[test]
    fn a_folder_with_anything_else_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("part-00000.jsonl"), "").unwrap();
        fs::write(path.join("part-00001.csv.gz"), "").unwrap();
        for other in ["part-1.csv", "part-00000.txt", "part-00000.parquet.gz", "part-00000.gz", "notes"] {
            fs::write(path.join(other), "").unwrap();
            assert!(begin(&path).unwrap_err().contains(&format!("contains `{other}`")));
            fs::remove_file(path.join(other)).unwrap();
        }
        let staged = begin(&path).unwrap();
        fs::write(path.join("notes"), "").unwrap();
        assert!(staged.commit().is_err());
        assert_eq!(names(folder.path()), ["out"]);
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(begin(&folder.path().join("file")).unwrap_err().contains("not a directory"));
    }
}
