//! The remains of runs that were never complete, or whose deletion was interrupted.

use super::folder::{ABANDONED_AFTER, NEW, StateFolder, TRASH};
use super::run_path::RunPath;
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;

/// What is left in the directory of a deleted run: an older version deleted the database first.
const PARTS: [&str; 9] =
    ["results", "logs", "items", "report.html", "progress.json", "progress.new", "lock", "run.db-wal", "run.db-shm"];

impl StateFolder {
    /// Deletes the remains of runs that were never complete, and of those whose deletion was interrupted.
    ///
    /// # Errors
    /// If something cannot be deleted.
    pub fn delete_leftovers(&self) -> io::Result<()> {
        let runs = self.runs();
        runs.check_folder().map_err(io::Error::other)?;
        let entries = match fs::read_dir(&*runs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries.filter_map(Result::ok) {
            if !is_leftover(&runs, &entry) {
                continue;
            }
            match fs::remove_dir_all(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

fn is_leftover(runs: &RunPath, entry: &DirEntry) -> bool {
    let (name, path) = (entry.file_name(), entry.path());
    let name = name.to_string_lossy();
    if !entry.file_type().is_ok_and(|kind| kind.is_dir()) || is_locked(&runs.join(&name)) {
        return false;
    }
    if name.starts_with(TRASH) {
        return true;
    }
    (name.starts_with(NEW) || is_rest_of_run(&path)) && is_abandoned(&path)
}

/// Whether a folder holds only parts of a run, and lacks what makes it one.
fn is_rest_of_run(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|entries| {
        let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
        names.flatten().all(|name| PARTS.contains(&name.as_str()))
    })
}

fn is_abandoned(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|data| data.modified());
    changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age > ABANDONED_AFTER))
}

/// Whether somebody works in a folder. One that belongs to somebody else is left alone as well.
fn is_locked(folder: &RunPath) -> bool {
    match folder.join("lock").open() {
        Ok(file) => file.is_some_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock))),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, FileTimes};
    use std::time::SystemTime;

    #[test]
    fn only_what_was_left_behind_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder(folder.path().to_path_buf());
        let make = |name: &str, files: &[&str], old: bool| {
            let path = folder.path().join("runs").join(name);
            fs::create_dir_all(&path).unwrap();
            files.iter().for_each(|file| fs::write(path.join(file), "").unwrap());
            let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
            if old {
                File::open(&path).unwrap().set_times(times).unwrap();
            }
            path
        };
        make(".trash-a", &["lock", "run.db"], false);
        make(".new-b", &["lock"], true);
        make("20260101-half-deleted", &["lock", "run.db-wal"], true);
        make("20260101-empty", &[], true);
        make(".new-young", &["lock"], false);
        make("run", &["lock", "run.db"], true);
        make("mine", &["notes"], true);
        let locked = make(".new-locked", &["lock"], true);
        let lock = File::open(locked.join("lock")).unwrap();
        lock.lock().unwrap();
        state.delete_leftovers().unwrap();
        let mut left: Vec<_> =
            fs::read_dir(folder.path().join("runs")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".new-locked", ".new-young", "mine", "run"]);
    }
}
