//! Steers a run in progress: one set of commands, whoever gives them.
//!
//! Today, signals give them. Each command takes effect at once and may come from any thread.

use crate::pipeline::Width;
use crate::task::Cancel;
use std::io;
use std::num::NonZeroUsize;

/// A command for a run in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Start nothing until told to continue. Running items finish.
    Pause,
    /// End a pause.
    Continue,
    /// Set how many slots of each step may work, up to the limit of the workflow.
    Jobs(NonZeroUsize),
    /// Start nothing new, and end when the running items have finished.
    Stop,
    /// End the items that are running.
    Kill,
}

/// Steers one run.
#[derive(Debug)]
pub struct Control {
    pub(super) cancel: Cancel,
    pub(super) width: Width,
}

impl Control {
    /// For a run that is about to start.
    ///
    /// # Errors
    /// If the system provides no descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self { cancel: Cancel::new()?, width: Width::default() })
    }

    /// The latches that it fires.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Gives the run a command.
    pub fn apply(&self, command: Command) {
        match command {
            Command::Pause => self.width.pause(),
            Command::Continue => self.width.resume(),
            Command::Jobs(jobs) => self.width.set(jobs),
            Command::Stop => self.cancel.stop.fire(),
            // The closing steps of a run have their own latch.
            Command::Kill if self.cancel.closing.is_fired() => self.cancel.last.fire(),
            Command::Kill => self.cancel.kill.fire(),
        }
    }
}
