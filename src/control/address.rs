//! Where the socket of a run is.
//!
//! A socket's address holds 107 bytes, and folders may be deeper. So the folder is opened, and the socket reached through its
//! descriptor. A file system that takes no sockets, as some network file systems do, leaves the user's runtime folder.

use rustix::fs::{Mode, OFlags, open};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The socket's name in the folder of its run.
const NAME: &str = "ctl";

/// A place for a socket.
struct Place {
    folder: PathBuf,
    name: String,
}

impl Place {
    fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// A short path to the socket, which is valid as long as the folder is open.
    fn open(&self) -> io::Result<(OwnedFd, PathBuf)> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = open(&self.folder, flags, Mode::empty())?;
        let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(&self.name);
        Ok((folder, short))
    }
}

/// The places where the socket of a run may be, the best first.
fn places(run_folder: &Path) -> Vec<Place> {
    let mut places = vec![Place { folder: run_folder.to_owned(), name: NAME.to_owned() }];
    if let (Some(runtime), Some(run)) = (std::env::var_os("XDG_RUNTIME_DIR"), run_folder.file_name()) {
        let name = format!("{}.{NAME}", run.to_string_lossy());
        places.push(Place { folder: PathBuf::from(runtime).join("batchmill"), name });
    }
    places
}

/// Makes the socket of a run, and returns where it is. Only one process may do so at a time: the one that has the run's lock.
pub(super) fn bind(run_folder: &Path) -> io::Result<(UnixListener, PathBuf)> {
    let mut first = None;
    for (number, place) in places(run_folder).into_iter().enumerate() {
        if number > 0 {
            drop(std::fs::DirBuilder::new().mode(0o700).create(&place.folder));
        }
        match bind_at(&place) {
            Ok(listener) => return Ok((listener, place.path())),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    Err(first.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

fn bind_at(place: &Place) -> io::Result<UnixListener> {
    let (_folder, path) = place.open()?;
    // Of a run that was killed.
    drop(std::fs::remove_file(&path));
    let listener = UnixListener::bind(&path)?;
    // Whoever connects before this is turned away by the server.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Connects to a socket, and to nothing that it leads to: what a link points at may be the socket of another program.
fn connect_to(path: &Path) -> io::Result<UnixStream> {
    if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "there is something else in the place of the run's socket",
        ));
    }
    UnixStream::connect(path)
}

/// Connects to the socket of a run.
///
/// # Errors
/// If nobody listens.
pub(super) fn connect(run_folder: &Path) -> io::Result<UnixStream> {
    let mut first = None;
    for place in places(run_folder) {
        match place.open().and_then(|(_folder, path)| connect_to(&path)) {
            Ok(stream) => return Ok(stream),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    Err(first.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}
