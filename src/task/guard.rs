//! No child survives the engine, even one that is killed with -9.
//!
//! A guard process waits for the end of a pipe whose other end only the engine holds; when the kernel closes it, for
//! whatever reason, the guard kills every process group that is listed in a memfd which both see. Each lane has a cell there
//! for the group of its child: written after the start, cleared before the child is reaped, so a listed group is never a
//! stranger's. The parent-death signal of Linux would not do: it reaches the child alone, not what the child has started.

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::process::{Pid, Signal, getpgrp, kill_process_group};
use std::fs::File;
use std::io::{self, PipeWriter, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The word on the command line that makes `batchmill` a guard.
pub const VERB: &str = "guard-children";

/// Bytes of the memfd: room for a hundred thousand lanes; what is not used takes no memory.
const SIZE: u64 = 1 << 20;

/// Bytes of a cell.
const CELL: u64 = 8;

/// The engine's side.
#[derive(Debug)]
pub struct Guard {
    page: File,
    next: AtomicU64,
    alive: Option<PipeWriter>,
    child: Child,
}

impl Guard {
    /// Starts the guard.
    ///
    /// # Errors
    /// Where the system lacks resources for it.
    pub fn start() -> io::Result<Arc<Self>> {
        let (theirs, alive) = io::pipe()?;
        let page = memfd_create("batchmill-guard", MemfdFlags::CLOEXEC)?;
        ftruncate(&page, SIZE)?;
        // A group of its own: Ctrl-C is for the engine, which then ends its children itself.
        let mut command = Command::new("/proc/self/exe");
        command.arg(VERB).stdin(theirs).stdout(Stdio::from(page.try_clone()?)).stderr(Stdio::null()).process_group(0);
        Ok(Arc::new(Self {
            page: File::from(page),
            next: AtomicU64::new(0),
            alive: Some(alive),
            child: command.spawn()?,
        }))
    }

    /// A cell for one lane; none where a run has more lanes than there are cells.
    pub(super) fn cell(self: &Arc<Self>) -> Option<Cell> {
        let offset = self.next.fetch_add(CELL, Ordering::Relaxed);
        (offset < SIZE).then(|| Cell { guard: Arc::clone(self), offset })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.alive.take());
        let _ = self.child.wait();
    }
}

/// A lane's place in the list.
#[derive(Debug)]
pub(super) struct Cell {
    guard: Arc<Guard>,
    offset: u64,
}

impl Cell {
    /// Lists a group. Until the child is listed the guard does not know it: some microseconds.
    pub(super) fn enter(&self, group: Pid) {
        self.write(group.as_raw_nonzero().get().unsigned_abs().into());
    }

    /// Takes it off the list; before the child is reaped, while its number is still its own.
    pub(super) fn leave(&self) {
        self.write(0);
    }

    fn write(&self, group: u64) {
        // A memfd of ours inside its size takes every write.
        let _ = self.guard.page.write_all_at(&group.to_ne_bytes(), self.offset);
    }
}

/// The guard's side: the whole of that process.
///
/// # Errors
/// Where it was not started by an engine.
pub fn watch() -> io::Result<()> {
    let page = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    if page.metadata()?.len() != SIZE {
        return Err(io::Error::other("this is started by batchmill, not by hand"));
    }
    let mut stdin = io::stdin().lock();
    while stdin.read(&mut [0; 64])? > 0 {}
    let mut cells = vec![0; usize::try_from(SIZE).unwrap_or(0)];
    page.read_exact_at(&mut cells, 0)?;
    for cell in cells.chunks_exact(8) {
        let group = u64::from_ne_bytes(cell.try_into().expect("eight bytes"));
        let group = i32::try_from(group).ok().and_then(Pid::from_raw);
        if let Some(group) = group.filter(|group| *group != getpgrp()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
    Ok(())
}
