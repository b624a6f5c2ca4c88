//! Files of a run, and how they are opened, whoever made them: the folder may come from an archive, a checkout or another user.
//!
//! Always holds: the state folder, which the user names, may be a link, but below it none is followed. What is opened is a regular
//! file, so opening and reading it never waits for anybody. Folder and file belong to the user, or are trusted ([`owner`]).

use super::error::LedgerError;
use super::owner;
use super::refusal::Refusal;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, SeekFrom, Stat, fcntl_setfl, fstat, openat, seek, statat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The name of a run's folder is the second one below the state folder.
const RUN: usize = 2;

/// Up to this size, a file is read whatever it is made of.
const SMALL: u64 = 64 << 20;

/// How many bytes a file system may keep in one byte on disk.
const DENSEST: u64 = 1024;

/// A path below a state folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPath {
    path: PathBuf,
    /// How many of its names are below the state folder.
    below: usize,
}

impl RunPath {
    /// A path of which so many names are below the state folder.
    pub(super) fn new(path: PathBuf, below: usize) -> Self {
        Self { path, below }
    }

    /// A path in this folder.
    pub(super) fn join(&self, name: &str) -> Self {
        Self { path: self.path.join(name), below: self.below + 1 }
    }

    /// The folder that it is in.
    pub(super) fn folder(&self) -> Self {
        let path = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self { path: path.to_path_buf(), below: self.below.saturating_sub(1) }
    }

    /// The path with this at the end of its name.
    pub(super) fn with_ending(&self, end: &str) -> Self {
        let mut path = self.path.clone().into_os_string();
        path.push(end);
        Self { path: path.into(), below: self.below }
    }

    /// The state folder.
    pub(super) fn state(&self) -> &Path {
        let state = self.path.ancestors().nth(self.below).unwrap_or(Path::new(""));
        if state.as_os_str().is_empty() { Path::new(".") } else { state }
    }

    /// Opens the file for reading; none if it is missing.
    ///
    /// # Errors
    /// If it cannot be read, is not a regular file, lies behind a link or belongs to somebody else.
    pub fn open(&self) -> Result<Option<File>, LedgerError> {
        self.open_with("read", OFlags::RDONLY)
    }

    /// Opens the file for reading and appending. If it is missing, it is created, and only its owner may read it.
    pub(super) fn append(&self) -> Result<File, LedgerError> {
        let file = self.open_with("write", OFlags::RDWR | OFlags::APPEND | OFlags::CREATE)?;
        file.ok_or_else(|| io_error("write", &self.path, io::ErrorKind::NotFound.into()))
    }

    /// Reads the whole file; none if it is missing.
    ///
    /// # Errors
    /// As for [`open`](Self::open), or if it is longer than `most`.
    pub fn read(&self, most: u64) -> Result<Option<Vec<u8>>, LedgerError> {
        let failed = |source| io_error("read", &self.path, source);
        let Some(file) = self.open()? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > most { Err(failed(io::ErrorKind::FileTooLarge.into())) } else { Ok(Some(bytes)) }
    }

    /// Reads the whole file as text; none if it is missing.
    pub(super) fn read_text(&self) -> Result<Option<String>, LedgerError> {
        let failed = |source| io_error("read", &self.path, source);
        let Some(file) = self.open()? else { return Ok(None) };
        let (most, mut text) = (held(&file).map_err(failed)?, String::new());
        file.take(most).read_to_string(&mut text).map_err(failed)?;
        Ok(Some(text))
    }

    /// Checks that there is a folder, or nothing, and no link on the way to it.
    ///
    /// # Errors
    /// If there is something else.
    pub fn check_folder(&self) -> Result<(), LedgerError> {
        self.walk("read", self.below).map(drop)
    }

    /// Checks that a file can be replaced by its path: that there is a regular one, or nothing.
    ///
    /// # Errors
    /// If there is something else, or a link on the way.
    pub fn check_replaceable(&self) -> Result<(), LedgerError> {
        self.check_file()
    }

    /// Checks that there is a regular file, or nothing, without opening it: to close a file ends the locks that SQLite has on it.
    pub(super) fn check_file(&self) -> Result<(), LedgerError> {
        self.check_files(&[""]).map(drop)
    }

    /// The same for the files that have these endings after the name. Returns the endings of those that are there.
    pub(super) fn check_files(&self, endings: &[&'static str]) -> Result<Vec<&'static str>, LedgerError> {
        let Some(folder) = self.parent_folder("read")? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for end in endings {
            if self.with_ending(end).check_type(&folder)? {
                found.push(*end);
            }
        }
        Ok(found)
    }

    fn open_with(&self, action: &'static str, flags: OFlags) -> Result<Option<File>, LedgerError> {
        let Some(folder) = self.parent_folder(action)? else { return Ok(None) };
        // Before it is opened: to open a device may do something, and to open a pipe may wait.
        self.check_type(&folder)?;
        let safe = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let failed = |error: Errno| io_error(action, &self.path, error.into());
        let file = match openat(&folder, self.name(), flags | safe, Mode::from_raw_mode(0o600)) {
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(refused(&self.path, Refusal::Link)),
            opened => opened.map_err(failed)?,
        };
        self.check_stat(&fstat(&file).map_err(failed)?)?;
        fcntl_setfl(&file, flags & OFlags::APPEND).map_err(failed)?;
        Ok(Some(File::from(file)))
    }

    fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    fn parent_folder(&self, action: &'static str) -> Result<Option<OwnedFd>, LedgerError> {
        self.walk(action, self.below.saturating_sub(1))
    }

    /// Opens the folder that so many names below the state folder lead to; none if it is missing.
    fn walk(&self, action: &'static str, names: usize) -> Result<Option<OwnedFd>, LedgerError> {
        let opened = openat(CWD, self.state(), FOLDER, Mode::empty());
        let mut folder = match opened {
            Err(Errno::NOENT) => return Ok(None),
            opened => opened.map_err(|error| io_error(action, self.state(), error.into()))?,
        };
        for number in 1..=names {
            let path = self.path.ancestors().nth(self.below - number).unwrap_or(&self.path);
            let name = path.file_name().unwrap_or_default();
            folder = match openat(&folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()) {
                Ok(opened) => opened,
                Err(Errno::NOENT) => return Ok(None),
                Err(error) => {
                    let found = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).map(|it| type_of(&it));
                    return Err(match found {
                        Ok(FileType::Symlink) => refused(path, Refusal::Link),
                        _ => io_error(action, path, error.into()),
                    });
                }
            };
            if number == RUN {
                let found = fstat(&folder).map_err(|error| io_error(action, path, error.into()))?;
                owner::check(found.st_uid, path, self.state())?;
            }
        }
        Ok(Some(folder))
    }

    /// Whether there is a file. If there is, it must be a regular one.
    fn check_type(&self, folder: &OwnedFd) -> Result<bool, LedgerError> {
        match statat(folder, self.name(), AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(io_error("read", &self.path, error.into())),
            Ok(found) => self.check_stat(&found).map(|()| true),
        }
    }

    fn check_stat(&self, found: &Stat) -> Result<(), LedgerError> {
        let what = match type_of(found) {
            FileType::RegularFile => return owner::check(found.st_uid, &self.path, self.state()),
            FileType::Symlink => return Err(refused(&self.path, Refusal::Link)),
            FileType::Directory => "directory",
            FileType::Fifo => "pipe",
            FileType::Socket => "socket",
            _ => "device",
        };
        Err(refused(&self.path, Refusal::NotAFile(what)))
    }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> LedgerError {
    LedgerError::Io { action, path: path.to_path_buf(), source }
}

fn refused(path: &Path, why: Refusal) -> LedgerError {
    LedgerError::Refused { path: path.to_path_buf(), why }
}

fn type_of(found: &Stat) -> FileType {
    FileType::from_raw_mode(found.st_mode)
}

impl Deref for RunPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

/// How many bytes of a file count. Its length, unless it has holes and is many times longer than what is on disk: no run leaves such
/// a file, and nobody should wait until all its zeros are read.
pub(super) fn held(file: &File) -> io::Result<u64> {
    let found = fstat(file)?;
    let (length, on_disk) = (found.st_size.cast_unsigned(), found.st_blocks.cast_unsigned().saturating_mul(512));
    if length <= SMALL {
        return Ok(length);
    }
    // File systems that know of no holes report one at the end.
    let here = seek(file, SeekFrom::Current(0))?;
    let hole = seek(file, SeekFrom::Hole(0)).unwrap_or(length);
    seek(file, SeekFrom::Start(here))?;
    Ok(if hole < length { length.min(on_disk.saturating_mul(DENSEST).max(SMALL)) } else { length })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::FileExt;

    fn file(folder: &tempfile::TempDir) -> RunPath {
        let run = folder.path().join("state/runs/r");
        fs::create_dir_all(&run).unwrap();
        RunPath::new(run.join("f"), 3)
    }

    #[test]
    fn a_file_is_opened_by_its_names_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(&folder);
        assert_eq!(path.state(), folder.path().join("state"));
        assert!(path.open().unwrap().is_none() && path.read(9).unwrap().is_none());
        drop(path.append().unwrap());
        fs::write(&*path, "123").unwrap();
        assert_eq!(path.read(3).unwrap().unwrap(), b"123");
        assert!(path.read(2).is_err(), "longer than expected");
        assert!(path.check_file().is_ok() && path.check_folder().is_err());
        let missing = RunPath::new(folder.path().join("none/runs/r/f"), 3);
        assert!(missing.open().unwrap().is_none() && missing.append().is_err() && missing.check_folder().is_ok());
    }

    #[test]
    fn holes_do_not_count_if_they_are_nearly_all_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(&folder);
        let opened = path.append().unwrap();
        opened.set_len(SMALL).unwrap();
        assert_eq!(held(&opened).unwrap(), SMALL);
        opened.set_len(1 << 40).unwrap();
        opened.write_at(b"x", 0).unwrap();
        assert!(held(&opened).unwrap() < 1 << 32);
    }
}
