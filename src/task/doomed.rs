//! The processes that the engine is about to end, noted where the guard sees them.
//!
//! If the engine is killed in the middle of that, some are stopped and some are dead already, and what descends from a dead one
//! cannot be found again. The kernel even ends stopped ones itself: it sends them SIGHUP when their parent dies.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of all notes. The oldest are overwritten: those processes are dead.
pub(super) const BYTES: u64 = 1 << 16;

/// A note has two numbers of eight bytes: the process, and when it started. The second is never 0 for a process of ours.
const NOTE: u64 = 16;

/// The engine's side.
#[derive(Debug)]
pub(super) struct Doomed {
    page: Arc<File>,
    /// Where the notes begin in the page.
    from: u64,
    count: AtomicU64,
}

impl Doomed {
    pub(super) fn new(page: Arc<File>, from: u64) -> Self {
        Self { page, from, count: AtomicU64::new(0) }
    }

    /// Notes a process by its number and its start. Call this before it gets a signal.
    pub(super) fn note(&self, pid: i32, started: u64) {
        let at = self.count.fetch_add(1, Ordering::Relaxed) % (BYTES / NOTE);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&u64::from(pid.unsigned_abs()).to_ne_bytes());
        bytes[8..].copy_from_slice(&started.to_ne_bytes());
        // Writing to our own memfd within its size cannot fail.
        let _ = self.page.write_all_at(&bytes, self.from + at * NOTE);
    }
}

/// What was noted in a page from here on: numbers and starts.
pub(super) fn noted(page: &File, from: u64) -> io::Result<Vec<(i32, u64)>> {
    let mut bytes = vec![0; usize::try_from(BYTES).unwrap_or(0)];
    page.read_exact_at(&mut bytes, from)?;
    let number = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
    let notes = bytes.chunks_exact(16).map(|note| (number(&note[..8]), number(&note[8..])));
    Ok(notes.filter_map(|(pid, started)| Some((i32::try_from(pid).ok().filter(|pid| *pid > 0)?, started))).collect())
}
