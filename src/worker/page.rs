//! The worker's end of the shared page. [`crate::wire::page`] describes its layout.
//!
//! Contains unsafe code: one memory mapping, which is created once and never removed.
#![expect(unsafe_code, reason = "sharing memory with the engine needs one mmap")]

use crate::wire::page::{HALT, POSITION, SIZE, STARTED};
use rustix::fd::AsFd;
use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const CELLS: usize = SIZE / size_of::<AtomicU64>();

/// The precision of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    /// Some milliseconds, at almost no cost.
    Coarse,
    /// Nanoseconds.
    Exact,
}

/// The mapped page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    cells: &'static [AtomicU64; CELLS],
}

impl Page {
    /// Maps the page in `memfd`, which must be at least [`SIZE`] bytes long, and clears the worker's cells.
    pub(super) fn map(memfd: impl AsFd) -> io::Result<Self> {
        let length = rustix::fs::fstat(&memfd)?.st_size;
        if usize::try_from(length).unwrap_or(0) < SIZE {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the shared page is too short"));
        }
        // SAFETY: the kernel chooses the address, so this replaces no memory that is in use.
        let base = unsafe {
            mmap(std::ptr::null_mut(), SIZE, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, memfd, 0)
        }?;
        // SAFETY: the mapping is SIZE bytes long, page-aligned, and never unmapped, so it lives as long as the process. Another
        // process may change it at any time, which atomics allow.
        let cells = unsafe { &*base.cast::<[AtomicU64; CELLS]>() };
        let page = Self { cells };
        page.leave();
        Ok(page)
    }

    /// Notes that the user's code is about to be called for `position`, and the time.
    pub(super) fn enter(self, position: u32, precision: Precision) {
        let clock = match precision {
            Precision::Coarse => ClockId::MonotonicCoarse,
            Precision::Exact => ClockId::Monotonic,
        };
        self.cell(STARTED).store(now(clock), Ordering::Relaxed);
        self.cell(POSITION).store(u64::from(position) + 1, Ordering::Release);
    }

    /// The time since the current position was entered.
    pub(super) fn running(self) -> Duration {
        let started = self.cell(STARTED).load(Ordering::Relaxed);
        Duration::from_nanos(now(ClockId::Monotonic).saturating_sub(started))
    }

    /// Notes that no position is running.
    pub(super) fn leave(self) {
        self.cell(POSITION).store(0, Ordering::Release);
    }

    /// Whether the engine has told the worker to start no further item.
    pub(super) fn halted(self) -> bool {
        self.cell(HALT).load(Ordering::Relaxed) != 0
    }

    fn cell(self, offset: usize) -> &'static AtomicU64 {
        &self.cells[offset / size_of::<AtomicU64>()]
    }
}

/// The time of a clock in nanoseconds.
fn now(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_writes_the_other_reads() {
        let memfd = rustix::fs::memfd_create("page", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        rustix::fs::ftruncate(&memfd, SIZE as u64).unwrap();
        let page = Page::map(&memfd).unwrap();
        page.enter(6, Precision::Exact);
        let mut cells = [0; 16];
        rustix::io::pread(&memfd, &mut cells, 0).unwrap();
        assert_eq!(u64::from_ne_bytes(cells[..8].try_into().unwrap()), 7);
        assert_ne!(u64::from_ne_bytes(cells[8..].try_into().unwrap()), 0);
        assert!(!page.halted());
        rustix::io::pwrite(&memfd, &1_u64.to_ne_bytes(), HALT as u64).unwrap();
        assert!(page.halted());
    }

    #[test]
    fn a_page_that_is_too_short_is_refused() {
        let memfd = rustix::fs::memfd_create("page", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        assert!(Page::map(&memfd).is_err());
    }
}
