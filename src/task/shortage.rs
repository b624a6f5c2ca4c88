//! What the system lacks for a moment: files, processes, memory. An item that cannot be started because of it has not failed.

use crate::model::{Failure, FailureKind};
use rustix::io::Errno;
use std::io;

/// Something that was not free.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shortage(Errno);

/// What was not free, if that is the error of a start.
pub(super) fn shortage(error: &io::Error) -> Option<Shortage> {
    let number = Errno::from_io_error(error)?;
    matches!(number, Errno::MFILE | Errno::NFILE | Errno::AGAIN | Errno::NOMEM).then_some(Shortage(number))
}

/// The same for files alone, where other errors of this kind may come later than the start.
pub(super) fn shortage_of_files(error: &io::Error) -> Option<Shortage> {
    shortage(error).filter(|Shortage(number)| matches!(*number, Errno::MFILE | Errno::NFILE))
}

impl Shortage {
    /// The outcome of an item that could not be started; `what` says what the engine tried.
    pub(super) fn of(self, what: &str) -> Failure {
        let lacks = match self.0 {
            Errno::MFILE => "too many open files (`ulimit -n`)",
            Errno::NFILE => "too many open files on this machine",
            Errno::AGAIN => "too many processes (`ulimit -u`)",
            _ => "not enough memory",
        };
        Failure::new(FailureKind::Shortage, "Shortage", format!("{what}: {lacks}"))
    }
}
