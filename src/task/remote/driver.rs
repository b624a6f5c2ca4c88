//! The driver: started once for a run, and ended with it.

use super::link::{Link, Waiting, Word};
use crate::model::{Refusal, Resources};
use crate::task::cancel::{Cancel, Latch};
use crate::task::guard::hunt;
use crate::task::processes::RUN_ID;
use crate::task::wait::wait;
use crate::text::{Printable, Secrets};
use crate::wire::{DriverMessage, DriverReady, RemoteProgram, Submit};
use crossbeam_channel::{Receiver, bounded, select};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a driver may take to leave its cluster in order.
const LEAVE: Duration = Duration::from_secs(35);

/// How long a driver may take to exit once its socket is closed.
const EXIT: Duration = Duration::from_secs(1);

/// How much of what a driver has printed an error shows, in bytes.
const MOST_PRINTED: u64 = 2000;

/// Hands frames to a distributed engine: what `--executor` names.
#[derive(Debug)]
pub struct Driver {
    executor: String,
    interpreter: PathBuf,
    connected: OnceLock<Connected>,
    tickets: AtomicU64,
    programs: AtomicU32,
}

/// A driver that has connected to its cluster.
#[derive(Debug)]
struct Connected {
    ready: DriverReady,
    link: Link,
    process: Mutex<Process>,
}

/// Why there is no driver.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// It says why.
    #[error("the executor `{executor}` cannot be used: {message}")]
    Refused {
        /// `--executor`
        executor: String,
        /// One line.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// The run was stopped first.
    #[error("stopped while the executor was starting")]
    Stopped,
}

impl DriverError {
    /// The same without secrets: a function that makes an executor may say anything.
    pub fn masked(self, secrets: &Secrets) -> Self {
        match self {
            Self::Refused { executor, message, help } => {
                Self::Refused { executor, message: secrets.masked(message), help: help.map(|it| secrets.masked(it)) }
            }
            Self::Stopped => Self::Stopped,
        }
    }
}

impl Driver {
    /// A driver for this executor, which starts with the run, in this interpreter.
    pub fn new(executor: String, interpreter: PathBuf) -> Self {
        // No cluster has seen them before, whichever execution of the run this is.
        let first = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_micros());
        let tickets = AtomicU64::new(u64::try_from(first).unwrap_or(1));
        let programs = AtomicU32::new(0);
        Self { executor, interpreter, connected: OnceLock::new(), tickets, programs }
    }

    /// Starts the driver, and waits until it is connected. `run` is the ID of the run.
    ///
    /// # Errors
    /// If it cannot be started or cannot connect, or the run is stopped meanwhile.
    pub fn start(&self, run: &str, cancel: &Cancel) -> Result<(), DriverError> {
        let refused = |refusal: Refusal| DriverError::Refused {
            executor: self.executor.clone(),
            message: refusal.message,
            help: refusal.help,
        };
        let failed = |error: &io::Error| {
            let interpreter = Printable::path(&self.interpreter);
            refused(Refusal {
                message: format!("its driver cannot be started with `{interpreter}`: {error}"),
                help: Some("choose another interpreter with `--python PATH`".to_owned()),
            })
        };
        let (ready, connecting) = bounded(1);
        let (mut process, socket) = Process::start(self, run).map_err(|error| failed(&error))?;
        let waiting = Arc::new(Waiting::new(ready));
        let link = Link::open(socket, Arc::clone(&waiting)).map_err(|error| failed(&error))?;
        let ready = match connected(&connecting, cancel) {
            Some(Ok(ready)) => ready,
            Some(Err(refusal)) => return Err(refused(refusal.unwrap_or_else(|| process.gone()))),
            None => return Err(DriverError::Stopped),
        };
        let process = Mutex::new(process);
        // It is started once.
        drop(self.connected.set(Connected { ready, link, process }));
        Ok(())
    }

    fn connected(&self) -> Option<&Connected> {
        self.connected.get()
    }

    /// `--executor`
    pub fn executor(&self) -> &str {
        &self.executor
    }

    /// What it is connected to, for people.
    pub fn name(&self) -> &str {
        self.connected().map_or(&self.executor, |connected| &connected.ready.name)
    }

    /// How many frames can run side by side; none before it is connected.
    pub fn slots(&self) -> Option<usize> {
        self.connected().map(|connected| connected.ready.slots.max(1))
    }

    /// How many outcomes arrived for frames that had one, or that nobody waited for.
    pub fn duplicates(&self) -> u64 {
        self.connected().map_or(0, |connected| connected.link.duplicates())
    }

    /// Asks how many frames that need this can run side by side now. `stop` disconnects when nobody wants to know any more.
    ///
    /// # Errors
    /// If there is nothing that can ever run them, or the driver is gone.
    pub fn room(&self, resources: &Resources, stop: &Receiver<Infallible>) -> Result<usize, Refusal> {
        let Some(connected) = self.connected() else { return Err(self.gone()) };
        let answer = connected.link.expect_room();
        self.send(&DriverMessage::Ask(resources.clone()))?;
        let room = select! {
            recv(answer) -> room => room.map_err(|_| self.gone())?,
            recv(stop) -> _ => return Ok(1),
        };
        room.refusal.map_or(Ok(room.slots.max(1)), Err)
    }

    /// Announces what frames are for. Returns its number.
    pub(super) fn announce(&self, resources: Resources, message: Vec<u8>) -> Result<u32, Refusal> {
        let number = self.programs.fetch_add(1, Ordering::Relaxed);
        self.send(&DriverMessage::Program(RemoteProgram { number, resources, message })).map(|()| number)
    }

    /// Whether it is connected.
    pub fn is_connected(&self) -> bool {
        self.connected().is_some()
    }

    /// Submits a frame. The receiver gets its outcome.
    pub(super) fn submit(&self, program: u32, name: &str, frame: Vec<u8>) -> Result<(u64, Receiver<Word>), Refusal> {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let Some(connected) = self.connected() else { return Err(self.gone()) };
        let Some(answer) = connected.link.expect(ticket) else { return Err(self.gone()) };
        let submit = Submit { ticket, program, name: format!("{name}/{ticket}"), frame };
        self.send(&DriverMessage::Submit(submit)).map(|()| (ticket, answer))
    }

    /// Tells all lanes that wait for a frame.
    pub(super) fn tell(&self, word: fn() -> Word) {
        if let Some(connected) = self.connected() {
            connected.link.tell(word);
        }
    }

    /// Nobody waits for this frame any more.
    pub(super) fn cancel(&self, ticket: u64) {
        if let Some(connected) = self.connected() {
            connected.link.forget(ticket);
            // A driver that has gone need not know.
            drop(self.send(&DriverMessage::Cancel(ticket)));
        }
    }

    fn send(&self, message: &DriverMessage) -> Result<(), Refusal> {
        let sent = self.connected().map(|connected| connected.link.send(message));
        sent.and_then(Result::ok).ok_or_else(|| self.gone())
    }

    /// Why nothing runs any more.
    pub(super) fn gone(&self) -> Refusal {
        let Some(connected) = self.connected() else {
            return Refusal { message: "the executor is not connected".to_owned(), help: None };
        };
        connected.link.refusal().unwrap_or_else(|| lock(&connected.process).gone())
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.link.close();
        lock(&self.process).leave();
    }
}

/// Waits until a driver is connected. None if the run is stopped first; no refusal if the driver ends without a word.
fn connected(
    connecting: &Receiver<Result<DriverReady, Refusal>>,
    cancel: &Cancel,
) -> Option<Result<DriverReady, Option<Refusal>>> {
    let stopped = |latch: &Latch| latch.channel().clone();
    select! {
        recv(connecting) -> ready => Some(match ready {
            Ok(Ok(ready)) => Ok(ready),
            Ok(Err(refusal)) => Err(Some(refusal)),
            Err(_) => Err(None),
        }),
        recv(stopped(&cancel.stop)) -> _ => None,
        recv(stopped(&cancel.kill)) -> _ => None,
    }
}

/// The driver's process. The guard does not know of it: if the engine is killed, the driver sees that, and has the hosts of
/// its cluster end, which nobody else can reach; then it ends its own process group.
#[derive(Debug)]
struct Process {
    child: Child,
    watch: OwnedFd,
    printed: File,
    has_left: bool,
}

impl Process {
    fn start(driver: &Driver, run: &str) -> io::Result<(Self, UnixStream)> {
        let (socket, theirs) = UnixStream::pair()?;
        let printed = File::from(memfd_create("batchmill-driver", MemfdFlags::CLOEXEC)?);
        let mut command = Command::new(&driver.interpreter);
        command.args(["-m", "batchmill", "drive", &driver.executor]).env(RUN_ID, run);
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(printed.try_clone()?).stderr(printed.try_clone()?);
        let child = command.process_group(0).spawn()?;
        let group = Pid::from_child(&child);
        let watch = pidfd_open(group, PidfdFlags::empty())?;
        Ok((Self { child, watch, printed, has_left: false }, socket))
    }

    /// What it printed at its end, as the reason why it is gone.
    fn gone(&mut self) -> Refusal {
        // It has closed its socket, and exits next.
        let _ = wait(&mut [PollFd::new(&self.watch, PollFlags::IN)], Some(Instant::now() + EXIT));
        let length = self.printed.metadata().map_or(0, |data| data.len());
        let from = length.saturating_sub(MOST_PRINTED);
        let mut text = vec![0; usize::try_from(length - from).unwrap_or(0)];
        let read = self.printed.read_exact_at(&mut text, from);
        let text = String::from_utf8_lossy(if read.is_ok() { &text } else { &[] });
        let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
        let how = match self.child.try_wait() {
            Ok(Some(status)) => format!("its driver has ended ({status})"),
            _ => "its driver has ended".to_owned(),
        };
        let message = match last {
            Some(last) => format!("{how}: {}", Printable::line(last)),
            None => how,
        };
        let package = text.contains("No module named batchmill").then(|| {
            "the driver needs the batchmill package in this interpreter: `pip install batchmill`, or choose another one with `--python PATH`".to_owned()
        });
        Refusal { message, help: package }
    }

    /// Gives it a moment to leave its cluster, then ends it, and what it has started.
    fn leave(&mut self) {
        if std::mem::replace(&mut self.has_left, true) {
            return;
        }
        // Whether it has left in time or not, what is left of it is ended next.
        let _ = wait(&mut [PollFd::new(&self.watch, PollFlags::IN)], Some(Instant::now() + LEAVE));
        hunt(None, Some(Pid::from_child(&self.child))).end();
        drop(self.child.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.leave();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
