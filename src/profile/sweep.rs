//! Runs the sessions in turn, and measures a window of each.

use super::grid::Setup;
use super::session::{DoneFrame, Session};
use super::trial::Trial;
use crate::measure::{SLOT_STATES, SlotState, SlotTimes, Usage};
use crate::task::{ThreadId, ThreadTimes, UsageMeter};
use rustix::fs::{Advice, fadvise};
use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use std::thread::Scope;
use std::time::{Duration, Instant};

/// How often a session is looked at that comes to rest.
const LOOK: Duration = Duration::from_millis(2);

/// For how long beyond twice the time the first trials may go on.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a session warms up at least: until its frames have found their size.
const WARM: Duration = Duration::from_millis(150);

/// A window holds at least so many times the time of an item.
pub(super) const ITEMS_IN_WINDOW: u32 = 3;

/// What was measured while one session ran.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// The session, by number.
    pub(super) session: usize,
    pub(super) from: Instant,
    pub(super) to: Instant,
    pub(super) usage: Usage,
    pub(super) threads: Threads,
    /// Nanoseconds of all slots in each state.
    pub(super) slots: SlotTimes,
    /// CPU time of the whole machine, in microseconds.
    pub(super) machine: u64,
}

/// How threads of tasks that live longer than a window were scheduled in it, in nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Threads {
    pub(super) on_cpu: u64,
    pub(super) runnable: u64,
}

/// Why a sweep cannot go on.
#[derive(Debug)]
pub(super) enum Halt {
    /// The user stopped it.
    Interrupted,
    /// A session ended by itself.
    Ended(String),
    /// There is too little time; how long an item takes.
    TooSlow(String),
    /// Too many items fail: how many did of those that ran, and how the first one did.
    Failing { failed: u64, ran: u64, first: String },
    /// The system refused something.
    Io(std::io::Error),
}

/// The sessions of a profile.
pub(super) struct Sweep<'scope, 'env> {
    threads: &'scope Scope<'scope, 'env>,
    trial: &'env Trial<'env>,
    meter: UsageMeter,
    pub(super) sessions: Vec<Arc<Session>>,
    pub(super) windows: Vec<Window>,
    /// Files to drop from the page cache before each window.
    pub(super) cold: Vec<std::path::PathBuf>,
    /// When to be done.
    pub(super) deadline: Instant,
    /// When to give up: on a busy machine, starting workers may take long.
    latest: Instant,
}

impl<'scope, 'env> Sweep<'scope, 'env> {
    pub(super) fn new(threads: &'scope Scope<'scope, 'env>, trial: &'env Trial<'env>, deadline: Instant) -> Self {
        let meter = UsageMeter::new(trial.host.guard.clone());
        let latest = deadline + deadline.saturating_duration_since(Instant::now()) + PATIENCE;
        Self { threads, trial, meter, sessions: Vec::new(), windows: Vec::new(), cold: Vec::new(), deadline, latest }
    }

    /// Opens a session and warms it up: its workers start, and its frames find their size. Returns its number.
    pub(super) fn open(&mut self, setup: Setup) -> Result<usize, Halt> {
        let session = Arc::new(Session::new(setup, self.sessions.len(), self.trial).map_err(Halt::Io)?);
        let (own, trial) = (Arc::clone(&session), self.trial);
        let spawned =
            std::thread::Builder::new().name("session".to_owned()).spawn_scoped(self.threads, move || own.run(trial));
        spawned.map_err(Halt::Io)?;
        self.sessions.push(Arc::clone(&session));
        let started = Instant::now();
        session.width.resume();
        let is_warm = || {
            let log = session.log();
            let mut slots: Vec<usize> = log.frames.iter().map(|frame| frame.slot).collect();
            slots.sort_unstable();
            slots.dedup();
            // One more frame than slots, so that one has started no worker.
            (slots.len() >= setup.width && log.frames.len() > setup.width) || log.frames.len() >= 4 * setup.width
        };
        while !is_warm() || started.elapsed() < WARM {
            self.look(&session, LOOK)?;
        }
        self.rest(&session)?;
        Ok(self.sessions.len() - 1)
    }

    /// Runs a session for this long.
    pub(super) fn measure(&mut self, number: usize, length: Duration) -> Result<(), Halt> {
        let session = Arc::clone(&self.sessions[number]);
        drop_from_cache(&self.cold);
        let item = session.log().usual_time();
        let length = length.max(item * ITEMS_IN_WINDOW);
        if self.cold.is_empty() {
            // All begin at once; a moment later they are as they would be in the middle of a run.
            session.width.resume();
            self.look(&session, item.min(length))?;
        }
        let (usage, threads, machine) = (self.meter.read(), self.meter.threads(), cpu_of_machine());
        let (from, before) = (Instant::now(), session.clocks.read(&[]));
        session.width.resume();
        let stopped = self.run_for(&session, length);
        let (to, after) = (Instant::now(), session.clocks.read(&before));
        let (usage, threads) = (self.meter.read().since(&usage), Threads::between(&threads, &self.meter.threads()));
        let machine = cpu_of_machine().saturating_sub(machine);
        stopped?;
        if self.cold.is_empty() {
            // Items in progress finish under the same load as before.
            self.look(&session, item)?;
        }
        self.rest(&session)?;
        let mut slots = [0; SLOT_STATES];
        for (before, after) in before.iter().zip(&after) {
            slots
                .iter_mut()
                .zip(before.iter().zip(after))
                .for_each(|(sum, (before, after))| *sum += after.saturating_sub(*before));
        }
        self.windows.push(Window { session: number, from, to, usage, threads, slots, machine });
        Ok(())
    }

    /// Lets a session run for this long; if files were dropped from memory, only until each has been read once.
    fn run_for(&self, session: &Session, length: Duration) -> Result<(), Halt> {
        if self.cold.is_empty() {
            return self.look(session, length);
        }
        let (started, before) = (Instant::now(), session.log().frames.len());
        let once = self.trial.sample.len().saturating_sub(session.setup.width);
        while started.elapsed() < length && session.log().frames.len() - before < once {
            self.look(session, LOOK)?;
        }
        Ok(())
    }

    /// Pauses a session, and waits until its items have ended.
    fn rest(&self, session: &Session) -> Result<(), Halt> {
        session.width.pause();
        let mut before = session.clocks.read(&[]);
        loop {
            self.look(session, LOOK)?;
            let now = session.clocks.read(&before);
            let busy = |times: &SlotTimes| -> u64 {
                let others =
                    SlotState::ALL.iter().filter(|state| !matches!(state, SlotState::Held | SlotState::Parked));
                others.map(|state| times[*state as usize]).sum()
            };
            if now.iter().map(busy).sum::<u64>() == before.iter().map(busy).sum::<u64>() {
                return Ok(());
            }
            before = now;
        }
    }

    /// Waits, unless there is nothing to wait for any more.
    fn look(&self, session: &Session, time: Duration) -> Result<(), Halt> {
        let stop = &self.trial.cancel.stop;
        let _ = stop.channel().recv_timeout(time);
        if stop.is_fired() {
            return Err(Halt::Interrupted);
        }
        if let Some(why) = &session.log().ended {
            return Err(Halt::Ended(why.clone()));
        }
        let is_late = Instant::now() > self.latest + time;
        if is_late { Err(Halt::TooSlow("longer".to_owned())) } else { Ok(()) }
    }

    /// The frames of a session so far.
    pub(super) fn frames(&self, number: usize) -> Vec<DoneFrame> {
        self.sessions[number].log().frames.clone()
    }

    /// What all processes have read from storage so far, in bytes.
    pub(super) fn bytes_read(&mut self) -> u64 {
        self.meter.read().read
    }

    /// The most memory that one process of a task has had.
    pub(super) fn largest_process(&mut self) -> u64 {
        self.meter.read().largest_process
    }
}

impl Threads {
    fn between(before: &BTreeMap<ThreadId, ThreadTimes>, after: &BTreeMap<ThreadId, ThreadTimes>) -> Self {
        let mut sum = Self::default();
        for (thread, now) in after {
            let then = before.get(thread).copied().unwrap_or_default();
            sum.on_cpu += now.on_cpu.saturating_sub(then.on_cpu);
            sum.runnable += now.runnable.saturating_sub(then.runnable);
        }
        sum
    }
}

/// The CPU time of all processes of the machine since it started, in microseconds; 0 if the kernel does not tell.
fn cpu_of_machine() -> u64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let times = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let times: Vec<u64> = times.filter_map(|time| time.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal: hundredths of a second.
    let busy = |at: &usize| times.get(*at).copied().unwrap_or(0);
    [0, 1, 2, 5, 6, 7].iter().map(busy).sum::<u64>() * 10_000
}

/// Has the kernel forget the contents of files, so that they are read from storage. What cannot be dropped stays.
fn drop_from_cache(files: &[std::path::PathBuf]) {
    for file in files.iter().filter_map(|path| File::open(path).ok()) {
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
    }
}
