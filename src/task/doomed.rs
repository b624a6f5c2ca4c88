//! Notes for the guard: the processes that the engine is about to end.
//!
//! An engine that is killed while it ends an attempt leaves some of the processes stopped and others dead. The kernel sends SIGHUP to
//! the stopped children of a dying parent, so those may die too. The guard cannot trace the descendants of a dead process; it needs
//! their numbers.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The size of all notes, in bytes. New notes overwrite the oldest, whose processes are dead.
pub(super) const BYTES: u64 = 1 << 16;

/// The size of a note, in bytes: the number of the process and its start time, eight bytes each.
const NOTE: usize = 16;

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

    /// Notes a process by its number and start time. Call this before you signal the process.
    pub(super) fn note(&self, pid: i32, started: u64) {
        let at = self.count.fetch_add(1, Ordering::Relaxed) % (BYTES / NOTE as u64);
        let mut bytes = [0; NOTE];
        bytes[..8].copy_from_slice(&u64::from(pid.unsigned_abs()).to_ne_bytes());
        bytes[8..].copy_from_slice(&started.to_ne_bytes());
        // Writing to our own memfd within its size cannot fail.
        let _ = self.page.write_all_at(&bytes, self.from + at * NOTE as u64);
    }

    /// Forgets all notes. An engine that ends in order calls this before the guard looks: all of these processes are dead.
    pub(super) fn clear(&self) {
        if self.count.swap(0, Ordering::Relaxed) > 0 {
            let _ = self.page.write_all_at(&[0; BYTES as usize], self.from);
        }
    }
}

/// Reads the notes that begin at this offset of a page: the number and start time of each process.
pub(super) fn noted(page: &File, from: u64) -> io::Result<Vec<(i32, u64)>> {
    let mut bytes = vec![0; usize::try_from(BYTES).unwrap_or(0)];
    page.read_exact_at(&mut bytes, from)?;
    let number = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
    let notes = bytes.chunks_exact(NOTE).map(|note| (number(&note[..8]), number(&note[8..])));
    Ok(notes.filter_map(|(pid, started)| Some((i32::try_from(pid).ok().filter(|pid| *pid > 0)?, started))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doomed() -> (Arc<File>, Doomed) {
        let page = Arc::new(tempfile::tempfile().unwrap());
        page.set_len(64 + BYTES).unwrap();
        (Arc::clone(&page), Doomed::new(page, 64))
    }

    #[test]
    fn the_guard_reads_what_the_engine_has_noted_until_that_is_cleared() {
        let (page, doomed) = doomed();
        assert!(noted(&page, 64).unwrap().is_empty());
        doomed.note(7, 100);
        doomed.note(8, 101);
        assert_eq!(noted(&page, 64).unwrap(), [(7, 100), (8, 101)]);
        doomed.clear();
        assert!(noted(&page, 64).unwrap().is_empty());
    }

    #[test]
    fn new_notes_overwrite_the_oldest() {
        let (page, doomed) = doomed();
        let room = i32::try_from(BYTES as usize / NOTE).unwrap();
        (1..=room + 1).for_each(|pid| doomed.note(pid, 100));
        let found = noted(&page, 64).unwrap();
        assert_eq!((found.len(), found[0]), (room as usize, (room + 1, 100)));
    }
}
