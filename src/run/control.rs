//! Steers a run while it is under way: one set of commands, whoever gives them.
//!
//! Signals give them today. Each command takes effect at once and may come from any thread.

use crate::pipeline::Width;
use crate::task::Cancel;
use std::io;
use std::num::NonZeroUsize;

/// What can be asked of a run that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Begin nothing until told to continue. Running items go on.
    Pause,
    /// End a pause.
    Continue,
    /// Let so many slots of each step work, up to the ceiling that the workflow sets.
    Jobs(NonZeroUsize),
    /// Begin nothing more, and end when the running items have ended.
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
    /// If the system gives no descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self { cancel: Cancel::new()?, width: Width::default() })
    }

    /// Gives the run a command.
    pub fn apply(&self, command: Command) {
        match command {
            Command::Pause => self.width.pause(),
            Command::Continue => self.width.resume(),
            Command::Jobs(jobs) => self.width.set(jobs),
            Command::Stop => self.cancel.stop.fire(),
            // The closing steps of a run are ended apart from its work.
            Command::Kill if self.cancel.closing.is_fired() => self.cancel.last.fire(),
            Command::Kill => self.cancel.kill.fire(),
        }
    }
}
