//! A worker of a lane: starting and stopping it.
//!
//! Owns the messages from `Hello` to `Ready`, and from `Stop` to the exit; [`attempt`](super::attempt) has those in between.

use super::peer::{Peer, PeerHost, Waits, WorkerEvent, WorkerExit};
use crate::model::{Failure, FailureKind};
use crate::task::cancel::Latch;
use crate::wire::{Hello, Log, PROTOCOL, Role, Start, WorkerMessage};
use std::time::{Duration, Instant};

/// How long `teardown` may take.
const TEARDOWN: Duration = Duration::from_secs(60);

/// How long a worker may take to exit after that. Threads that aren't daemons, and `atexit` functions, get this time.
const LAST: Duration = Duration::from_secs(5);

/// How long a worker may linger before the user gets a notice.
const TOLD_AFTER: Duration = Duration::from_secs(1);

/// A worker that is ready for work.
pub(super) struct Worker {
    pub(super) peer: Box<dyn Peer>,
    /// The number of items it was sent.
    pub(super) items_sent: usize,
    /// When to check which item it is running, and its memory.
    pub(super) next_check: Instant,
    /// What `setup` printed.
    pub(super) setup_logs: Vec<Log>,
}

/// How a worker stopped.
pub(super) struct WorkerStop {
    /// What it printed while it stopped.
    pub(super) logs: Vec<Log>,
    /// How it exited, if that is known.
    pub(super) exit: Option<WorkerExit>,
}

impl Worker {
    /// Starts a worker and waits until it is ready. If it cannot be used, `printed` gets what `setup` has printed.
    ///
    /// # Errors
    /// If it cannot be used. If it died during setup, the failure is a [`FailureKind::Crash`], and another try may help.
    pub(super) fn start(
        host: &dyn PeerHost,
        start: Start,
        kill: &Latch,
        printed: &mut Vec<Log>,
    ) -> Result<Self, Failure> {
        let (peer, next_check) = (host.start()?, Instant::now());
        let mut worker = Self { peer, items_sent: 0, next_check, setup_logs: Vec::new() };
        worker.expect_hello(host, kill)?;
        worker.begin(start, kill, printed)
    }

    /// Begins a program, and waits until the worker is ready for its items.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub(super) fn begin(mut self, start: Start, kill: &Latch, printed: &mut Vec<Log>) -> Result<Self, Failure> {
        // One that was idle may have died since it was last looked at.
        let gone = |error| crash(format!("Python worker cannot be reached: {error}"));
        self.peer.send(&WorkerMessage::Start(Box::new(start))).map_err(gone)?;
        loop {
            match self.answer(kill)? {
                Answer::Message(WorkerMessage::Ready) => return Ok(self),
                Answer::Message(WorkerMessage::Log(log)) => self.setup_logs.push(log),
                Answer::Message(WorkerMessage::Broken(failure)) => {
                    printed.append(&mut self.setup_logs);
                    return Err(failure.permanent());
                }
                Answer::Message(_) => return Err(unusable("it sent an unexpected message before it was ready")),
                Answer::Dead(exit) => {
                    printed.append(&mut self.setup_logs);
                    let message = format!("Python worker {} during setup", exit.description);
                    return Err(crash(message).with_detail(self.peer.stderr_tail()));
                }
            }
        }
    }

    /// Ends the program with its `teardown`, and returns what that has printed. The worker can begin another program then;
    /// `None` if it cannot, or takes too long.
    pub(super) fn rest(&mut self, kill: &Latch) -> Option<Vec<Log>> {
        let mut logs = Vec::new();
        let waits = Waits { deadline: Some(Instant::now() + TEARDOWN), ..Waits::for_answer(kill) };
        self.peer.send(&WorkerMessage::Rest).ok()?;
        loop {
            match self.peer.next_event(&waits).ok()? {
                WorkerEvent::Message(WorkerMessage::Log(log)) => logs.push(log),
                WorkerEvent::Message(WorkerMessage::TornDown) => return Some(logs),
                _ => return None,
            }
        }
    }

    fn expect_hello(&mut self, host: &dyn PeerHost, kill: &Latch) -> Result<(), Failure> {
        match self.answer(kill)? {
            Answer::Message(WorkerMessage::Hello(hello)) if hello.protocol != PROTOCOL => {
                Err(other_version(host.name(), &hello))
            }
            Answer::Message(WorkerMessage::Hello(hello)) if hello.role == Role::Worker => Ok(()),
            Answer::Message(_) => Err(unusable("it does not speak batchmill's protocol")),
            Answer::Dead(exit) => {
                let message = format!("Python worker {} while starting", exit.description);
                if exit.was_killed {
                    // Whoever did that may not do it again.
                    return Err(crash(message).with_detail(self.peer.stderr_tail()));
                }
                let failure = Failure::new(FailureKind::Start, "WorkerStart", message);
                Err(failure.with_detail(self.peer.stderr_tail()).permanent())
            }
        }
    }

    /// The next message of a worker that is not running anything yet, or how it died.
    fn answer(&mut self, kill: &Latch) -> Result<Answer, Failure> {
        loop {
            match self.peer.next_event(&Waits::for_answer(kill)) {
                Ok(WorkerEvent::Message(message)) => return Ok(Answer::Message(message)),
                Ok(WorkerEvent::Dead(exit)) => return Ok(Answer::Dead(exit)),
                Ok(WorkerEvent::Interrupted) => return Err(interrupted()),
                Ok(WorkerEvent::Garbled(error)) | Err(error) => return Err(unusable(&error.to_string())),
                Ok(_) => {}
            }
        }
    }

    /// Stops the worker after its `teardown`. `tell` gets a word about what it waits for, if that takes long.
    pub(super) fn stop(mut self, kill: &Latch, tell: &dyn Fn(String)) -> WorkerStop {
        let mut logs = Vec::new();
        // `teardown` may have much to do. Threads are rarely meant to go on.
        let mut waits = Waits { deadline: Some(Instant::now() + TEARDOWN), ..Waits::for_answer(kill) };
        let mut told = true;
        let (mut pending, mut allowed, mut late) = ("`teardown`", TEARDOWN, None);
        // If the worker is dead already, its socket is closed, which ends the loop.
        drop(self.peer.send(&WorkerMessage::Stop));
        loop {
            match self.peer.next_event(&waits) {
                Ok(WorkerEvent::Message(WorkerMessage::Log(log))) => logs.push(log),
                Ok(WorkerEvent::Message(WorkerMessage::TornDown)) => {
                    (pending, allowed) = ("a thread or an `atexit` function", LAST);
                    (waits.deadline, told) = (Some(Instant::now() + TOLD_AFTER), false);
                }
                Ok(WorkerEvent::Message(_)) => {}
                Ok(WorkerEvent::Deadline) if !told => {
                    let rest = allowed.saturating_sub(TOLD_AFTER);
                    let seconds = rest.as_secs();
                    tell(format!("waiting {seconds} s for {pending} of a Python worker, which is killed then"));
                    (waits.deadline, told) = (Some(Instant::now() + rest), true);
                }
                Ok(WorkerEvent::Deadline) => {
                    let seconds = allowed.as_secs();
                    late = Some(format!("was killed, because {pending} had not ended {seconds} s"));
                    break;
                }
                Ok(WorkerEvent::Interrupted) => {
                    late = Some(format!("was killed, because {pending} had not ended when its step was stopped,"));
                    break;
                }
                _ => break,
            }
        }
        let exit = match late {
            Some(description) => {
                drop(self.peer.close());
                Some(WorkerExit { success: false, was_killed: true, description })
            }
            None => self.peer.close(),
        };
        logs.extend(self.stderr_log());
        WorkerStop { logs, exit }
    }

    /// Its stderr as an entry for the log, if there is any.
    pub(super) fn stderr_log(&self) -> Option<Log> {
        let text = self.peer.stderr_tail();
        (!text.is_empty()).then(|| Log { position: None, stream: "worker".to_owned(), text })
    }
}

enum Answer {
    Message(WorkerMessage),
    Dead(WorkerExit),
}

fn other_version(name: &str, hello: &Hello) -> Failure {
    unusable(&format!(
        "`{name}` has batchmill {} (protocol {}), but this is batchmill {} (protocol {PROTOCOL}); install the same version there",
        hello.batchmill,
        hello.protocol,
        env!("CARGO_PKG_VERSION")
    ))
}

/// The failure of a worker that died.
pub(super) fn crash(message: String) -> Failure {
    Failure::new(FailureKind::Crash, "Crash", message)
}

/// The failure of a worker that violates the protocol or cannot be reached.
pub(super) fn unusable(cause: &str) -> Failure {
    Failure::new(FailureKind::Start, "WorkerProtocol", format!("cannot use the Python worker: {cause}")).permanent()
}

fn interrupted() -> Failure {
    Failure::new(FailureKind::Interrupted, "Interrupted", "the run was cancelled")
}
