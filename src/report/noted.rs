//! What a run notes of its running step for `status`, which may ask from another process: everything that the terminal shows
//! and the ledger does not have.

use super::progress::StepProgress;
use crate::measure::wall_clock;
use crate::model::{Event, Listener, RunId};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Time between two notes, and from the start of a step to its first one. A shorter step needs none.
const EVERY: Duration = Duration::from_millis(500);

/// A running step, and when it started: milliseconds since 1970, UTC.
#[derive(Debug, Deserialize)]
pub(super) struct Noted {
    pub(super) started: i64,
    pub(super) progress: StepProgress,
}

#[derive(Serialize)]
struct Note<'a> {
    started: i64,
    progress: &'a StepProgress,
}

impl Noted {
    /// The note about a step as JSON.
    pub(super) fn bytes(started: i64, progress: &StepProgress) -> Vec<u8> {
        // It consists of numbers and text.
        serde_json::to_vec(&Note { started, progress }).unwrap_or_default()
    }

    /// Reads a note; none if it is not one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Replaces the note of a run, or deletes it. A note that cannot be written is not missed: `status` then knows less.
pub type KeepNote = Box<dyn FnMut(Option<&[u8]>) + Send>;

/// Keeps the note of a run up to date.
pub struct NoteKeeper {
    open: Box<dyn Fn(&RunId) -> KeepNote + Send>,
    keep: Option<KeepNote>,
    /// The running step, and when it started.
    step: Option<(i64, StepProgress)>,
    /// When the next note may be written.
    due: Instant,
    is_stale: bool,
    /// Whether there is one, as far as is known.
    exists: bool,
}

impl NoteKeeper {
    /// Keeps the note of the run that will start. `open` tells where.
    pub fn new(open: Box<dyn Fn(&RunId) -> KeepNote + Send>) -> Self {
        Self { open, keep: None, step: None, due: Instant::now(), is_stale: false, exists: true }
    }

    fn write_if_due(&mut self) {
        if !self.is_stale || Instant::now() < self.due {
            return;
        }
        if let (Some(keep), Some((started, step))) = (&mut self.keep, &self.step) {
            keep(Some(&Noted::bytes(*started, step)));
            (self.due, self.is_stale, self.exists) = (Instant::now() + EVERY, false, true);
        }
    }

    fn delete(&mut self) {
        if let Some(keep) = self.keep.as_mut().filter(|_| self.exists) {
            keep(None);
            self.exists = false;
        }
    }
}

impl Listener for NoteKeeper {
    fn event(&mut self, event: &Event) {
        if let Some((_, step)) = &mut self.step {
            step.follow(event, step.elapsed());
        }
        match event {
            Event::RunStarted { run, .. } => {
                self.keep = Some((self.open)(run));
                // It is of an execution that was killed.
                self.delete();
            }
            Event::StepStarted { .. } => {
                let now = wall_clock().as_millisecond();
                self.due = Instant::now() + EVERY;
                self.step = StepProgress::started(event).map(|step| (now, step));
            }
            Event::BatchFinished { .. } | Event::StepLoad { .. } | Event::ItemSlow { .. } => {}
            Event::StepFinished(_) => self.step = None,
            Event::RunFinished(_) => self.delete(),
            _ => return,
        }
        self.is_stale = self.step.is_some();
        self.write_if_due();
    }

    fn tick(&mut self) {
        self.write_if_due();
    }
}
