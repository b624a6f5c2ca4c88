//! Child processes: started in a group of their own, drained, timed and ended as a group.
//!
//! One thread waits for everything at once (both pipes, the child's end, the deadline, the cancel), so a slot needs no
//! helper threads. The group is ended with TERM, and with KILL after [`GRACE`].

use super::cancel::Latch;
use super::guard::{Cell, Guard};
use super::invocation::{Started, start};
use super::wait::wait;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process_group, pidfd_open, waitpid};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time between TERM and KILL.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// The most that is kept of what an item's command prints on a stream, in bytes.
pub(super) const MOST_OUTPUT: usize = 64 << 20;

/// How a child ended.
#[derive(Debug)]
pub(super) struct ProcessEnd {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) by: EndedBy,
}

/// Who ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndedBy {
    /// The child itself, or a signal of somebody else.
    Itself,
    /// Its deadline.
    Timeout,
    /// The cancel of the run.
    Cancel,
    /// More output than is kept.
    Flood,
}

/// What limits a child's life.
pub(super) struct Limits<'a> {
    pub(super) timeout: Option<Duration>,
    pub(super) kill: &'a Latch,
    pub(super) guard: Option<&'a Cell>,
    pub(super) most_output: usize,
}

/// Runs a command and collects all that it prints; `stop` ends it with its whole group.
///
/// # Errors
/// Where it cannot be started, or was ended by `stop`.
pub fn capture(command: &mut Command, stop: &Latch, guard: Option<&Arc<Guard>>) -> io::Result<Output> {
    let cell = guard.and_then(Guard::cell);
    let limits = Limits { timeout: None, kill: stop, guard: cell.as_ref(), most_output: usize::MAX };
    let ended = follow(start(command)?, &limits)?;
    if ended.by != EndedBy::Itself {
        return Err(io::Error::new(io::ErrorKind::Interrupted, "the run was interrupted"));
    }
    Ok(Output { status: ended.status, stdout: ended.stdout, stderr: ended.stderr })
}

/// Waits for the end of a child that was just started, or ends it, and collects what it prints.
///
/// # Errors
/// Where the system lacks resources to watch it; it is killed then.
pub(super) fn follow(child: Started, limits: &Limits<'_>) -> io::Result<ProcessEnd> {
    let Limits { timeout, kill, guard, most_output } = limits;
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let pid = child.pid;
    guard.inspect(|guard| guard.enter(pid));
    let watch = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(watch) => watch,
        Err(error) => {
            end_group(pid, Signal::KILL);
            guard.inspect(|guard| guard.leave());
            reap(pid)?;
            return Err(error.into());
        }
    };
    let mut drain =
        Drain { stdout: Stream::new(child.stdout, *most_output), stderr: Stream::new(child.stderr, *most_output) };
    let by = match drain.until_end(&watch, deadline, kill) {
        Ok(EndedBy::Itself) => Ok(EndedBy::Itself),
        other => {
            end_gently(pid, &watch);
            other
        }
    };
    drain.rest();
    guard.inspect(|guard| guard.leave());
    let (status, by) = (reap(pid)?, by?);
    Ok(ProcessEnd { status, stdout: drain.stdout.bytes, stderr: drain.stderr.bytes, by })
}

/// Waits for a child that has ended or will, and lets the system forget it.
fn reap(pid: Pid) -> io::Result<ExitStatus> {
    let ended = rustix::io::retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()))?;
    let (_, status) = ended.expect("waits until it has ended");
    Ok(ExitStatus::from_raw(status.as_raw()))
}

/// Ends a process group with TERM, then with KILL when it has not ended after [`GRACE`].
fn end_gently(pid: Pid, watch: &OwnedFd) {
    end_group(pid, Signal::TERM);
    // Whatever comes of waiting, the group is killed next.
    let _ = wait(&mut [PollFd::new(watch, PollFlags::IN)], Some(Instant::now() + GRACE));
    end_group(pid, Signal::KILL);
}

/// Signals a whole process group; that it may be gone already is fine.
pub(super) fn end_group(pid: Pid, signal: Signal) {
    let _ = kill_process_group(pid, signal);
}

/// Kills a child with its whole group, and waits for it.
pub(super) fn kill_child(child: &mut Child) {
    end_group(Pid::from_child(child), Signal::KILL);
    let _ = child.wait();
}

struct Drain {
    stdout: Stream,
    stderr: Stream,
}

impl Drain {
    /// Collects output until the child has ended or somebody wants it to.
    fn until_end(&mut self, watch: &OwnedFd, deadline: Option<Instant>, kill: &Latch) -> io::Result<EndedBy> {
        loop {
            let mut fds = vec![PollFd::new(watch, PollFlags::IN), PollFd::new(kill, PollFlags::IN)];
            fds.extend(self.stdout.poll_fd());
            let out = (self.stdout.pipe.is_some()).then_some(2);
            fds.extend(self.stderr.poll_fd());
            let err = (self.stderr.pipe.is_some()).then_some(fds.len() - 1);
            if wait(&mut fds, deadline)?.is_none() {
                return Ok(EndedBy::Timeout);
            }
            let ready = |at: Option<usize>| at.is_some_and(|at| !fds[at].revents().is_empty());
            let (ended, killed, out, err) = (ready(Some(0)), ready(Some(1)), ready(out), ready(err));
            if out {
                self.stdout.read();
            }
            if err {
                self.stderr.read();
            }
            if ended {
                return Ok(EndedBy::Itself);
            }
            if killed {
                return Ok(EndedBy::Cancel);
            }
            if self.stdout.flooded() || self.stderr.flooded() {
                return Ok(EndedBy::Flood);
            }
        }
    }

    /// What is in the pipes at the child's end. Does not wait for grandchildren that hold them open.
    fn rest(&mut self) {
        self.stdout.read();
        self.stderr.read();
    }
}

struct Stream {
    pipe: Option<OwnedFd>,
    bytes: Vec<u8>,
    most: usize,
}

impl Stream {
    fn new(pipe: OwnedFd, most: usize) -> Self {
        // Without it a read could wait for a grandchild; a pipe just made takes the flag.
        let _ = rustix::io::ioctl_fionbio(&pipe, true);
        Self { pipe: Some(pipe), bytes: Vec::new(), most }
    }

    fn poll_fd(&self) -> Option<PollFd<'_>> {
        self.pipe.as_ref().map(|pipe| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN))
    }

    fn flooded(&self) -> bool {
        self.bytes.len() > self.most
    }

    /// Reads what is there; closes the pipe at its end.
    fn read(&mut self) {
        let Some(pipe) = self.pipe.take() else { return };
        let mut file = std::fs::File::from(pipe);
        let mut chunk = [0; 16 << 10];
        while !self.flooded() {
            match file.read(&mut chunk) {
                Ok(0) => return,
                Ok(read) => self.bytes.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return,
            }
        }
        self.pipe = Some(file.into());
    }
}
