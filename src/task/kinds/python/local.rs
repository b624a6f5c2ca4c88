//! A worker that is a child process on this machine.
//!
//! Owns the process, its socket and its shared page. Messages pass through unread. Dropping a [`LocalWorker`] kills the process
//! together with its child processes.

use super::host::Host;
use super::peer::{Peer, PeerHost, Waits, WorkerEvent, WorkerExit};
use super::shared_page::SharedPage;
use super::worker_env::worker_env;
use crate::model::{Failure, FailureKind};
use crate::task::cancel::Latch;
use crate::task::context::StepContext;
use crate::task::file_limit::give_back;
use crate::task::guard::{Cell, Guard, hunt};
use crate::task::process::{end_group, kill_child};
use crate::task::processes::{ATTEMPT_ID, RUN_ID, now, since_boot, ticks};
use crate::task::shortage::shortage;
use crate::task::wait::wait;
use crate::text::CUT;
use crate::wire::{FrameReader, WireError, WorkerMessage, write_frame};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much to read from the end of a worker's stderr, in bytes.
const MOST_STDERR: u64 = 256 << 10;

/// How long a frame may stall after its first bytes. Workers send frames whole, so bytes that stall for longer come from
/// something else, such as user code that writes to the socket.
const STALL: Duration = Duration::from_secs(10);

/// How often to look for the end of the run while a frame stalls.
const LOOK: Duration = Duration::from_millis(100);

/// How long a worker may take to exit after it has closed its socket.
const HANG_UP: Duration = Duration::from_secs(1);

/// How often to check for a timeout while no item is running yet.
const NEXT_ITEM: Duration = Duration::from_millis(20);

/// Starts the workers of one lane as child processes.
pub(super) struct LocalHost {
    host: Arc<Host>,
    context: StepContext,
    slot: usize,
}

/// A worker process.
struct LocalWorker {
    child: Child,
    /// A pidfd, readable once the process has exited.
    watch: OwnedFd,
    socket: UnixStream,
    reader: FrameReader,
    page: SharedPage,
    stderr: File,
    guard: Option<Cell>,
    work: Work,
    status: Option<ExitStatus>,
}

/// What a worker is doing, and since when. If it is ended, so are the processes that it has started since then, or since its
/// current unit began. What earlier units have left running is left alone.
#[derive(Debug, Clone, Copy)]
enum Work {
    Nothing,
    /// One unit after another.
    Units(u64),
    /// Something that ends as a whole: `setup`, or units whose time is up together.
    Whole(u64),
    /// `teardown`, and what Python does at its end.
    Last(u64),
}

impl LocalHost {
    /// A host for the lane of one slot.
    pub(super) fn new(context: &StepContext, slot: usize) -> Self {
        let host = context.host.python.clone();
        let host = host.expect("the engine settles the interpreter before a step with a python task starts");
        Self { host, context: context.clone(), slot }
    }

    fn spawn(&self) -> io::Result<LocalWorker> {
        let context = &self.context;
        let (socket, theirs) = UnixStream::pair()?;
        socket.set_read_timeout(Some(LOOK))?;
        let page = SharedPage::new()?;
        // If the log file cannot be created, use memory: a missing log must not fail an item.
        let stderr = nameless_file(&context.host.logs.join(format!("{}-worker-{}", context.step, self.slot)))
            .or_else(|_| memfd_create("batchmill-stderr", MemfdFlags::CLOEXEC).map(File::from))?;
        let mut command = self.host.command();
        command.envs(worker_env(&context.host.env, context.settings.width));
        command.envs(context.host.env.iter().map(|(name, value)| (name, value)));
        command.env(RUN_ID, &context.run.0).env("PYTHONFAULTHANDLER", "1");
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(page.to_stdio()?);
        command.stderr(stderr.try_clone()?);
        let guard = context.host.guard.as_ref().and_then(Guard::cell);
        command.envs(guard.iter().map(|guard| (ATTEMPT_ID, guard.begin())));
        let mut child = command.process_group(0).spawn()?;
        give_back(Pid::from_child(&child));
        guard.iter().for_each(|guard| guard.enter(Pid::from_child(&child)));
        let watch = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).inspect_err(|_| kill_child(&mut child))?;
        let reader = FrameReader::default();
        let work = Work::Whole(now());
        Ok(LocalWorker { child, watch, socket, reader, page, stderr, guard, work, status: None })
    }
}

impl PeerHost for LocalHost {
    fn name(&self) -> &str {
        &self.host.executable
    }

    fn start(&self) -> Result<Box<dyn Peer>, Failure> {
        let failed = |error| {
            let what = format!("cannot start a Python worker with `{}`", self.host.executable);
            let short = shortage(&error).map(|short| short.of(&what));
            short.unwrap_or_else(|| Failure::new(FailureKind::Start, "WorkerStart", format!("{what}: {error}")))
        };
        Ok(Box::new(self.spawn().map_err(failed)?))
    }
}

impl Peer for LocalWorker {
    fn send(&mut self, message: &WorkerMessage) -> Result<(), WireError> {
        match message {
            WorkerMessage::Run(_) => {
                self.page.clear()?;
                self.begin(Work::Units);
            }
            WorkerMessage::Stop => self.begin(Work::Last),
            WorkerMessage::Start(_) | WorkerMessage::Rest => self.begin(Work::Whole),
            _ => {}
        }
        write_frame(&mut self.socket, message)
    }

    fn next_event(&mut self, waits: &Waits<'_>) -> Result<WorkerEvent, WireError> {
        loop {
            let item_end = waits.item_timeout.map(|timeout| Instant::now() + self.time_left(timeout));
            let timers = [
                (item_end, WorkerEvent::ItemTimeout),
                (waits.deadline, WorkerEvent::Deadline),
                (waits.check_at, WorkerEvent::CheckDue),
            ];
            let now = Instant::now();
            let next = timers.iter().filter_map(|(at, _)| *at).min();
            if let Some((_, event)) = timers.into_iter().find(|(at, _)| at.is_some_and(|at| at <= now)) {
                if let (WorkerEvent::Deadline, Work::Units(since)) = (&event, self.work) {
                    self.work = Work::Whole(since);
                }
                return Ok(event);
            }
            match self.wait(waits, next)? {
                Ready::Socket => return self.read(waits.kill),
                Ready::Dead => return Ok(WorkerEvent::Dead(self.reap()?)),
                Ready::Kill => return Ok(WorkerEvent::Interrupted),
                Ready::Stop => return Ok(WorkerEvent::Stop),
                Ready::Call => return Ok(WorkerEvent::Call),
                Ready::Time => {}
            }
        }
    }

    fn is_alive(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let exited = poll(&mut [PollFd::new(&self.watch, PollFlags::IN)], Some(&now));
        self.status.is_none() && exited == Ok(0)
    }

    fn halt(&mut self) -> Result<(), WireError> {
        Ok(self.page.halt()?)
    }

    fn position(&self) -> Option<usize> {
        self.page.position()
    }

    fn item_time(&self) -> Duration {
        self.page.item_time()
    }

    /// Includes memory that is shared with other processes, and that it has had since it was ready (`VmHWM` in proc(5)).
    fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = most.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes * 1024)
    }

    fn stderr_tail(&self) -> String {
        let length = self.stderr.metadata().map_or(0, |data| data.len());
        let from = length.saturating_sub(MOST_STDERR);
        let mut text = vec![0; usize::try_from(length - from).unwrap_or(0)];
        let read = self.stderr.read_exact_at(&mut text, from);
        let text = String::from_utf8_lossy(if read.is_ok() { &text } else { &[] }).trim().to_owned();
        if from == 0 { text } else { format!("{CUT}{text}") }
    }

    fn close(&mut self) -> Option<WorkerExit> {
        self.reap().ok()
    }
}

/// What ended a wait for the process.
#[derive(Debug, Clone, Copy)]
enum Ready {
    Socket,
    Dead,
    Kill,
    Stop,
    Call,
    Time,
}

impl LocalWorker {
    fn wait(&self, waits: &Waits<'_>, deadline: Option<Instant>) -> io::Result<Ready> {
        // In this order, so that everything a dead worker has sent is read before its death is noticed.
        let ready = [Ready::Socket, Ready::Dead, Ready::Kill, Ready::Stop, Ready::Call];
        let (stop, call) = (waits.stop.unwrap_or(waits.kill), waits.call.unwrap_or(waits.kill));
        let fds = [self.socket.as_fd(), self.watch.as_fd(), waits.kill.as_fd(), stop.as_fd(), call.as_fd()];
        let mut fds = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        Ok(wait(&mut fds, deadline)?.map_or(Ready::Time, |at| ready[at]))
    }

    /// Reads the frame that is arriving.
    fn read(&mut self, kill: &Latch) -> Result<WorkerEvent, WireError> {
        let last = Instant::now() + STALL;
        let read = loop {
            match self.reader.read(&mut self.socket) {
                Err(WireError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < last => {
                    if kill.is_fired() {
                        return Ok(WorkerEvent::Interrupted);
                    }
                }
                other => break other,
            }
        };
        match read {
            Ok(Some(message)) => {
                let rests = matches!((&message, self.work), (WorkerMessage::TornDown, Work::Whole(_)));
                if rests || matches!(message, WorkerMessage::Ready | WorkerMessage::Done(_)) {
                    self.work = Work::Nothing;
                    self.guard.iter().for_each(Cell::rest);
                }
                Ok(WorkerEvent::Message(message))
            }
            // It closed the socket, or was killed in the middle of a frame. Either way it is dead or about to be.
            Ok(None) => Ok(WorkerEvent::Dead(self.reap()?)),
            Err(WireError::Io(error)) if error.kind() != io::ErrorKind::WouldBlock => {
                Ok(WorkerEvent::Dead(self.reap()?))
            }
            Err(error) => {
                self.kill()?;
                Ok(WorkerEvent::Garbled(error))
            }
        }
    }

    /// How much longer the current item may take, or when to check again if none has started.
    fn time_left(&self, timeout: Duration) -> Duration {
        match self.page.position() {
            Some(_) => timeout.saturating_sub(self.page.item_time()),
            None => timeout.clamp(Duration::from_millis(1), NEXT_ITEM),
        }
    }

    /// Waits a moment for the process to exit, then kills what is left of its process group.
    fn reap(&mut self) -> io::Result<WorkerExit> {
        if self.status.is_none() {
            // Whether it exits in time or not, the group is killed next.
            let exited = wait(&mut [PollFd::new(&self.watch, PollFlags::IN)], Some(Instant::now() + HANG_UP));
            if let (Ok(Some(_)), Work::Last(_)) = (exited, self.work) {
                self.work = Work::Nothing;
            }
        }
        self.kill().map(exit)
    }

    fn begin(&mut self, work: impl Fn(u64) -> Work) {
        let now = now();
        self.work = work(now);
        self.guard.iter().for_each(|guard| guard.work_from(now));
    }

    /// When the attempt began that ends with the worker, if it ends one.
    fn attempt_began(&self) -> Option<u64> {
        // Read first: a moment too early is better than one too late.
        let now = since_boot();
        match self.work {
            Work::Nothing => None,
            Work::Units(since) if self.page.position().is_some() => {
                Some(ticks(now.saturating_sub(self.page.item_time())).max(since))
            }
            Work::Units(since) | Work::Whole(since) | Work::Last(since) => Some(since),
        }
    }

    /// Kills the process group, and notes how the process exited. The group is killed before the process is reaped: after that,
    /// its number may be reused.
    fn kill(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        let group = Pid::from_child(&self.child);
        match self.attempt_began() {
            Some(since) => {
                self.guard.iter().for_each(|guard| guard.work_from(since));
                hunt(self.guard.as_ref(), Some(group)).end();
            }
            None => end_group(group, Signal::KILL),
        }
        self.guard.iter().for_each(Cell::leave);
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }
}

impl Drop for LocalWorker {
    fn drop(&mut self) {
        // A process that has not exited by now gets no more time.
        let _ = self.kill();
    }
}

/// A file without a name, which disappears once it is closed. The output of a worker may contain secrets, which are masked only
/// when it is read.
fn nameless_file(path: &Path) -> io::Result<File> {
    let file = File::options().create_new(true).read(true).append(true).mode(0o600).open(path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

fn exit(status: ExitStatus) -> WorkerExit {
    let description = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}{}", signal_name(signal)),
        (None, None) => "exited".to_owned(),
    };
    WorkerExit { success: status.success(), was_killed: status.signal().is_some(), description }
}

/// The name of a common signal, in brackets.
fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL: killed from outside, or out of memory)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}
