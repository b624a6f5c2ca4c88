//! The limit of open files: the engine raises its own where a step needs more, and its children keep the one that the user had.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use std::fs;
use std::sync::OnceLock;

/// Files of a slot that starts processes: pipes or a socket with both of their ends, the process, its output, a look at `/proc`.
const OF_PROCESS: u64 = 7;

/// Files of any other slot: a connection, and where it saves what comes.
const OF_CONNECTION: u64 = 3;

/// Files that the engine opens meanwhile: items, results, outputs, logs.
const RESERVE: u64 = 20;

/// The limit that the user had, if it was raised.
static GIVEN: OnceLock<Rlimit> = OnceLock::new();

/// How many slots have room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRoom {
    /// The slots: as many as wanted, or fewer.
    pub slots: usize,
    /// How many files may be open at once.
    pub limit: u64,
}

/// Makes room for the files of so many slots.
pub fn make_room(wanted: usize, starts_processes: bool) -> FileRoom {
    let given = getrlimit(Resource::Nofile);
    let each = if starts_processes { OF_PROCESS } else { OF_CONNECTION };
    let used = fs::read_dir("/proc/self/fd").map_or(RESERVE, |files| files.count() as u64);
    let needed = RESERVE + used + each * wanted as u64;
    let (soft, hard) = (given.current.unwrap_or(u64::MAX), given.maximum.unwrap_or(u64::MAX));
    let mut limit = soft;
    if soft < needed && soft < hard && setrlimit(Resource::Nofile, Rlimit { current: given.maximum, ..given }).is_ok() {
        GIVEN.get_or_init(|| given);
        limit = hard;
    }
    let most = limit.saturating_sub(RESERVE + used) / each;
    FileRoom { slots: wanted.min(usize::try_from(most).unwrap_or(usize::MAX)).max(1), limit }
}

/// What a shell has to run first, so that a command has the limit that the user had: nothing, unless it was raised.
pub(super) fn shell_prefix() -> Option<String> {
    let soft = GIVEN.get()?.current?;
    Some(format!("ulimit -Sn {soft}; "))
}

/// Gives a child the limit that the user had: some programs close as many descriptors as there may be, and `select` cannot handle
/// more than 1,024. It runs already, so it may have seen the high limit; a command that begins with [`shell_prefix`] has not.
pub(super) fn give_back(child: Pid) {
    if let Some(given) = GIVEN.get() {
        // If it has exited already, it does not matter.
        let _ = prlimit(Some(child), Resource::Nofile, *given);
    }
}
