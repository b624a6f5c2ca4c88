//! Slots that could not start an item, because no file, process or memory was free.
//!
//! That is the engine's own wait: the item goes back to the feeder as it was, and the slot holds off for a while. Whatever runs
//! meanwhile may free what is missing. If nothing runs and it is still missing after [`PATIENCE`], the step cannot go on.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a shortage may last with nothing running.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shortens [`PATIENCE`], for tests: a number of milliseconds.
const PATIENCE_VARIABLE: &str = "BATCHMILL_TEST_SHORTAGE_MS";

/// The slots of a step that lack something.
#[derive(Debug)]
pub(super) struct Shortages {
    /// Whether there was one yet: most steps never have any.
    any: AtomicBool,
    state: Mutex<State>,
    patience: Duration,
}

#[derive(Debug, Default)]
struct State {
    slots: HashSet<usize>,
    /// Since when nothing has run.
    since: Option<Instant>,
}

/// What a shortage means for the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The first one: worth a word.
    First,
    /// Wait.
    Wait,
    /// Nothing has run for too long.
    Hopeless,
}

impl Default for Shortages {
    fn default() -> Self {
        let given = std::env::var(PATIENCE_VARIABLE).ok().and_then(|value| value.parse().ok());
        let patience = given.map_or(PATIENCE, Duration::from_millis);
        Self { any: AtomicBool::new(false), state: Mutex::default(), patience }
    }
}

impl Shortages {
    /// This slot lacks something. `runs` says whether a slot runs something.
    pub(super) fn enter(&self, slot: usize, mut running: impl Iterator<Item = usize>) -> Verdict {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.slots.insert(slot);
        if running.any(|other| !state.slots.contains(&other)) {
            state.since = None;
        } else if state.since.get_or_insert_with(Instant::now).elapsed() >= self.patience {
            return Verdict::Hopeless;
        }
        if self.any.swap(true, Ordering::Relaxed) { Verdict::Wait } else { Verdict::First }
    }

    /// This slot has run something.
    pub(super) fn leave(&self, slot: usize) {
        if self.any.load(Ordering::Relaxed) {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.slots.remove(&slot);
            state.since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortages(patience: Duration) -> Shortages {
        Shortages { any: AtomicBool::new(false), state: Mutex::default(), patience }
    }

    #[test]
    fn a_shortage_is_hopeless_only_while_nothing_runs() {
        let shortages = shortages(Duration::ZERO);
        assert_eq!(shortages.enter(0, [0, 1].into_iter()), Verdict::First, "slot 1 runs something");
        assert_eq!(shortages.enter(0, [0, 1].into_iter()), Verdict::Wait);
        assert_eq!(shortages.enter(1, [0, 1].into_iter()), Verdict::Hopeless, "both lack something");
        shortages.leave(1);
        assert_eq!(shortages.enter(0, [0, 1].into_iter()), Verdict::Wait, "slot 1 is back");
    }

    #[test]
    fn a_shortage_is_borne_for_a_while() {
        let shortages = shortages(PATIENCE);
        assert_eq!(shortages.enter(0, [0].into_iter()), Verdict::First);
        assert_eq!(shortages.enter(0, [0].into_iter()), Verdict::Wait);
    }
}
