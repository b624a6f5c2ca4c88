//! The engine's end of the page that it shares with a worker: which item the worker is on, since when, and whether to halt.

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

    /// The page as a descriptor for the worker.
    pub(super) fn to_stdio(&self) -> io::Result<Stdio> {
        self.file.try_clone().map(Stdio::from)
    }

    /// Notes that a run begins: the worker is on no item yet, and is not to halt.
    pub(super) fn clear(&self) -> io::Result<()> {
        self.file.write_all_at(&[0; page::HALT + 8], 0)
    }

    /// Makes the worker begin no further item of the run.
    pub(super) fn halt(&self) -> io::Result<()> {
        self.file.write_all_at(&1_u64.to_ne_bytes(), page::HALT as u64)
    }

    /// The position that the worker is on, or was on when it died.
    pub(super) fn position(&self) -> Option<usize> {
        usize::try_from(self.cell(page::POSITION)).ok()?.checked_sub(1)
    }

    /// The time since the worker began that position.
    pub(super) fn item_time(&self) -> Duration {
        let now = clock_gettime(ClockId::Monotonic);
        let now = Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0));
        now.saturating_sub(Duration::from_nanos(self.cell(page::STARTED)))
    }

    fn cell(&self, offset: usize) -> u64 {
        let mut bytes = [0; 8];
        // A memfd of ours that is SIZE long cannot fail to be read.
        self.file.read_exact_at(&mut bytes, offset as u64).map_or(0, |()| u64::from_ne_bytes(bytes))
    }
}
