//! One worker of a lane, from `Hello` to `Stop`.
//!
//! Owns the conversation before and after the work; [`attempt`](super::attempt) has the part in between. Where the worker
//! runs is its [`Peer`]'s matter.

use super::peer::{Peer, PeerHost, Waits, WorkerEvent, WorkerExit};
use crate::model::{Failure, FailureKind};
use crate::task::cancel::Latch;
use crate::wire::{Frame, Hello, Log, PROTOCOL, Start};
use std::time::{Duration, Instant};

/// How long a worker may take to stop, `teardown` included.
const SHUTDOWN: Duration = Duration::from_secs(60);

/// A worker that is ready for work.
pub(super) struct Worker {
    pub(super) peer: Box<dyn Peer>,
    /// How many items it was sent.
    pub(super) items_sent: usize,
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
    /// Starts a worker and waits until it is ready.
    ///
    /// # Errors
    /// If it cannot be used. [`FailureKind::Crash`] if it died while it was set up, which another try may help.
    pub(super) fn start(host: &dyn PeerHost, start: Start, kill: &Latch) -> Result<Self, Failure> {
        let mut worker = Self { peer: host.start()?, items_sent: 0, setup_logs: Vec::new() };
        worker.expect_hello(kill)?;
        worker.peer.send(&Frame::Start(Box::new(start))).map_err(|error| unusable(&error.to_string()))?;
        loop {
            match worker.answer(kill)? {
                Answer::Frame(Frame::Ready) => return Ok(worker),
                Answer::Frame(Frame::Log(log)) => worker.setup_logs.push(log),
                Answer::Frame(Frame::Broken(failure)) => return Err(failure.permanent()),
                Answer::Frame(_) => return Err(unusable("it sent what it may not before it is ready")),
                Answer::Dead(exit) => {
                    let message = format!("Python worker {} while it was set up", exit.description);
                    return Err(crash(message).with_detail(worker.peer.stderr_tail()));
                }
            }
        }
    }

    fn expect_hello(&mut self, kill: &Latch) -> Result<(), Failure> {
        match self.answer(kill)? {
            Answer::Frame(Frame::Hello(hello)) if hello.protocol == PROTOCOL => Ok(()),
            Answer::Frame(Frame::Hello(hello)) => Err(other_version(&hello)),
            Answer::Frame(_) => Err(unusable("it does not speak batchmill's protocol")),
            Answer::Dead(exit) => {
                let message = format!("Python worker {} before it said hello", exit.description);
                let failure = Failure::new(FailureKind::Start, "WorkerStart", message);
                Err(failure.with_detail(self.peer.stderr_tail()).permanent())
            }
        }
    }

    /// The next frame of a worker that has no work yet, or how it died.
    fn answer(&mut self, kill: &Latch) -> Result<Answer, Failure> {
        loop {
            match self.peer.next_event(&Waits::for_answer(kill)) {
                Ok(WorkerEvent::Frame(frame)) => return Ok(Answer::Frame(frame)),
                Ok(WorkerEvent::Dead(exit)) => return Ok(Answer::Dead(exit)),
                Ok(WorkerEvent::Cancelled) => return Err(cancelled()),
                Ok(WorkerEvent::Garbled(error)) | Err(error) => return Err(unusable(&error.to_string())),
                Ok(_) => {}
            }
        }
    }

    /// Stops the worker: `teardown` runs.
    pub(super) fn stop(mut self, kill: &Latch) -> WorkerStop {
        let mut logs = Vec::new();
        let waits = Waits { deadline: Some(Instant::now() + SHUTDOWN), ..Waits::for_answer(kill) };
        // A worker that is dead already hangs up, which ends the loop.
        drop(self.peer.send(&Frame::Stop));
        while let Ok(WorkerEvent::Frame(frame)) = self.peer.next_event(&waits) {
            if let Frame::Log(log) = frame {
                logs.push(log);
            }
        }
        let exit = self.peer.close();
        logs.extend(self.stderr_log());
        WorkerStop { logs, exit }
    }

    /// What it wrote to its stderr as an entry for the log, if there is any.
    pub(super) fn stderr_log(&self) -> Option<Log> {
        let text = self.peer.stderr_tail();
        (!text.is_empty()).then(|| Log { position: None, stream: "worker".to_owned(), text })
    }
}

enum Answer {
    Frame(Frame),
    Dead(WorkerExit),
}

fn other_version(hello: &Hello) -> Failure {
    unusable(&format!(
        "the batchmill module of `{}` is version {}, this is {}; install the same version there",
        hello.executable,
        hello.batchmill,
        env!("CARGO_PKG_VERSION")
    ))
}

/// The failure of a worker that died.
pub(super) fn crash(message: String) -> Failure {
    Failure::new(FailureKind::Crash, "Crash", message)
}

/// The failure of a worker that breaks the protocol, or cannot be reached.
pub(super) fn unusable(cause: &str) -> Failure {
    Failure::new(FailureKind::Start, "WorkerProtocol", format!("Python worker cannot be used: {cause}")).permanent()
}

fn cancelled() -> Failure {
    Failure::new(FailureKind::Cancelled, "Cancelled", "the run was cancelled")
}
