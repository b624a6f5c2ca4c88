//! Puts files below a directory without following any link, so that no file lands elsewhere.
//!
//! The directory itself may be a link: the user chose it. What is below it was made by tasks.

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, mkdirat, openat, readlinkat, renameat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// A folder for files.
#[derive(Debug)]
pub(super) struct Beneath(pub(super) PathBuf);

impl Beneath {
    /// Moves a file to a path below the folder, and makes the folders above it. A file there is replaced; a folder, a device, a
    /// pipe or a socket is not.
    pub(super) fn put(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (folder, name) = self.open_parent(to)?;
        check_replaceable(&folder, name)?;
        match renameat(CWD, from, &folder, name) {
            Err(Errno::XDEV) => copy(from, &folder, name),
            moved => Ok(moved?),
        }
    }

    /// Deletes a file below the folder.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let (folder, name) = self.open_parent(path)?;
        Ok(unlinkat(&folder, name, AtFlags::empty())?)
    }

    /// Opens the folder that holds a path, and gives the path's last name.
    fn open_parent<'a>(&self, path: &'a Path) -> io::Result<(OwnedFd, &'a OsStr)> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut folder = match openat(CWD, &self.0, FOLDER, Mode::empty()) {
            Err(Errno::NOENT) => {
                fs::create_dir_all(&self.0)?;
                openat(CWD, &self.0, FOLDER, Mode::empty())?
            }
            opened => opened?,
        };
        for part in path.parent().unwrap_or(Path::new("")).components() {
            let Component::Normal(part) = part else { return Err(io::ErrorKind::InvalidInput.into()) };
            folder = open_below(&folder, part)?;
        }
        Ok((folder, name))
    }
}

/// Opens a folder in a folder, and makes it if it is missing.
fn open_below(folder: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    let open = || openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty());
    let opened = match open() {
        Err(Errno::NOENT) => match mkdirat(folder, name, Mode::from(0o777)) {
            Ok(()) | Err(Errno::EXIST) => open(),
            Err(error) => Err(error),
        },
        opened => opened,
    };
    opened.map_err(|error| {
        if type_of(folder, name) == Ok(FileType::Symlink) {
            return io::Error::other(format!(
                "`{}` is a symbolic link, which may lead elsewhere",
                name.to_string_lossy()
            ));
        }
        error.into()
    })
}

fn type_of(folder: &OwnedFd, name: &OsStr) -> Result<FileType, Errno> {
    statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map(|stat| FileType::from_raw_mode(stat.st_mode))
}

fn check_replaceable(folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    match type_of(folder, name) {
        Ok(FileType::RegularFile | FileType::Symlink) | Err(Errno::NOENT) => Ok(()),
        Ok(FileType::Directory) => Err(io::Error::other("it is a directory")),
        Ok(_) => Err(io::Error::other("it is not a regular file")),
        Err(error) => Err(error.into()),
    }
}

/// Copies a file to another file system. An existing file is replaced only once the copy is complete.
fn copy(from: &Path, folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let aside = temporary_name(name);
    let copied = copy_aside(from, folder, &aside).and_then(|()| Ok(renameat(folder, &aside, folder, name)?));
    if copied.is_err() {
        let _ = unlinkat(folder, &aside, AtFlags::empty());
    }
    copied
}

fn copy_aside(from: &Path, folder: &OwnedFd, aside: &OsStr) -> io::Result<()> {
    if from.is_symlink() {
        let target = readlinkat(CWD, from, Vec::new())?;
        return Ok(symlinkat(target, folder, aside)?);
    }
    let mut source = File::open(from)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut target = File::from(openat(folder.as_fd(), aside, flags, Mode::from(0o600))?);
    io::copy(&mut source, &mut target)?;
    target.set_permissions(fs::Permissions::from_mode(source.metadata()?.permissions().mode()))
}

/// A name that nobody else has, for a file that becomes the one of this name.
fn temporary_name(name: &OsStr) -> OsString {
    let random = RandomState::new().hash_one(name);
    let mut short = name.to_string_lossy().chars().take(50).collect::<String>();
    short.insert(0, '.');
    format!("{short}.batchmill-{random:016x}.part").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn made(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn files_stay_below_the_folder_which_may_be_a_link_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("real")).unwrap();
        symlink("real", path("into")).unwrap();
        let into = Beneath(path("into"));
        into.put(&made(folder.path(), "new", "1"), Path::new("deep/er/a")).unwrap();
        assert_eq!(fs::read_to_string(path("real/deep/er/a")).unwrap(), "1");
        symlink("../..", path("real/up")).unwrap();
        symlink("/", path("real/deep/root")).unwrap();
        for to in ["up/precious", "deep/root/tmp/precious", "../precious", "/precious", "deep/er/../precious", ""] {
            let error = into.put(&made(folder.path(), "new", "2"), Path::new(to)).unwrap_err().to_string();
            assert!(!to.starts_with("up") || error.contains("`up` is a symbolic link"), "{to}: {error}");
        }
        assert!(!path("precious").exists());
        // A link at the path itself is replaced, and what it leads to is not.
        made(folder.path(), "kept", "old");
        symlink("../kept", path("real/link")).unwrap();
        into.put(&made(folder.path(), "new", "3"), Path::new("link")).unwrap();
        assert_eq!(fs::read_to_string(path("kept")).unwrap(), "old");
        assert_eq!(fs::read_to_string(path("real/link")).unwrap(), "3");
        into.remove(Path::new("link")).unwrap();
        assert!(!path("real/link").exists() && into.remove(Path::new("up/kept")).is_err() && path("kept").exists());
    }

    #[test]
    fn devices_and_sockets_are_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let into = Beneath(folder.path().join("into"));
        fs::create_dir_all(into.0.join("folder")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(into.0.join("socket")).unwrap();
        for name in ["socket", "folder"] {
            assert!(into.put(&made(folder.path(), "new", ""), Path::new(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn a_copy_replaces_as_a_whole_and_leaves_nothing_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let open = openat(CWD, folder.path(), FOLDER, Mode::empty()).unwrap();
        fs::write(path("from"), "new").unwrap();
        fs::set_permissions(path("from"), fs::Permissions::from_mode(0o750)).unwrap();
        fs::write(path("to"), "old").unwrap();
        symlink("nowhere", path("link")).unwrap();
        copy(&path("from"), &open, OsStr::new("to")).unwrap();
        copy(&path("link"), &open, OsStr::new("to link")).unwrap();
        assert!(copy(&path("none"), &open, OsStr::new("to")).is_err());
        assert_eq!(fs::read_to_string(path("to")).unwrap(), "new");
        assert_eq!(fs::metadata(path("to")).unwrap().permissions().mode() & 0o777, 0o750);
        assert_eq!(fs::read_link(path("to link")).unwrap(), Path::new("nowhere"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }
}
