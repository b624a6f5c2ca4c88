//! Kills all child processes when the engine dies, even from `kill -9`.
//!
//! A guard process reads from a pipe whose other end only the engine holds. When the kernel closes that end, for whatever
//! reason, the guard kills every process group listed in a memfd that both share. Each lane has a cell there for the group of
//! its child. The lane writes it after starting the child and clears it before reaping the child, so the number of a listed
//! group cannot have been reused. Linux's parent-death signal is not enough: it reaches the child, but not the processes that
//! the child has started.

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

/// The command-line argument that makes `batchmill` a guard.
pub const VERB: &str = "guard-children";

/// Bytes of the memfd: enough for a hundred thousand lanes. Unused pages take no memory.
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
    /// If the system lacks the resources.
    pub fn start() -> io::Result<Arc<Self>> {
        let (theirs, alive) = io::pipe()?;
        let page = memfd_create("batchmill-guard", MemfdFlags::CLOEXEC)?;
        ftruncate(&page, SIZE)?;
        // In its own process group: Ctrl-C must only reach the engine, which then ends its children itself.
        let mut command = Command::new("/proc/self/exe");
        command.arg(VERB).stdin(theirs).stdout(Stdio::from(page.try_clone()?)).stderr(Stdio::null()).process_group(0);
        Ok(Arc::new(Self {
            page: File::from(page),
            next: AtomicU64::new(0),
            alive: Some(alive),
            child: command.spawn()?,
        }))
    }

    /// A cell for one lane; `None` if all cells are in use.
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

/// A lane's entry in the list.
#[derive(Debug)]
pub(super) struct Cell {
    guard: Arc<Guard>,
    offset: u64,
}

impl Cell {
    /// Lists a group. The guard does not know a child until it is listed, which takes some microseconds.
    pub(super) fn enter(&self, group: Pid) {
        self.write(group.as_raw_nonzero().get().unsigned_abs().into());
    }

    /// Takes the group off the list. Call this before reaping the child: after that, its number may be reused.
    pub(super) fn leave(&self) {
        self.write(0);
    }

    fn write(&self, group: u64) {
        // Writing to our own memfd within its size cannot fail.
        let _ = self.guard.page.write_all_at(&group.to_ne_bytes(), self.offset);
    }
}

/// The guard process: returns when the engine is gone and its children are killed.
///
/// # Errors
/// If the engine did not start this process.
pub fn watch() -> io::Result<()> {
    let page = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    if page.metadata()?.len() != SIZE {
        return Err(io::Error::other("internal command: only batchmill itself runs this"));
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
