//! How many slots may work. The pool of a step has its full size from the start; slots above the width park.

use crossbeam_channel::{Receiver, Sender, bounded};
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The width of a run's steps, changed while they run.
#[derive(Debug)]
pub struct Width(Mutex<State>);

#[derive(Debug)]
struct State {
    jobs: NonZeroUsize,
    /// Whether it stays as it is.
    held: bool,
    paused: bool,
    /// Whether the machine is short of something.
    short: bool,
    /// Dropped at each change, which wakes everyone who waits for one.
    change: Sender<Infallible>,
    changed: Receiver<Infallible>,
}

/// How the machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// It has what the run wants it to have.
    Ready,
    /// It is short of something.
    Short,
}

impl Default for Width {
    /// As wide as each step allows.
    fn default() -> Self {
        let (change, changed) = bounded(0);
        Self(Mutex::new(State { jobs: NonZeroUsize::MAX, held: false, paused: false, short: false, change, changed }))
    }
}

impl Width {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        (state.change, state.changed) = bounded(0);
    }

    /// Sets the number of slots that may work.
    pub fn set(&self, jobs: NonZeroUsize) {
        self.change(|state| {
            if !state.held {
                state.jobs = jobs;
            }
        });
    }

    /// Whether it is fixed: later changes are ignored.
    pub(super) fn is_held(&self) -> bool {
        self.state().held
    }

    /// Sets it, and ignores all later changes.
    pub(super) fn hold(&self, jobs: NonZeroUsize) {
        self.change(|state| (state.jobs, state.held) = (jobs, true));
    }

    /// The number of slots that may work.
    pub fn jobs(&self) -> usize {
        self.state().jobs.get()
    }

    /// Keeps slots from starting anything until [`Self::resume`].
    pub fn pause(&self) {
        self.change(|state| state.paused = true);
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.change(|state| state.paused = false);
    }

    /// Whether nothing may start, whatever the width.
    pub fn is_paused(&self) -> bool {
        self.state().paused
    }

    /// Keeps slots from starting anything while the machine is short of something.
    pub fn hold_back(&self, back: Machine) {
        self.change(|state| state.short = back == Machine::Short);
    }

    /// Whether nothing may start, because the machine is short of something.
    pub(super) fn is_held_back(&self) -> bool {
        self.state().short
    }

    /// Whether a slot may work now. If not, the receiver disconnects when that may have changed.
    pub(super) fn admits(&self, slot: usize) -> Result<(), Receiver<Infallible>> {
        let state = self.state();
        if !state.paused && !state.short && slot < state.jobs.get() { Ok(()) } else { Err(state.changed.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_wakes_those_who_wait_for_one() {
        let width = Width::default();
        assert!(width.admits(100).is_ok());
        width.set(NonZeroUsize::MIN);
        let changed = width.admits(1).unwrap_err();
        assert!(width.admits(0).is_ok());
        width.pause();
        assert!(changed.recv().is_err() && width.admits(0).is_err());
        width.set(NonZeroUsize::new(2).unwrap());
        assert!(width.admits(1).is_err(), "a pause holds whatever the number of jobs");
        width.resume();
        assert!(width.admits(1).is_ok() && width.admits(2).is_err());
    }
}
