//! Ends all processes of attempts: those in the group of each, and those that have left it.
//!
//! Every process is stopped first, until no new one is found: a stopped process cannot fork, so none gets away while others are
//! looked for. Then all are killed. A process is held by a pidfd before it gets a signal, so the number of one that has ended in
//! between is never taken for it.

use super::doomed::Doomed;
use super::processes::{Kin, Process, SharedProcesses};
use super::wait::wait;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long to look. What the kernel does not let end by then, because it waits for a device, ends later by itself.
const LONGEST: Duration = Duration::from_secs(5);

/// How long to wait for the end of processes that were killed before looking for others.
const DYING: Duration = Duration::from_millis(200);

/// How often to look without finding any before there are none, if some are so short-lived that a look may miss them.
const ENOUGH: usize = 3;

/// What a look has found.
pub(super) struct Look {
    /// Those that are new, among all that were caught.
    new: Range<usize>,
    is_quiet: bool,
    has_gaps: bool,
}

/// A process that is to be killed.
struct Caught {
    /// When it started, and its number: a child comes after its parent.
    since: (u64, i32),
    process: OwnedFd,
}

/// Ends the processes of some attempts.
pub(super) struct Hunt {
    attempts: Vec<Kin>,
    shared: Arc<SharedProcesses>,
    /// Notes for the guard, in case the engine is killed first.
    doomed: Option<Arc<Doomed>>,
    /// When those that were found started, by number.
    known: HashMap<i32, u64>,
    /// Those that are to be killed.
    caught: Vec<Caught>,
}

impl Hunt {
    pub(super) fn new(attempts: Vec<Kin>, shared: Arc<SharedProcesses>) -> Self {
        Self { attempts, shared, doomed: None, known: HashMap::new(), caught: Vec::new() }
    }

    /// Leaves a note for the guard before it signals a process.
    pub(super) fn noting(self, doomed: Arc<Doomed>) -> Self {
        Self { doomed: Some(doomed), ..self }
    }

    /// Also ends these processes, given by number and start time, and their descendants.
    pub(super) fn with(mut self, noted: Vec<(i32, u64)>) -> Self {
        noted.into_iter().for_each(|(pid, started)| self.catch(pid, started));
        self
    }

    fn catch(&mut self, pid: i32, started: u64) {
        if let Some(process) = hold(pid, started) {
            self.doomed.iter().for_each(|doomed| doomed.note(pid, started));
            self.known.insert(pid, started);
            self.caught.push(Caught { since: (started, pid), process });
        }
    }

    /// Finds those that are not known yet. Do this before the groups get a signal too: what descends from a process can be found
    /// only while that is there.
    pub(super) fn look(&mut self) -> Look {
        let processes = self.shared.read();
        let (before, mut is_quiet) = (self.caught.len(), true);
        let found: Vec<(i32, u64)> = self
            .attempts
            .iter()
            .flat_map(|kin| processes.of(kin, &self.known))
            .map(|it| (it.pid, it.started))
            .collect();
        for (pid, started) in found {
            if self.known.get(&pid) == Some(&started) {
                continue;
            }
            // If it has ended since, it may have left another in its place.
            is_quiet = false;
            self.catch(pid, started);
        }
        Look { new: before..self.caught.len(), is_quiet, has_gaps: processes.has_gaps }
    }

    /// Ends them.
    pub(super) fn end(mut self) {
        let last = Instant::now() + LONGEST;
        // Notes come before the first signal, so that the guard can take over at any moment.
        let mut fewest = if self.look().is_quiet { 1 } else { ENOUGH };
        self.signal_groups(Signal::STOP);
        signal(&self.caught, Signal::STOP);
        loop {
            self.stop_all(fewest, last);
            fewest = 1;
            let mut killed = std::mem::take(&mut self.caught);
            // Children first: when a parent dies, the kernel resumes its stopped children.
            killed.sort_unstable_by_key(|caught| Reverse(caught.since));
            signal(&killed, Signal::KILL);
            self.signal_groups(Signal::KILL);
            if killed.is_empty() || Instant::now() >= last {
                return;
            }
            let dying = Instant::now() + DYING;
            for Caught { process, .. } in &killed {
                // Whether it has ended or not, others are looked for next.
                let _ = wait(&mut [PollFd::new(process, PollFlags::IN)], Some(dying));
            }
        }
    }

    /// Stops the processes that it finds, until at least `fewest` looks in a row have found no new one.
    fn stop_all(&mut self, fewest: usize, last: Instant) {
        let (mut quiet, mut enough) = (0, fewest);
        while quiet < enough && Instant::now() < last {
            let Look { new, is_quiet, has_gaps } = self.look();
            signal(&self.caught[new], Signal::STOP);
            quiet = if is_quiet { quiet + 1 } else { 0 };
            enough = enough.max(if !is_quiet { ENOUGH } else { 1 + usize::from(has_gaps) });
        }
    }

    fn signal_groups(&self, signal: Signal) {
        for root in self.attempts.iter().filter_map(|kin| kin.root) {
            // It does not matter if the group is gone already.
            let _ = kill_process_group(root, signal);
        }
    }
}

/// A process by its number, if it is the one that started then.
fn hold(pid: i32, started: u64) -> Option<OwnedFd> {
    let process = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    (Process::read(pid)?.started == started).then_some(process)
}

fn signal(caught: &[Caught], signal: Signal) {
    for Caught { process, .. } in caught {
        // It may have ended, or belong to another user.
        let _ = pidfd_send_signal(process, signal);
    }
}
