//! Names of the files next to an output path: a temporary file or directory, and a lock file.
//!
//! They start with a dot and contain batchmill's name, so that no file of the user is mistaken for one:
//! `.squares.csv.batchmill-Qj3kd81bXz.part`.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::{Builder, NamedTempFile, TempDir};

/// How many random letters and digits a name has.
const RANDOM: usize = 10;

/// The longest part of a name that is taken over: file systems allow 255 bytes.
const LONGEST: usize = 200;

const END: &str = ".part";

/// Creates a temporary file next to `path`, under a name that nobody else has. It is deleted when it is dropped.
pub(super) fn temporary_file(path: &Path) -> io::Result<NamedTempFile> {
    let permissions = Permissions::from_mode(0o666);
    Builder::new()
        .prefix(&prefix(path))
        .suffix(END)
        .rand_bytes(RANDOM)
        .permissions(permissions)
        .tempfile_in(folder_of(path))
}

/// The same for a folder.
pub(super) fn temporary_folder(path: &Path) -> io::Result<TempDir> {
    let permissions = Permissions::from_mode(0o777);
    Builder::new()
        .prefix(&prefix(path))
        .suffix(END)
        .rand_bytes(RANDOM)
        .permissions(permissions)
        .tempdir_in(folder_of(path))
}

/// The name of the lock of who writes to `path`.
pub(super) fn lock_name(path: &Path) -> String {
    format!(".{}.batchmill.lock", short_name(path))
}

/// Whether a name next to `path` is that of a temporary file or folder for it.
pub(super) fn is_temporary(path: &Path, name: &str) -> bool {
    let random = name.strip_prefix(&prefix(path)).and_then(|rest| rest.strip_suffix(END));
    random.is_some_and(|random| random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn prefix(path: &Path) -> String {
    format!(".{}.batchmill-", short_name(path))
}

fn short_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut end = name.len().min(LONGEST);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_owned()
}

/// The permissions of what is at `path`, which what replaces it keeps.
pub(super) fn mode_of(path: &Path) -> Option<Permissions> {
    let mode = path.metadata().ok()?.permissions().mode();
    Some(Permissions::from_mode(mode & 0o777))
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
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unlike_each_other_and_unlike_those_of_others() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.csv", &"ä".repeat(127)] {
            let path = folder.path().join(name);
            let files: Vec<NamedTempFile> = (0..5).map(|_| temporary_file(&path).unwrap()).collect();
            let made = temporary_folder(&path).unwrap();
            let paths = files.iter().map(NamedTempFile::path).chain([made.path()]);
            let names: BTreeSet<String> =
                paths.map(|it| it.file_name().unwrap().to_str().unwrap().to_owned()).collect();
            assert!(names.len() == 6 && names.iter().all(|name| is_temporary(&path, name)), "{names:?}");
            File::create(folder.path().join(lock_name(&path))).unwrap();
        }
        let path = folder.path().join("a.csv");
        for other in [
            "a.csv",
            "a.csv.part",
            "a.csv.2024.part",
            ".a.csv.part",
            ".a.csv.batchmill.lock",
            ".a.csv.batchmill-x.part",
            ".b.csv.batchmill-0123456789.part",
            ".a.csv.batchmill-01234-6789.part",
        ] {
            assert!(!is_temporary(&path, other), "{other}");
        }
    }
}
