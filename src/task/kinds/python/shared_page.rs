//! The engine's end of the page that it shares with a worker. The page tells which unit the worker is running and since when,
//! and tells the worker to halt. The engine accesses it as a file.

use crate::wire::page;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process::Stdio;
use std::time::Duration;

/// The page, as a file.
pub(super) struct SharedPage {
    file: File,
}

impl SharedPage {
    /// An empty page.
    pub(super) fn new() -> io::Result<Self> {
        let file = memfd_create("batchmill-page", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, page::SIZE as u64)?;
        Ok(Self { file: file.into() })
    }

    /// The page as a descriptor to pass to the worker.
    pub(super) fn to_stdio(&self) -> io::Result<Stdio> {
        self.file.try_clone().map(Stdio::from)
    }

    /// Prepares the page for a run: no unit is running, and the worker is not to halt.
    pub(super) fn clear(&self) -> io::Result<()> {
        self.file.write_all_at(&[0; page::HALT + 8], 0)
    }

    /// Tells the worker to start no further item of the run.
    pub(super) fn halt(&self) -> io::Result<()> {
        self.file.write_all_at(&1_u64.to_ne_bytes(), page::HALT as u64)
    }

    /// The position of the unit that the worker is running, or was running when it died.
    pub(super) fn position(&self) -> Option<usize> {
        usize::try_from(self.cell(page::POSITION)).ok()?.checked_sub(1)
    }

    /// The time since the worker started that unit.
    pub(super) fn item_time(&self) -> Duration {
        let now = clock_gettime(ClockId::Monotonic);
        let now = Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0));
        now.saturating_sub(Duration::from_nanos(self.cell(page::STARTED)))
    }

    fn cell(&self, offset: usize) -> u64 {
        let mut bytes = [0; 8];
        // Reading our own memfd within its size cannot fail.
        self.file.read_exact_at(&mut bytes, offset as u64).map_or(0, |()| u64::from_ne_bytes(bytes))
    }
}
