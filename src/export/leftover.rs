//! What a process that was killed while it wrote has left beside the path.
//!
//! Whoever writes holds a lock on what it writes to; the lock ends with its process, also on another machine that shares
//! the folder. So what is not locked belongs to nobody.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The name beside `path` that this process writes to: the path's own, the process id, `.part`.
pub(super) fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

/// Deletes what killed processes left beside `path`. Trouble is left to those who look for space.
pub(super) fn clear(path: &Path) {
    let Some(name) = path.file_name().map(|name| format!("{}.", name.to_string_lossy())) else { return };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let theirs = entry.file_name().to_string_lossy().strip_prefix(&name).is_some_and(is_aside);
        if theirs && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            drop(if is_folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) });
        }
    }
}

fn is_aside(rest: &str) -> bool {
    rest.strip_suffix(".part").is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_writes_to_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str| File::create(folder.path().join(name)).unwrap();
        let held = make("a.csv.7.part");
        held.lock().unwrap();
        for name in ["a.csv.8.part", "a.csv.part", "a.csv.x.part", "b.csv.8.part", "a.csv"] {
            make(name);
        }
        fs::create_dir(folder.path().join("a.csv.9.part")).unwrap();
        clear(&folder.path().join("a.csv"));
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["a.csv", "a.csv.7.part", "a.csv.part", "a.csv.x.part", "b.csv.8.part"]);
    }
}
