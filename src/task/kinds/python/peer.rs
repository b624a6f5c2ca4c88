//! The interface between a lane and its worker, wherever that worker runs.
//!
//! A lane sends messages to a [`Peer`] and handles its events. The lane does not depend on processes or file descriptors. A
//! worker on another machine would be another implementation next to [`local`](super::local).

use crate::model::Failure;
use crate::task::cancel::Latch;
use crate::wire::{WireError, WorkerMessage};
use std::time::{Duration, Instant};

/// Starts the workers of a lane.
pub(super) trait PeerHost {
    /// Where the workers run, for messages: the path of the interpreter.
    fn name(&self) -> &str;

    /// Starts a worker, which then sends `Hello`.
    ///
    /// # Errors
    /// If no worker can be started.
    fn start(&self) -> Result<Box<dyn Peer>, Failure>;
}

/// The lane's end of a connection to one worker. Dropping it ends the worker.
pub(super) trait Peer: Send {
    /// Sends a message. A `Run` clears the position and the halt of the previous run.
    ///
    /// # Errors
    /// If the worker does not accept it. The next event tells why.
    fn send(&mut self, message: &WorkerMessage) -> Result<(), WireError>;

    /// Waits for whatever comes first.
    ///
    /// # Errors
    /// If the system cannot wait.
    fn next_event(&mut self, waits: &Waits<'_>) -> Result<WorkerEvent, WireError>;

    /// Whether the worker is still there.
    fn is_alive(&self) -> bool;

    /// Tells the worker to start no further item of the current run.
    ///
    /// # Errors
    /// If the worker cannot be told.
    fn halt(&mut self) -> Result<(), WireError>;

    /// The position of the unit that the worker is running, or was running when it died.
    fn position(&self) -> Option<usize>;

    /// The time since the worker started that unit.
    fn item_time(&self) -> Duration;

    /// The most memory that the worker has used since it was ready, in bytes.
    fn memory(&self) -> Option<u64>;

    /// The end of the worker's stderr, such as the traceback of a fatal error or the output of child processes.
    fn stderr_tail(&self) -> String;

    /// Waits a moment for the worker to exit, then kills it. Returns how it exited, if that is known.
    fn close(&mut self) -> Option<WorkerExit>;
}

/// What ends a wait for an event.
#[derive(Clone, Copy)]
pub(super) struct Waits<'a> {
    /// Fires when the run is cancelled.
    pub(super) kill: &'a Latch,
    /// Fires when the run stops; `None` to ignore that.
    pub(super) stop: Option<&'a Latch>,
    /// Fires when the user takes an item out.
    pub(super) call: Option<&'a Latch>,
    /// How long the current item may take.
    pub(super) item_timeout: Option<Duration>,
    /// When everything that was sent must be finished.
    pub(super) deadline: Option<Instant>,
    /// When the lane checks on the worker.
    pub(super) check_at: Option<Instant>,
}

impl<'a> Waits<'a> {
    /// A wait for an answer, without a timeout.
    pub(super) fn for_answer(kill: &'a Latch) -> Self {
        Self { kill, stop: None, call: None, item_timeout: None, deadline: None, check_at: None }
    }
}

/// What ended a wait.
pub(super) enum WorkerEvent {
    /// A message arrived.
    Message(WorkerMessage),
    /// The worker is dead, and everything it has sent was read.
    Dead(WorkerExit),
    /// The data is not a frame: user code has written to the socket. The worker was killed.
    Garbled(WireError),
    /// The current item has taken longer than it may.
    ItemTimeout,
    /// The deadline has passed.
    Deadline,
    /// It is time to check on the worker.
    CheckDue,
    /// The run is stopping.
    Stop,
    /// The user has taken an item out.
    Call,
    /// The run was ended.
    Interrupted,
}

/// How a worker exited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WorkerExit {
    /// Whether its exit status is a success.
    pub(super) success: bool,
    /// Whether a signal has ended it.
    pub(super) was_killed: bool,
    /// How it exited, in words that follow "Python worker".
    pub(super) description: String,
}
