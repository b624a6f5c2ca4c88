//! Child processes, each in its own process group: collecting their output, and ending them as a group.
//!
//! One thread waits for everything at once: both pipes, the exit of the child, the deadline and a cancel. So a slot needs no
//! helper threads. A group is ended with TERM, and with KILL after [`GRACE`].

use super::cancel::Latch;
use super::file_limit::give_back;
use super::guard::{Cell, Guard, hunt};
use super::invocation::{Started, start};
use super::pipe_holders::holders;
use super::processes::{ATTEMPT_ID, RUN_ID};
use super::stream::Stream;
use super::usage::memory_of;
use super::wait::wait;
use super::withdrawn::{Recall, Wakers};
use crate::text::CUT;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process_group, pidfd_open, waitpid};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time between TERM and KILL.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// Maximum output of an item's command per stream, in bytes.
pub(super) const MOST_OUTPUT: usize = 64 << 20;

/// How much of a stream is logged, in bytes.
const MOST_LOGGED: usize = 1 << 20;

/// Time between two looks at the memory of a child that has a limit.
const CHECK_MEMORY: Duration = Duration::from_millis(20);

/// How long a pipe may stay open after the exit without anything new in it, and how long in all.
const QUIET: Duration = Duration::from_secs(1);
const LINGER: Duration = Duration::from_secs(10);

/// How a child ended.
#[derive(Debug)]
pub(super) struct ProcessEnd {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) by: EndedBy,
    /// What still held its output when reading ended, in words.
    pub(super) held_by: Option<String>,
}

/// What ended a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndedBy {
    /// The child exited, or another process killed it.
    Itself,
    /// The timeout.
    Timeout,
    /// It used so many bytes of memory, which is more than the maximum.
    Memory(u64),
    /// The run was ended.
    Interrupt,
    /// The user.
    Recall,
    /// It printed more than the maximum.
    Flood,
}

/// The limits of a child.
pub(super) struct Limits<'a> {
    pub(super) timeout: Option<Duration>,
    pub(super) kill: &'a Latch,
    pub(super) recall: Option<Recall<'a>>,
    pub(super) guard: Option<&'a Cell>,
    pub(super) most_output: usize,
    /// The most memory of it and of what it starts, in bytes.
    pub(super) most_memory: Option<u64>,
    /// Takes what comes from stdout, instead of memory.
    pub(super) stdout: Option<&'a File>,
    /// Gets the lines of stderr, whole ones, while they come.
    pub(super) stderr: Option<&'a LineSink<'a>>,
}

/// Takes whole lines.
pub(super) type LineSink<'a> = dyn Fn(&[u8]) + 'a;

/// As much of a stream as is logged: its beginning.
pub(super) fn logged(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(MOST_LOGGED)]
}

/// Runs a command. What it prints to stdout goes into a file; returns its status, and what it printed to stderr. `stop` ends
/// it together with its process group.
///
/// # Errors
/// If it cannot be started, if the file cannot be written, or if `stop` ended it.
pub fn capture(
    command: &mut Command,
    stdout: &File,
    stop: &Latch,
    guard: Option<&Arc<Guard>>,
) -> io::Result<(ExitStatus, Vec<u8>)> {
    let cell = guard.and_then(Guard::cell);
    guard.iter().for_each(|guard| {
        command.env(RUN_ID, &guard.run.0);
    });
    cell.iter().for_each(|cell| {
        command.env(ATTEMPT_ID, cell.begin());
    });
    let limits = Limits {
        timeout: None,
        kill: stop,
        recall: None,
        guard: cell.as_ref(),
        most_output: usize::MAX,
        most_memory: None,
        stdout: Some(stdout),
        stderr: None,
    };
    let ended = follow(|| start(command), &limits)?;
    if ended.by != EndedBy::Itself {
        return Err(io::Error::new(io::ErrorKind::Interrupted, "the run was interrupted"));
    }
    Ok((ended.status, ended.stderr))
}

/// Starts a child, and collects its output until it exits or reaches a limit. It has what [`Cell::begin`] gave in its
/// environment.
///
/// # Errors
/// If it cannot be started, or the system lacks the resources to watch it. The child is killed then.
pub(super) fn follow(start: impl FnOnce() -> io::Result<Started>, limits: &Limits<'_>) -> io::Result<ProcessEnd> {
    let Limits { timeout, kill, recall, guard, most_output, most_memory, stdout, stderr } = limits;
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let child = start().inspect_err(|_| {
        guard.inspect(|guard| guard.leave());
    })?;
    let pid = child.pid;
    give_back(pid);
    guard.inspect(|guard| guard.enter(pid));
    let watch = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(watch) => watch,
        Err(error) => {
            hunt(*guard, Some(pid)).end();
            guard.inspect(|guard| guard.leave());
            reap(pid)?;
            return Err(error.into());
        }
    };
    let mut drain = Drain {
        stdout: Stream::new(child.stdout, *most_output).into(*stdout),
        stderr: Stream::new(child.stderr, *most_output),
        lines: *stderr,
        told: 0,
        memory: most_memory.map(|most| (pid, most)),
    };
    let wakers = Wakers { kill, recall: *recall };
    let by = match drain.until_end(&watch, deadline, &wakers) {
        Ok(EndedBy::Itself) => {
            let by = drain.rest(deadline, &wakers);
            if !matches!(by, Ok(EndedBy::Itself)) {
                // What is left of a command that has exited goes on printing.
                hunt(*guard, Some(pid)).end();
            }
            by
        }
        other => {
            let mut hunt = hunt(*guard, Some(pid));
            hunt.look();
            drain.end_gently(pid, &watch);
            hunt.end();
            drain.read();
            other
        }
    };
    let held_by = (matches!(by, Ok(EndedBy::Itself)) && drain.is_open()).then(|| drain.holders());
    guard.inspect(|guard| guard.leave());
    drain.tell_rest();
    let (status, by) = (reap(pid)?, by?);
    if by == EndedBy::Itself && status.signal().is_some() {
        // Nobody can say what it had in mind for its children.
        hunt(*guard, None).end();
    }
    if let Some(error) = drain.stdout.failed {
        return Err(error);
    }
    Ok(ProcessEnd { status, stdout: drain.stdout.bytes, stderr: drain.stderr.bytes, by, held_by })
}

/// Waits for a child to exit, and reaps it.
fn reap(pid: Pid) -> io::Result<ExitStatus> {
    let ended = rustix::io::retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()))?;
    let (_, status) = ended.expect("waits until the child has exited");
    Ok(ExitStatus::from_raw(status.as_raw()))
}

/// Sends a signal to a process group. It does not matter if the group is gone already.
pub(super) fn end_group(pid: Pid, signal: Signal) {
    let _ = kill_process_group(pid, signal);
}

/// Kills a child together with its process group, and reaps it.
pub(super) fn kill_child(child: &mut Child) {
    end_group(Pid::from_child(child), Signal::KILL);
    let _ = child.wait();
}

fn passed(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now())
}

struct Drain<'a> {
    stdout: Stream<'a>,
    stderr: Stream<'a>,
    /// Gets the lines of stderr.
    lines: Option<&'a LineSink<'a>>,
    /// How much of stderr it got.
    told: usize,
    /// Whose memory to look at, and the most that it may be.
    memory: Option<(Pid, u64)>,
}

impl Drain<'_> {
    /// Collects output until the child exits or must be ended.
    fn until_end(&mut self, watch: &OwnedFd, deadline: Option<Instant>, wakers: &Wakers<'_>) -> io::Result<EndedBy> {
        loop {
            let Ok(call) = wakers.call() else { return Ok(EndedBy::Recall) };
            let mut fds = vec![PollFd::new(watch, PollFlags::IN), PollFd::new(wakers.kill, PollFlags::IN)];
            fds.extend(self.stdout.poll_fd());
            let out = (self.stdout.pipe.is_some()).then_some(2);
            fds.extend(self.stderr.poll_fd());
            let err = (self.stderr.pipe.is_some()).then_some(fds.len() - 1);
            fds.extend(call.as_deref().map(|call| PollFd::new(call, PollFlags::IN)));
            let look = self.memory.map(|_| Instant::now() + CHECK_MEMORY);
            if wait(&mut fds, deadline.into_iter().chain(look).min())?.is_none() && passed(deadline) {
                return Ok(EndedBy::Timeout);
            }
            let ready = |at: Option<usize>| at.is_some_and(|at| !fds[at].revents().is_empty());
            let (ended, killed, out, err) = (ready(Some(0)), ready(Some(1)), ready(out), ready(err));
            if out {
                self.stdout.read();
            }
            if err {
                self.read_stderr();
            }
            if self.flooded() {
                return Ok(EndedBy::Flood);
            }
            if let Some(used) = self.too_much_memory() {
                return Ok(EndedBy::Memory(used));
            }
            if ended {
                return Ok(EndedBy::Itself);
            }
            if killed {
                return Ok(EndedBy::Interrupt);
            }
        }
    }

    /// Reads the pipes to their end after the exit: what the child has started, such as a `tee`, may still have to write what
    /// it printed. Does not wait for what just keeps a pipe open.
    fn rest(&mut self, deadline: Option<Instant>, wakers: &Wakers<'_>) -> io::Result<EndedBy> {
        let last = Instant::now() + LINGER;
        let last = deadline.map_or(last, |deadline| deadline.min(last));
        loop {
            self.read();
            if self.flooded() {
                return Ok(EndedBy::Flood);
            }
            if !self.is_open() {
                return Ok(EndedBy::Itself);
            }
            let Ok(call) = wakers.call() else { return Ok(EndedBy::Recall) };
            let mut fds = vec![PollFd::new(wakers.kill, PollFlags::IN)];
            fds.extend(self.stdout.poll_fd());
            fds.extend(self.stderr.poll_fd());
            fds.extend(call.as_deref().map(|call| PollFd::new(call, PollFlags::IN)));
            match wait(&mut fds, Some(last.min(Instant::now() + QUIET)))? {
                None => return Ok(EndedBy::Itself),
                Some(0) => return Ok(EndedBy::Interrupt),
                Some(_) => {}
            }
        }
    }

    /// Ends a process group with TERM, then with KILL after [`GRACE`]. Until then its output is read, so that it can clean up.
    fn end_gently(&mut self, pid: Pid, watch: &OwnedFd) {
        end_group(pid, Signal::TERM);
        let last = Instant::now() + GRACE;
        loop {
            let mut fds = vec![PollFd::new(watch, PollFlags::IN)];
            fds.extend(self.stdout.poll_fd());
            fds.extend(self.stderr.poll_fd());
            // Whether it exits in time or not, the group is killed next.
            match wait(&mut fds, Some(last)) {
                Ok(Some(ready)) if ready > 0 => self.read(),
                _ => break,
            }
        }
        end_group(pid, Signal::KILL);
    }

    /// Reads what there is.
    fn read(&mut self) {
        self.stdout.read();
        self.read_stderr();
    }

    fn read_stderr(&mut self) {
        self.stderr.read();
        let new = &logged(&self.stderr.bytes)[self.told..];
        if let Some(end) = memchr::memrchr(b'\n', new) {
            self.tell(end + 1);
        }
    }

    /// Passes on so many bytes more of stderr.
    fn tell(&mut self, bytes: usize) {
        if let Some(lines) = self.lines.filter(|_| bytes > 0) {
            lines(&self.stderr.bytes[self.told..self.told + bytes]);
        }
        self.told += bytes;
    }

    /// Passes on what is left of stderr, or says how much there was.
    fn tell_rest(&mut self) {
        let logged = logged(&self.stderr.bytes).len();
        self.tell(logged - self.told);
        let dropped = self.stderr.bytes.len() - logged;
        if let Some(lines) = self.lines.filter(|_| dropped > 0) {
            lines(format!("{CUT}\n[batchmill: dropped {dropped} more bytes of output]\n").as_bytes());
        }
    }

    fn too_much_memory(&self) -> Option<u64> {
        let (pid, most) = self.memory?;
        let used = memory_of(pid.as_raw_nonzero().get().unsigned_abs());
        (used > most).then_some(used)
    }

    fn flooded(&self) -> bool {
        self.stdout.flooded() || self.stderr.flooded()
    }

    fn is_open(&self) -> bool {
        self.stdout.pipe.is_some() || self.stderr.pipe.is_some()
    }

    /// The processes that hold the pipes, for a message.
    fn holders(&self) -> String {
        let pipes: Vec<_> = [&self.stdout, &self.stderr].into_iter().filter_map(|it| it.pipe.as_ref()).collect();
        let names: Vec<_> = pipes.iter().filter_map(|pipe| rustix::fs::fstat(pipe).ok()).collect();
        let names: Vec<_> = names.iter().map(|stat| PathBuf::from(format!("pipe:[{}]", stat.st_ino))).collect();
        let found = holders(&names);
        if found.is_empty() { "another process".to_owned() } else { found.join(", ") }
    }
}
