//! Temporary files next to the path that results go to, and those that killed processes have left there.
//!
//! A process locks the temporary file that it writes to. The lock ends with the process, even on another machine that shares
//! the folder, so a temporary file that is not locked belongs to nobody.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The temporary path that this process writes to: the name in `path`, the process id, `.part`.
pub(super) fn temporary_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

/// Deletes the temporary files that killed processes left next to `path`. Errors are ignored: the files only take up space.
pub(super) fn delete_stale(path: &Path) {
    let Some(name) = path.file_name().map(|name| format!("{}.", name.to_string_lossy())) else { return };
    let Ok(entries) = fs::read_dir(folder_of(path)) else { return };
    for entry in entries.filter_map(Result::ok) {
        let is_temporary = entry.file_name().to_string_lossy().strip_prefix(&name).is_some_and(is_temporary_suffix);
        if is_temporary && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            drop(if is_folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) });
        }
    }
}

fn is_temporary_suffix(suffix: &str) -> bool {
    suffix.strip_suffix(".part").is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The folder that holds `path`.
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

    #[test]
    fn only_temporary_files_that_nobody_writes_to_are_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str| File::create(folder.path().join(name)).unwrap();
        let held = make("a.csv.7.part");
        held.lock().unwrap();
        for name in ["a.csv.8.part", "a.csv.part", "a.csv.x.part", "b.csv.8.part", "a.csv"] {
            make(name);
        }
        fs::create_dir(folder.path().join("a.csv.9.part")).unwrap();
        delete_stale(&folder.path().join("a.csv"));
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["a.csv", "a.csv.7.part", "a.csv.part", "a.csv.x.part", "b.csv.8.part"]);
    }
}
