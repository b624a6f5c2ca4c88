//! Kills all child processes when the engine dies, even from `kill -9`.
//!
//! A guard process reads from a pipe whose other end only the engine holds. When the kernel closes that end, for whatever
//! reason, the guard kills every process group listed in a memfd that both share. Each lane has a cell there for the group of
//! its child. The lane marks it before starting the child, writes the group after that, and clears it before reaping the child,
//! so the number of a listed group cannot have been reused. Where a cell is only marked, the guard looks for the child itself:
//! see [`unlisted`](super::unlisted). Linux's parent-death signal is not enough: it reaches the child, but not the processes
//! that the child has started.
//!
//! No signal that can be blocked ends the guard before the engine. A guard that was killed is replaced.

use super::unlisted::{RUN_ID, now, unlisted};
use crate::model::RunId;
use nix::sys::signal::SigSet;
use nix::unistd::getpgrp;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::Duration;

/// The command-line argument that makes `batchmill` a guard.
pub const VERB: &str = "guard-children";

/// Bytes of the memfd: enough for a hundred thousand lanes. Unused pages take no memory.
const SIZE: u64 = 1 << 20;

/// Bytes of a cell.
const CELL: u64 = 8;

/// Set in a cell whose child is being started; the rest is the time then.
const STARTING: u64 = 1 << 63;

/// How often a guard that was killed is replaced. Whoever kills more of them wants none.
const MOST_GUARDS: usize = 100;

/// A child that was being started needs some time to become what it will be.
const LOOKS: usize = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// The engine's side.
#[derive(Debug)]
pub struct Guard {
    /// The run whose processes it ends.
    pub(super) run: RunId,
    page: Arc<File>,
    cells: Mutex<Cells>,
    alive: Option<PipeWriter>,
    closing: Arc<AtomicBool>,
    keeper: Option<JoinHandle<()>>,
}

/// The cells that no lane has.
#[derive(Debug, Default)]
struct Cells {
    free: Vec<u64>,
    /// The first one that was never used.
    next: u64,
}

impl Guard {
    /// Starts the guard.
    ///
    /// # Errors
    /// If the system lacks the resources.
    pub fn start(run: &RunId) -> io::Result<Arc<Self>> {
        let (theirs, alive) = io::pipe()?;
        let page = memfd_create("batchmill-guard", MemfdFlags::CLOEXEC)?;
        ftruncate(&page, SIZE)?;
        let page = Arc::new(File::from(page));
        let closing = Arc::new(AtomicBool::new(false));
        let guards =
            GuardProcesses { run: run.clone(), theirs, page: Arc::clone(&page), closing: Arc::clone(&closing) };
        let first = guards.start()?;
        let keeper = Builder::new().name("guard".to_owned()).spawn(move || guards.keep(first))?;
        let cells = Mutex::default();
        Ok(Arc::new(Self { run: run.clone(), page, cells, alive: Some(alive), closing, keeper: Some(keeper) }))
    }

    /// A cell for one lane; `None` if all cells are in use.
    pub(super) fn cell(self: &Arc<Self>) -> Option<Cell> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = cells.free.pop().or_else(|| {
            cells.next += CELL;
            (cells.next <= SIZE).then_some(cells.next - CELL)
        })?;
        Some(Cell { guard: Arc::clone(self), offset })
    }

    /// The groups that are listed now: the children of lanes.
    pub(super) fn groups(&self) -> Vec<u32> {
        let used = self.cells.lock().unwrap_or_else(PoisonError::into_inner).next.min(SIZE);
        let mut cells = vec![0; usize::try_from(used).unwrap_or(0)];
        if self.page.read_exact_at(&mut cells, 0).is_err() {
            return Vec::new();
        }
        let cells = cells.as_chunks().0.iter().map(|cell| u64::from_ne_bytes(*cell));
        cells.filter(|cell| *cell != 0 && cell & STARTING == 0).filter_map(|cell| u32::try_from(cell).ok()).collect()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        drop(self.alive.take());
        // A panic there could only be about a guard that nobody needs any more.
        if let Some(keeper) = self.keeper.take() {
            drop(keeper.join());
        }
    }
}

/// What guard processes are started with.
struct GuardProcesses {
    run: RunId,
    theirs: PipeReader,
    page: Arc<File>,
    closing: Arc<AtomicBool>,
}

impl GuardProcesses {
    fn start(&self) -> io::Result<Child> {
        // In its own process group: Ctrl-C must only reach the engine, which then ends its children itself.
        let mut command = Command::new("/proc/self/exe");
        command.arg(VERB).env(RUN_ID, &self.run.0).process_group(0);
        command.stdin(self.theirs.try_clone()?).stdout(Stdio::from(self.page.try_clone()?)).stderr(Stdio::null());
        command.spawn()
    }

    /// Replaces the guard if it ends before the engine closes its end of the pipe.
    fn keep(&self, first: Child) {
        let mut guard = first;
        for _ in 0..MOST_GUARDS {
            if guard.wait().is_err() || self.closing.load(Ordering::SeqCst) {
                return;
            }
            match self.start() {
                Ok(next) => guard = next,
                Err(_) => return,
            }
        }
        let _ = guard.wait();
    }
}

/// A lane's entry in the list.
#[derive(Debug)]
pub(super) struct Cell {
    guard: Arc<Guard>,
    offset: u64,
}

impl Cell {
    /// Notes that a child is about to be started: from here on, the guard looks for it.
    pub(super) fn starting(&self) {
        self.write(STARTING | now());
    }

    /// Lists a group.
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

impl Drop for Cell {
    fn drop(&mut self) {
        self.leave();
        self.guard.cells.lock().unwrap_or_else(PoisonError::into_inner).free.push(self.offset);
    }
}

/// The guard process: returns when the engine is gone and its children are killed.
///
/// # Errors
/// If the engine did not start this process.
pub fn watch() -> io::Result<()> {
    // Whoever ends all processes of a session means the engine, which knows how to end its children.
    let _ = SigSet::all().thread_block();
    let page = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    if page.metadata()?.len() != SIZE {
        return Err(io::Error::other("internal command: only batchmill itself runs this"));
    }
    let mut stdin = io::stdin().lock();
    while stdin.read(&mut [0; 64])? > 0 {}
    let mut cells = vec![0; usize::try_from(SIZE).unwrap_or(0)];
    page.read_exact_at(&mut cells, 0)?;
    let cells = cells.chunks_exact(8).map(|cell| u64::from_ne_bytes(cell.try_into().expect("eight bytes")));
    let mut starting: Option<u64> = None;
    for cell in cells.filter(|cell| *cell != 0) {
        if cell & STARTING != 0 {
            let since = cell & !STARTING;
            starting = Some(starting.map_or(since, |first| first.min(since)));
        } else {
            kill(i32::try_from(cell).ok().and_then(Pid::from_raw));
        }
    }
    if let (Some(since), Some(run)) = (starting, std::env::var_os(RUN_ID)) {
        for _ in 0..LOOKS {
            unlisted(&run, since).into_iter().for_each(|group| kill(Some(group)));
            sleep(BETWEEN_LOOKS);
        }
    }
    Ok(())
}

fn kill(group: Option<Pid>) {
    if let Some(group) = group.filter(|group| group.as_raw_nonzero().get() != getpgrp().as_raw()) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}
