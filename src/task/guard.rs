//! Kills all child processes when the engine dies, even from `kill -9`.
//!
//! A guard process reads from a pipe whose other end only the engine holds. When the kernel closes that end, for whatever
//! reason, the guard ends every attempt listed in a memfd that both share, with all of its processes: see [`Hunt`]. Each lane has
//! a cell there. Before it starts a child, it notes the mark that the child gets in its environment; then the child's process
//! group; and it clears the cell before reaping the child, so the number of a listed group cannot have been reused. Linux's
//! parent-death signal is not enough: it reaches the child, but not the processes that the child has started.
//!
//! No signal that can be blocked ends the guard before the engine. A guard that was killed is replaced.

use super::doomed::{self, Doomed, noted};
use super::hunt::Hunt;
use super::processes::{ATTEMPT_ID, BETWEEN_MARKS, Kin, RUN_ID, SharedProcesses, now, since_boot};
use crate::model::RunId;
use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::process::{Pid, getppid};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

/// The command-line argument that makes `batchmill` a guard.
pub const VERB: &str = "guard-children";

/// Bytes of the memfd: enough for thirty thousand lanes. Unused pages take no memory.
const SIZE: u64 = 1 << 20;

/// The size of the cells, in bytes. The notes of [`Doomed`] follow them.
const CELLS: u64 = SIZE - doomed::BYTES;

/// A cell has three numbers of eight bytes: the process group of the child, the number of the attempt, and when it began.
const CELL: u64 = 32;
const NUMBER: u64 = 8;
const SINCE: u64 = 16;

/// In place of the group while the child is being started.
const STARTING: u64 = u64::MAX;

/// When nothing began: in place of the time while a worker is idle.
const NEVER: u64 = u64::MAX;

/// How many of the attempts that were ended are looked for once more at the end of the run.
const MOST_ENDED: usize = 1000;

/// How often a guard that was killed is replaced. Whoever kills more of them wants none.
const MOST_GUARDS: usize = 100;

/// A child that was being started needs some time to become what it will be.
const LOOKS: usize = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// How long the guard waits for the engine to end after the pipe has closed, and how often it checks.
const ENDING: Duration = Duration::from_secs(1);
const BETWEEN_LOOKS_AT_ENGINE: Duration = Duration::from_micros(100);

/// The engine's side.
#[derive(Debug)]
pub struct Guard {
    /// The run whose processes it ends.
    pub(super) run: RunId,
    page: Arc<File>,
    cells: Mutex<Cells>,
    attempts: Attempts,
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

/// What tells the processes of one attempt from those of others.
#[derive(Debug)]
struct Attempts {
    /// The marks of the attempts that this run is a part of, if a command of another run started it.
    outer: String,
    /// The number of the next one. No other execution of the run has the same: they count from the time since the boot.
    next: AtomicU64,
    /// Those that were ended.
    ended: Mutex<VecDeque<Kin>>,
    shared: Arc<SharedProcesses>,
    /// The processes that the engine is ending.
    doomed: Arc<Doomed>,
}

impl Attempts {
    fn new(page: Arc<File>) -> Self {
        let outer = std::env::var(ATTEMPT_ID).map(|outer| format!("{outer}{BETWEEN_MARKS}")).unwrap_or_default();
        let next = AtomicU64::new(u64::try_from(since_boot().as_nanos()).unwrap_or(0));
        let doomed = Arc::new(Doomed::new(page, CELLS));
        Self { outer, next, ended: Mutex::default(), shared: Arc::default(), doomed }
    }

    fn hunt(&self, kin: Kin) -> Hunt {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() == MOST_ENDED {
            ended.pop_front();
        }
        ended.push_back(Kin { root: None, ..kin.clone() });
        Hunt::new(vec![kin], Arc::clone(&self.shared)).noting(Arc::clone(&self.doomed))
    }

    /// Ends what may have got away from those that were ended: for a run that is over.
    fn hunt_rest(&self) {
        let ended = std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner));
        if !ended.is_empty() {
            Hunt::new(ended.into(), Arc::clone(&self.shared)).end();
        }
    }
}

/// The mark of an attempt.
fn mark(run: &str, number: u64) -> String {
    format!("{run}:{number}")
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
        let (cells, attempts) = (Mutex::default(), Attempts::new(Arc::clone(&page)));
        Ok(Arc::new(Self {
            run: run.clone(),
            page,
            cells,
            attempts,
            alive: Some(alive),
            closing,
            keeper: Some(keeper),
        }))
    }

    /// A cell for one lane; `None` if all cells are in use.
    pub(super) fn cell(self: &Arc<Self>) -> Option<Cell> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = cells.free.pop().or_else(|| {
            cells.next += CELL;
            (cells.next <= CELLS).then_some(cells.next - CELL)
        })?;
        Some(Cell { guard: Arc::clone(self), offset })
    }

    /// The groups that are listed now: the children of lanes.
    pub(super) fn groups(&self) -> Vec<u32> {
        let used = self.cells.lock().unwrap_or_else(PoisonError::into_inner).next.min(CELLS);
        let listed = listed(&self.page, used).unwrap_or_default();
        listed.into_iter().filter_map(|[group, ..]| u32::try_from(group).ok()).collect()
    }
}

/// The cells of attempts among the first so many bytes.
fn listed(page: &File, used: u64) -> io::Result<Vec<[u64; 3]>> {
    let mut bytes = vec![0; usize::try_from(used).unwrap_or(0)];
    page.read_exact_at(&mut bytes, 0)?;
    let number = |cell: &[u8], at: u64| {
        let at = usize::try_from(at).unwrap_or(0);
        u64::from_ne_bytes(cell[at..at + 8].try_into().expect("eight bytes"))
    };
    let cells = bytes.chunks_exact(usize::try_from(CELL).unwrap_or(1)).filter(|cell| number(cell, 0) != 0);
    Ok(cells.map(|cell| [0, NUMBER, SINCE].map(|at| number(cell, at))).collect())
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        self.attempts.doomed.clear();
        drop(self.alive.take());
        // A panic there could only be about a guard that nobody needs any more.
        if let Some(keeper) = self.keeper.take() {
            drop(keeper.join());
        }
        self.attempts.hunt_rest();
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
        // Whoever signals all processes of a session means the engine, which knows how to end its children. The guard inherits the
        // mask, so it blocks signals from its first instruction on.
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        let spawned = command.spawn();
        before.thread_set_mask()?;
        spawned
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
    /// Notes that a child is about to be started for an attempt: from here on, the guard looks for it. Returns what the child
    /// needs in the variable [`ATTEMPT_ID`].
    pub(super) fn begin(&self) -> String {
        let attempts = &self.guard.attempts;
        let number = attempts.next.fetch_add(1, Ordering::Relaxed);
        self.write(&[STARTING, number, now()], 0);
        format!("{}{}", attempts.outer, mark(&self.guard.run.0, number))
    }

    /// Lists the group of the child.
    pub(super) fn enter(&self, group: Pid) {
        self.write(&[group.as_raw_nonzero().get().unsigned_abs().into()], 0);
    }

    /// Notes that the child, a worker, begins an attempt.
    pub(super) fn work_from(&self, since: u64) {
        self.write(&[since], SINCE);
    }

    /// Notes that the worker is idle. If it is ended now, its group is all that ends.
    pub(super) fn rest(&self) {
        self.work_from(NEVER);
    }

    /// Takes the child off the list. Call this before reaping it: after that, its number may be reused.
    pub(super) fn leave(&self) {
        self.write(&[0], 0);
    }

    /// What the processes of the attempt have in common.
    fn kin(&self) -> Kin {
        let mut cell = [0; 16];
        // Reading our own memfd within its size cannot fail.
        let _ = self.guard.page.read_exact_at(&mut cell, self.offset + NUMBER);
        let [number, since] = [0, 8].map(|at| u64::from_ne_bytes(cell[at..at + 8].try_into().expect("eight bytes")));
        Kin { root: None, mark: Some(mark(&self.guard.run.0, number)), since }
    }

    fn write(&self, numbers: &[u64], at: u64) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
        // Writing to our own memfd within its size cannot fail.
        let _ = self.guard.page.write_all_at(&bytes, self.offset + at);
    }
}

/// Hunts the processes of an attempt that is being ended. `root` is its child, unless that has been reaped. Without a cell, only
/// what descends from the child is found.
pub(super) fn hunt(cell: Option<&Cell>, root: Option<Pid>) -> Hunt {
    match cell {
        Some(cell) => cell.guard.attempts.hunt(Kin { root, ..cell.kin() }),
        None => Hunt::new(vec![Kin { root, ..Kin::default() }], Arc::default()),
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
    let page = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    if page.metadata()?.len() != SIZE {
        return Err(io::Error::other("internal command: only batchmill itself runs this"));
    }
    let engine = getppid();
    let mut stdin = io::stdin().lock();
    while stdin.read(&mut [0; 64])? > 0 {}
    let run = std::env::var(RUN_ID).unwrap_or_default();
    let listed = listed(&page, CELLS)?;
    let doomed = noted(&page, CELLS)?;
    if listed.is_empty() && doomed.is_empty() {
        // As at the end of a run that ended by itself. To look through all processes would hold it up.
        return Ok(());
    }
    wait_for_end_of(engine);
    let is_starting = listed.iter().any(|[group, ..]| *group == STARTING);
    let kin = |[group, number, since]: [u64; 3]| {
        let root = i32::try_from(group).ok().and_then(Pid::from_raw);
        Kin { root, mark: Some(mark(&run, number)), since }
    };
    let mut attempts: Vec<Kin> = listed.into_iter().map(kin).collect();
    for look in 0..if is_starting { LOOKS } else { 1 } {
        if look > 0 {
            sleep(BETWEEN_LOOKS);
            // The groups have been killed, and init reaps them: their numbers may belong to others.
            attempts.iter_mut().for_each(|kin| kin.root = None);
        }
        Hunt::new(attempts.clone(), Arc::default()).with(doomed.clone()).end();
    }
    Ok(())
}

/// Waits until the engine's children have another parent. The kernel closes a dying engine's pipe a little before that. Then it sends
/// SIGHUP to the stopped process groups among the children. If the guard stopped a worker in between, the worker would die, and the
/// guard could no longer find the unmarked processes that the worker has started.
fn wait_for_end_of(engine: Option<Pid>) {
    let last = Instant::now() + ENDING;
    while getppid() == engine && Instant::now() < last {
        sleep(BETWEEN_LOOKS_AT_ENGINE);
    }
}
