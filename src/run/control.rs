//! Steers a run in progress, whoever gives the commands: signals, or another process over the run's socket.
//!
//! Each command takes effect at once and may come from any thread.

use crate::pipeline::{SteeredStep, Width};
use crate::task::Cancel;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Steers one run.
pub struct Control {
    pub(super) cancel: Cancel,
    pub(super) width: Width,
    /// The step that is running.
    step: Mutex<Option<Arc<SteeredStep>>>,
    /// Whether the user has set the width: steps no longer find it themselves.
    has_width: AtomicBool,
}

impl Control {
    /// For a run that is about to start.
    ///
    /// # Errors
    /// If the system provides no descriptors.
    pub fn new() -> io::Result<Self> {
        let (step, has_width) = (Mutex::default(), AtomicBool::new(false));
        Ok(Self { cancel: Cancel::new()?, width: Width::default(), step, has_width })
    }

    /// The latches that it fires.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Starts nothing new, and ends when the running items have finished.
    pub(super) fn stop(&self) {
        self.cancel.stop.fire();
    }

    /// Ends the items that are running. The closing steps of a run have their own latch.
    pub(super) fn kill(&self) {
        let latch = if self.cancel.closing.is_fired() { &self.cancel.last } else { &self.cancel.kill };
        latch.fire();
    }

    /// Sets how many slots of each step may work.
    pub(super) fn set_jobs(&self, jobs: NonZeroUsize) {
        self.has_width.store(true, Ordering::SeqCst);
        self.width.set(jobs);
        self.step().iter().for_each(|step| step.stop_finding_width());
    }

    /// The step that is running; none between two steps.
    pub(super) fn step(&self) -> Option<Arc<SteeredStep>> {
        self.place().clone()
    }

    fn place(&self) -> MutexGuard<'_, Option<Arc<SteeredStep>>> {
        self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A step begins, and is steered until what this returns is dropped.
    pub(super) fn begin(&self, step: SteeredStep) -> Steered<'_> {
        if self.has_width.load(Ordering::SeqCst) {
            step.stop_finding_width();
        }
        *self.place() = Some(Arc::new(step));
        Steered(self)
    }
}

/// A step that is steered.
pub(super) struct Steered<'a>(&'a Control);

impl Drop for Steered<'_> {
    fn drop(&mut self) {
        *self.0.place() = None;
    }
}
