//! The processes of the machine as `/proc` shows them at one moment, and which of them belong to an attempt.
//!
//! A process belongs to an attempt if it descends from the attempt's process, or has the attempt's mark in its environment, or
//! descends from one that has; and if it started after the attempt began. A worker runs one attempt after another with one mark:
//! what descends from a process of an earlier attempt belongs to that one.

use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};
use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The variable that says which run a process belongs to.
pub(super) const RUN_ID: &str = "BATCHMILL_RUN_ID";

/// The variable that says which attempt a process belongs to: a mark, after those of the attempts that this run is a part of.
pub(super) const ATTEMPT_ID: &str = "BATCHMILL_ATTEMPT_ID";

/// Between two marks in that variable.
pub(super) const BETWEEN_MARKS: char = '/';

/// The clock ticks of a second, as the kernel counts them for programs on all machines that are still made.
const TICKS: u64 = 100;

/// The most parents of a process to look at.
const MOST_PARENTS: usize = 1000;

/// The time since the machine was booted.
pub(super) fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// A time since the machine was booted in clock ticks, as `/proc/PID/stat` counts it.
pub(super) fn ticks(since_boot: Duration) -> u64 {
    since_boot.as_secs() * TICKS + u64::from(since_boot.subsec_nanos()) * TICKS / 1_000_000_000
}

/// This moment, in the same clock ticks.
pub(super) fn now() -> u64 {
    ticks(since_boot())
}

/// What the processes of an attempt have in common.
#[derive(Debug, Clone, Default)]
pub(super) struct Kin {
    /// The process that was started for it, which leads a group of its own and has not been reaped.
    pub(super) root: Option<Pid>,
    /// What its processes have in the variable [`ATTEMPT_ID`].
    pub(super) mark: Option<String>,
    /// When it began, as [`now`] said. What started before does not belong to it.
    pub(super) since: u64,
}

/// A process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: i32,
    parent: i32,
    group: i32,
    pub(super) started: u64,
    is_dead: bool,
    /// The value of the variable [`ATTEMPT_ID`].
    marks: OnceLock<Option<String>>,
}

impl Process {
    pub(super) fn read(pid: i32) -> Option<Self> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        // The name of the program, in brackets, may contain anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<i32>().ok();
        let started = fields.get(19)?.parse().ok()?;
        let is_dead = matches!(*fields.first()?, "Z" | "X" | "x");
        Some(Self { pid, parent: number(1)?, group: number(2)?, started, is_dead, marks: OnceLock::new() })
    }

    fn has(&self, mark: &str) -> bool {
        let marks = self.marks.get_or_init(|| {
            let environment = fs::read(format!("/proc/{}/environ", self.pid)).ok()?;
            let value =
                |variable: &[u8]| Some(variable.strip_prefix(ATTEMPT_ID.as_bytes())?.strip_prefix(b"=")?.to_vec());
            String::from_utf8(environment.split(|byte| *byte == 0).find_map(value)?).ok()
        });
        marks.as_ref().is_some_and(|marks| marks.split(BETWEEN_MARKS).any(|it| it == mark))
    }
}

/// All processes at one moment.
#[derive(Debug, Default)]
pub(super) struct Processes {
    all: HashMap<i32, Process>,
    /// Whether one was listed that had ended when it was looked at. It may have left another in its place.
    pub(super) has_gaps: bool,
}

impl Processes {
    pub(super) fn read() -> Self {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let mut found = Self::default();
        for pid in pids {
            match Process::read(pid) {
                Some(process) => drop(found.all.insert(pid, process)),
                None => found.has_gaps = true,
            }
        }
        found
    }

    /// The living processes of an attempt, except its root. `known` belong to it too, and so do their children.
    pub(super) fn of<'a>(&'a self, kin: &'a Kin, known: &'a HashMap<i32, u64>) -> impl Iterator<Item = &'a Process> {
        let own = std::process::id().cast_signed();
        let root = kin.root.map_or(0, |root| root.as_raw_nonzero().get());
        let candidates = self.all.values().filter(move |it| !it.is_dead && it.pid != own && it.pid != root);
        candidates.filter(move |it| it.started >= kin.since && self.belongs(it, kin, known))
    }

    /// Goes from parent to parent, until it is clear.
    fn belongs(&self, process: &Process, kin: &Kin, known: &HashMap<i32, u64>) -> bool {
        let root = kin.root.map(|root| root.as_raw_nonzero().get());
        let is_marked = |process: &Process| kin.mark.as_ref().is_some_and(|mark| process.has(mark));
        let (mut now, mut has_mark) = (process, false);
        for _ in 0..MOST_PARENTS {
            if Some(now.pid) == root || known.get(&now.pid) == Some(&now.started) {
                return true;
            }
            // A member of the group ends with the attempt in any case, however old.
            if Some(now.group) == root {
                return true;
            }
            if now.started < kin.since {
                return has_mark && !is_marked(now);
            }
            has_mark = has_mark || is_marked(now);
            match self.all.get(&now.parent) {
                Some(parent) => now = parent,
                None => return has_mark,
            }
        }
        has_mark
    }
}

/// Shares what was read among lanes that ask at the same time, as all of them do when a run is cancelled.
#[derive(Debug, Default)]
pub(super) struct SharedProcesses(Mutex<Option<(Instant, Arc<Processes>)>>);

impl SharedProcesses {
    /// The processes of a moment after this call.
    pub(super) fn read(&self) -> Arc<Processes> {
        let asked = Instant::now();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, processes)) = last.as_ref().filter(|(begun, _)| *begun > asked) {
            return Arc::clone(processes);
        }
        let begun = Instant::now();
        let processes = Arc::new(Processes::read());
        *last = Some((begun, Arc::clone(&processes)));
        processes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process: its number, its parent, its group, its start, its marks.
    fn process((pid, parent, group, started, marks): (i32, i32, i32, u64, &str)) -> (i32, Process) {
        let marks = OnceLock::from(Some(marks.to_owned()));
        (pid, Process { pid, parent, group, started, is_dead: false, marks })
    }

    fn found(all: &[(i32, i32, i32, u64, &str)], kin: &Kin) -> Vec<i32> {
        let processes = Processes { all: all.iter().copied().map(process).collect(), has_gaps: false };
        let mut found: Vec<i32> = processes.of(kin, &HashMap::new()).map(|it| it.pid).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn a_process_belongs_to_an_attempt_by_descent_or_by_its_mark() {
        let kin = Kin { root: Pid::from_raw(50), mark: Some("run:7".to_owned()), since: 100 };
        let engine = (40, 1, 40, 10, "");
        let root = (50, 40, 50, 100, "run:7");
        let others = [(41, 40, 41, 110, "run:8"), (42, 1, 42, 110, "run:70"), (43, 1, 43, 99, "run:7"), engine, root];
        assert!(found(&others, &kin).is_empty());
        let (child, grandchild) = ((60, 50, 60, 101, ""), (61, 60, 61, 102, ""));
        let (orphan, of_orphan, nested) =
            ((62, 1, 62, 103, "run:7"), (63, 62, 63, 104, ""), (64, 1, 64, 105, "run:7/in:1"));
        assert_eq!(found(&[engine, root, child, grandchild, orphan, of_orphan, nested], &kin), [60, 61, 62, 63, 64]);
    }

    #[test]
    fn what_an_earlier_attempt_of_a_worker_left_running_is_not_part_of_the_next_one() {
        let kin = Kin { root: Pid::from_raw(50), mark: Some("run:7".to_owned()), since: 100 };
        let worker = (50, 40, 50, 20, "run:7");
        // Two daemons, and what one has started during the attempt; a pool in the worker's group, and what it has started.
        let (daemon, reparented, of_daemon) =
            ((60, 50, 60, 90, "run:7"), (61, 1, 61, 90, "run:7"), (62, 61, 62, 110, "run:7"));
        let (pool, of_pool) = ((70, 50, 50, 30, "run:7"), (71, 70, 71, 110, "run:7"));
        assert_eq!(found(&[worker, daemon, reparented, of_daemon, pool, of_pool], &kin), [71]);
    }
}
