//! One worker process: its start, its socket, its shared page, its end.

use super::host::Host;
use super::memory;
use crate::model::{Failure, FailureKind};
use crate::task::cancel::{Cancel, Latch};
use crate::task::context::StepContext;
use crate::task::guard::{Cell, Guard};
use crate::task::process::{end_group, kill_child};
use crate::wire::{Frame, FrameReader, Log, PROTOCOL, Run, Start, WireError, page, write_frame};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a worker may take to end in order, `teardown` included.
const SHUTDOWN: Duration = Duration::from_secs(60);

/// The most that is kept of what a worker writes to its stderr, in bytes.
const MOST_STDERR: u64 = 256 << 10;

/// A frame that has begun arrives whole; one that stops in the middle for so long comes from somebody else's pen.
const STALL: Duration = Duration::from_secs(10);

/// A running worker.
pub(super) struct Worker {
    child: Child,
    watch: OwnedFd,
    socket: UnixStream,
    reader: FrameReader,
    page: File,
    stderr: File,
    halted: bool,
    guard: Option<Cell>,
    status: Option<ExitStatus>,
    /// How many items it was sent.
    pub(super) ran: usize,
    /// What `setup` printed.
    pub(super) setup_logs: Vec<Log>,
}

/// How long to wait for a worker.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Waits {
    /// For the item it is on.
    pub(super) timeout: Option<Duration>,
    /// For all that it was sent.
    pub(super) deadline: Option<Instant>,
    /// To look how it does.
    pub(super) look: Option<Duration>,
}

/// What came while waiting for a worker.
pub(super) enum WorkerEvent {
    /// A frame.
    Frame(Frame),
    /// It is dead, and everything it sent was read.
    Dead(ExitStatus),
    /// What came over its socket is no frame: code of an item wrote there. It was killed.
    Garbled(WireError),
    /// The current item has taken longer than it may.
    Late,
    /// All of its work has taken longer than it may.
    BatchLate,
    /// Nothing; it is time to look how it does.
    Look,
    /// The run is cancelled.
    Cancelled,
}

impl Worker {
    /// Starts a worker and waits until it is ready.
    pub(super) fn start(host: &Host, start: Start, context: &StepContext, slot: usize) -> Result<Self, Failure> {
        let mut worker = Self::spawn(host, context, slot).map_err(|error| {
            let message = format!("cannot start a Python worker with `{}`: {error}", host.executable);
            Failure::new(FailureKind::Start, "WorkerStart", message)
        })?;
        worker.expect_hello(host, context)?;
        worker.send(&Frame::Start(Box::new(start))).map_err(|error| broken(&error.to_string()))?;
        loop {
            match worker.next_event(&Waits::default(), &context.cancel) {
                Ok(WorkerEvent::Frame(Frame::Ready)) => return Ok(worker),
                Ok(WorkerEvent::Frame(Frame::Log(log))) => worker.setup_logs.push(log),
                Ok(WorkerEvent::Frame(Frame::Broken(failure))) => return Err(failure.permanent()),
                Ok(WorkerEvent::Frame(_)) => return Err(broken("it sent what it may not before it is ready")),
                Ok(WorkerEvent::Dead(status)) => {
                    let message = format!("Python worker {} while it was set up", describe(status));
                    return Err(Failure::new(FailureKind::Crash, "Crash", message).with_detail(worker.stderr_tail()));
                }
                Ok(WorkerEvent::Cancelled) => return Err(cancelled()),
                Ok(WorkerEvent::Late | WorkerEvent::BatchLate | WorkerEvent::Look) => {}
                Ok(WorkerEvent::Garbled(error)) | Err(error) => return Err(broken(&error.to_string())),
            }
        }
    }

    fn spawn(host: &Host, context: &StepContext, slot: usize) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        socket.set_read_timeout(Some(STALL))?;
        let page = memfd_create("batchmill-page", MemfdFlags::CLOEXEC)?;
        ftruncate(&page, page::SIZE as u64)?;
        // Where the logs cannot be written, memory takes what the worker prints: a log is not worth an item.
        let stderr = nameless_file(&context.host.logs.join(format!("{}-worker-{slot}", context.step)))
            .or_else(|_| memfd_create("batchmill-stderr", MemfdFlags::CLOEXEC).map(File::from))?;
        let mut command = host.command();
        command.envs(memory::settings(&context.host.env)).envs(thread_caps(context.settings.width));
        command.envs(context.host.env.iter().map(|(name, value)| (name, value)));
        command.env("BATCHMILL_RUN_ID", &context.run.0).env("PYTHONFAULTHANDLER", "1");
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::from(page.try_clone()?));
        command.stderr(stderr.try_clone()?);
        let mut child = command.process_group(0).spawn()?;
        let watch = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).inspect_err(|_| kill_child(&mut child))?;
        let guard = context.host.guard.as_ref().and_then(Guard::cell);
        guard.iter().for_each(|guard| guard.enter(Pid::from_child(&child)));
        let reader = FrameReader::default();
        Ok(Self {
            child,
            watch,
            socket,
            reader,
            page: File::from(page),
            stderr,
            halted: false,
            guard,
            status: None,
            ran: 0,
            setup_logs: Vec::new(),
        })
    }

    fn expect_hello(&mut self, host: &Host, context: &StepContext) -> Result<(), Failure> {
        match self.next_event(&Waits::default(), &context.cancel) {
            Ok(WorkerEvent::Frame(Frame::Hello(hello))) if hello.protocol == PROTOCOL => Ok(()),
            Ok(WorkerEvent::Frame(Frame::Hello(hello))) => Err(broken(&format!(
                "the batchmill module of `{}` is version {}, this is {}; install the same version there",
                host.executable,
                hello.batchmill,
                env!("CARGO_PKG_VERSION")
            ))),
            Ok(WorkerEvent::Dead(status)) => {
                let message = format!("Python worker {} before it said hello", describe(status));
                Err(Failure::new(FailureKind::Start, "WorkerStart", message)
                    .with_detail(self.stderr_tail())
                    .permanent())
            }
            Ok(WorkerEvent::Cancelled) => Err(cancelled()),
            Ok(_) => Err(broken("it does not speak batchmill's protocol")),
            Err(error) => Err(broken(&error.to_string())),
        }
    }

    pub(super) fn send(&mut self, frame: &Frame) -> Result<(), WireError> {
        write_frame(&mut self.socket, frame)
    }

    /// Sends work. A handler's work is done even where the run has stopped.
    pub(super) fn send_run(&mut self, run: Run, handler: bool) -> Result<(), WireError> {
        self.page.write_all_at(&[0; page::HALT + 8], 0)?;
        self.halted = handler;
        self.send(&Frame::Run(run))
    }

    /// Waits for whatever comes first. Tells the worker to halt once when the run stops.
    pub(super) fn next_event(&mut self, waits: &Waits, cancel: &Cancel) -> Result<WorkerEvent, WireError> {
        let look = waits.look.map(|look| Instant::now() + look);
        loop {
            let item = waits.timeout.map(|timeout| self.time_left(timeout));
            if item == Some(Duration::ZERO) {
                return Ok(WorkerEvent::Late);
            }
            let until = |at: Option<Instant>| at.map(|at| at.saturating_duration_since(Instant::now()));
            let (batch, look) = (until(waits.deadline), until(look));
            if batch == Some(Duration::ZERO) {
                return Ok(WorkerEvent::BatchLate);
            }
            if look == Some(Duration::ZERO) {
                return Ok(WorkerEvent::Look);
            }
            let wait = [item, batch, look].into_iter().flatten().min();
            match self.poll(wait, cancel)? {
                Ready::Socket => match self.reader.read(&mut self.socket) {
                    Ok(Some(frame)) => return Ok(WorkerEvent::Frame(frame)),
                    // It hung up, or was killed in the middle of a frame: either way it is dead, or soon will be.
                    Ok(None) => return Ok(WorkerEvent::Dead(self.reap()?)),
                    Err(WireError::Io(error)) if error.kind() != io::ErrorKind::WouldBlock => {
                        return Ok(WorkerEvent::Dead(self.reap()?));
                    }
                    Err(error) => {
                        self.end()?;
                        return Ok(WorkerEvent::Garbled(error));
                    }
                },
                Ready::Dead => return Ok(WorkerEvent::Dead(self.reap()?)),
                Ready::Kill => return Ok(WorkerEvent::Cancelled),
                Ready::Stop => self.halt()?,
                Ready::Time => {}
            }
        }
    }

    fn poll(&self, wait: Option<Duration>, cancel: &Cancel) -> io::Result<Ready> {
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        let stop: &Latch = &cancel.stop;
        let fds: [(&dyn AsFdObject, Ready); 4] = [
            // In this order: what a dead worker has sent is read before its death is noticed.
            (&self.socket, Ready::Socket),
            (&self.watch, Ready::Dead),
            (&*cancel.kill, Ready::Kill),
            (stop, Ready::Stop),
        ];
        let count = if self.halted { 3 } else { 4 };
        let mut polled: Vec<PollFd<'_>> =
            fds[..count].iter().map(|(fd, _)| PollFd::from_borrowed_fd(fd.fd(), PollFlags::IN)).collect();
        loop {
            match poll(&mut polled, wait.as_ref()) {
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let ready = polled.iter().position(|fd| !fd.revents().is_empty());
        Ok(ready.map_or(Ready::Time, |at| fds[at].1))
    }

    /// Makes the worker begin no further item.
    fn halt(&mut self) -> io::Result<()> {
        self.halted = true;
        self.page.write_all_at(&1_u64.to_ne_bytes(), page::HALT as u64)
    }

    /// How much longer the current item may take; at most 20 ms where none has begun yet.
    fn time_left(&self, timeout: Duration) -> Duration {
        if self.position().is_none() {
            return timeout.clamp(Duration::from_millis(1), Duration::from_millis(20));
        }
        timeout.saturating_sub(self.running())
    }

    /// How long ago it began the item that it is on, or was on when it died.
    pub(super) fn running(&self) -> Duration {
        let now = clock_gettime(ClockId::Monotonic);
        let now = Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0));
        now.saturating_sub(Duration::from_nanos(self.cell(page::STARTED)))
    }

    /// The bytes of memory that it takes, those shared with others included (`VmRSS` of proc(5)).
    pub(super) fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes: u64 = resident.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes * 1024)
    }

    /// The position of the current `Run` that it is on, or was on when it died.
    pub(super) fn position(&self) -> Option<usize> {
        usize::try_from(self.cell(page::POSITION)).ok()?.checked_sub(1)
    }

    fn cell(&self, offset: usize) -> u64 {
        let mut bytes = [0; 8];
        // A memfd of ours that is SIZE long cannot fail to be read.
        self.page.read_exact_at(&mut bytes, offset as u64).map_or(0, |()| u64::from_ne_bytes(bytes))
    }

    /// Waits for the end of a worker that hung up, a second at most; then ends what is left of its group.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        let mut fds = [PollFd::new(&self.watch, PollFlags::IN)];
        // Whatever poll says, the group is ended next.
        let _ = poll(&mut fds, Some(&Timespec { tv_sec: 1, tv_nsec: 0 }));
        self.end()
    }

    /// Ends it and its children now, while its number is still its own, and takes note of how it ended.
    fn end(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        end_group(Pid::from_child(&self.child), Signal::KILL);
        self.guard.iter().for_each(Cell::leave);
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }

    /// Ends it in order: `teardown` runs. Gives what was printed and how the worker ended.
    pub(super) fn finish(mut self, cancel: &Cancel) -> (Vec<Log>, Option<ExitStatus>) {
        let mut logs = Vec::new();
        let deadline = Instant::now() + SHUTDOWN;
        // The run may have stopped; a report is not an item, so that is not listened for.
        self.halted = true;
        // One that is dead already hangs up, which ends the loop.
        drop(self.send(&Frame::Stop));
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.poll(Some(left), cancel) {
                Ok(Ready::Socket) => match self.reader.read(&mut self.socket) {
                    Ok(Some(Frame::Log(log))) => logs.push(log),
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => break,
                },
                Ok(Ready::Stop) => {}
                Ok(Ready::Dead | Ready::Kill | Ready::Time) | Err(_) => break,
            }
        }
        let status = self.reap().ok();
        logs.extend(self.last_words());
        (logs, status)
    }

    /// All of that as an entry for the log, if there is any.
    pub(super) fn last_words(&self) -> Option<Log> {
        let text = self.stderr_tail();
        (!text.is_empty()).then(|| Log { position: None, stream: "worker".to_owned(), text })
    }

    /// The end of what it wrote to its stderr, such as the traceback of a fatal error, or what its child processes print.
    pub(super) fn stderr_tail(&self) -> String {
        let length = self.stderr.metadata().map_or(0, |data| data.len());
        let from = length.saturating_sub(MOST_STDERR);
        let mut text = vec![0; usize::try_from(length - from).unwrap_or(0)];
        let read = self.stderr.read_exact_at(&mut text, from);
        String::from_utf8_lossy(if read.is_ok() { &text } else { &[] }).trim().to_owned()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that has not ended by now gets no more time.
        let _ = self.end();
    }
}

/// A file that is gone when nobody has it open: what a worker writes there may be secret, and is masked when it is read.
fn nameless_file(path: &Path) -> io::Result<File> {
    let file = File::options().create_new(true).read(true).append(true).mode(0o600).open(path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

#[derive(Debug, Clone, Copy)]
enum Ready {
    Socket,
    Dead,
    Kill,
    Stop,
    Time,
}

/// `AsFd` that fits into an array of different things.
trait AsFdObject {
    fn fd(&self) -> std::os::fd::BorrowedFd<'_>;
}

impl<T: AsFd> AsFdObject for T {
    fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.as_fd()
    }
}

/// Workers side by side must not each take every core for their numeric libraries.
fn thread_caps(slots: usize) -> impl Iterator<Item = (&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let threads = (cores / slots.max(1)).max(1).to_string();
    let names =
        ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS"];
    names.into_iter().filter(|name| std::env::var_os(name).is_none()).map(move |name| (name, threads.clone()))
}

/// How a process ended, as the middle of a sentence.
pub(super) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => {
            let name = match signal {
                4 => " (SIGILL)",
                6 => " (SIGABRT)",
                7 => " (SIGBUS)",
                8 => " (SIGFPE)",
                9 => " (SIGKILL: somebody killed it, or memory ran out)",
                11 => " (SIGSEGV)",
                15 => " (SIGTERM)",
                _ => "",
            };
            format!("was ended by signal {signal}{name}")
        }
        (None, None) => "ended".to_owned(),
    }
}

pub(super) fn broken(cause: &str) -> Failure {
    Failure::new(FailureKind::Start, "WorkerProtocol", format!("Python worker cannot be used: {cause}")).permanent()
}

pub(super) fn cancelled() -> Failure {
    Failure::new(FailureKind::Cancelled, "Cancelled", "the run was cancelled")
}
