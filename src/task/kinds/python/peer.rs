//! The border between a lane and its worker, wherever that worker runs.
//!
//! A lane sends frames to a [`Peer`] and handles its events. Everything above this border is independent of processes and file
//! descriptors; a worker on another machine would be a second implementation beside [`LocalWorker`](super::local::LocalWorker).

use crate::model::Failure;
use crate::task::cancel::Latch;
use crate::wire::{Frame, WireError};
use std::time::{Duration, Instant};

/// Starts the workers of a lane.
pub(super) trait PeerHost {
    /// Starts a worker, which then sends `Hello`.
    ///
    /// # Errors
    /// If no worker can be started.
    fn start(&self) -> Result<Box<dyn Peer>, Failure>;
}

/// The lane's end of a connection to one worker. Dropping it ends the worker.
pub(super) trait Peer {
    /// Sends a frame. With a `Run`, the position and a halt of the run before are void.
    ///
    /// # Errors
    /// If the worker takes nothing any more. The next event tells why.
    fn send(&mut self, frame: &Frame) -> Result<(), WireError>;

    /// Waits for whatever comes first.
    ///
    /// # Errors
    /// If the system cannot wait.
    fn next_event(&mut self, waits: &Waits<'_>) -> Result<WorkerEvent, WireError>;

    /// Asks the worker to begin no further item of the current run.
    ///
    /// # Errors
    /// If the system cannot tell it.
    fn halt(&mut self) -> Result<(), WireError>;

    /// The position of the current run that the worker is on, or was on when it died.
    fn position(&self) -> Option<usize>;

    /// The time since the worker began that position.
    fn item_time(&self) -> Duration;

    /// The memory that the worker takes, in bytes.
    fn memory(&self) -> Option<u64>;

    /// The end of what the worker wrote to its stderr, such as the traceback of a fatal error, or output of its children.
    fn stderr_tail(&self) -> String;

    /// Waits a moment for a worker that was told to stop, then ends it. Returns how it exited, if that is known.
    fn close(&mut self) -> Option<WorkerExit>;
}

/// What ends the wait for an event.
#[derive(Clone, Copy)]
pub(super) struct Waits<'a> {
    /// Fires when the run is cancelled.
    pub(super) kill: &'a Latch,
    /// Fires when the run stops; `None` if that does not matter.
    pub(super) stop: Option<&'a Latch>,
    /// How long the current item may take.
    pub(super) item_timeout: Option<Duration>,
    /// When everything that was sent must be done.
    pub(super) deadline: Option<Instant>,
    /// How long to wait until the lane checks on the worker.
    pub(super) check_after: Option<Duration>,
}

impl<'a> Waits<'a> {
    /// For an answer, however long it takes.
    pub(super) fn for_answer(kill: &'a Latch) -> Self {
        Self { kill, stop: None, item_timeout: None, deadline: None, check_after: None }
    }
}

/// What ended a wait.
pub(super) enum WorkerEvent {
    /// A frame came.
    Frame(Frame),
    /// The worker is dead, and everything it sent was read.
    Dead(WorkerExit),
    /// Bytes came that are not a frame: the code of an item wrote to the socket. The worker was killed.
    Garbled(WireError),
    /// The current item has taken longer than it may.
    ItemTimeout,
    /// The deadline has passed.
    Deadline,
    /// It is time to check on the worker.
    CheckDue,
    /// The run stops.
    Stop,
    /// The run is cancelled.
    Cancelled,
}

/// How a worker exited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WorkerExit {
    /// Whether it exited as it should.
    pub(super) success: bool,
    /// In words that fit behind "Python worker".
    pub(super) description: String,
}
