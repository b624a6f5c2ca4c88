//! Items that the user takes out of a step while it runs, and how lanes that wait for one hear of it.
//!
//! A lane that waits for its item also waits for the next call: a latch that fires when an item is taken out, and is replaced
//! by a new one. All lanes wake up, look whether it is theirs, and wait for the next call. That is rare, and takes one
//! descriptor for the whole step. The call is fetched before looking, so none is missed in between.

use super::cancel::Latch;
use crate::model::{Failure, FailureKind, Indexes};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How an item is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawal {
    /// It does not begin. If it is running, it may finish.
    Skip,
    /// It ends, or does not begin.
    Cancel,
}

/// The items that the user has taken out of a step, by index.
#[derive(Debug)]
pub struct Withdrawn {
    /// Whether there are any: what lanes look at for each item.
    any: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    items: HashMap<u64, Withdrawal>,
    call: Arc<Latch>,
}

impl Withdrawn {
    /// None so far.
    ///
    /// # Errors
    /// If the system is out of descriptors.
    pub fn new() -> io::Result<Self> {
        let state = State { items: HashMap::new(), call: Arc::new(Latch::new()?) };
        Ok(Self { any: AtomicBool::new(false), state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an item out, and wakes all lanes.
    ///
    /// # Errors
    /// If the system is out of descriptors. The item stays then.
    pub fn take_out(&self, index: u64, how: Withdrawal) -> io::Result<()> {
        let next = Arc::new(Latch::new()?);
        let call = {
            let mut state = self.state();
            state.items.insert(index, how);
            std::mem::replace(&mut state.call, next)
        };
        self.any.store(true, Ordering::SeqCst);
        call.fire();
        Ok(())
    }

    /// Whether there are any.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::SeqCst)
    }

    /// Whether an item is taken out.
    pub fn has(&self, index: u64) -> bool {
        self.any() && self.state().items.contains_key(&index)
    }

    /// Whether an item is to end if it runs.
    pub(super) fn ends(&self, index: u64) -> bool {
        self.any() && self.state().items.get(&index) == Some(&Withdrawal::Cancel)
    }

    /// Fires when the next item is taken out.
    pub(super) fn call(&self) -> Arc<Latch> {
        Arc::clone(&self.state().call)
    }
}

/// What ends the wait for an item: it is taken out while it runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recall<'a> {
    /// The items that are taken out.
    pub(super) withdrawn: &'a Arc<Withdrawn>,
    /// The index of this one, or those of a batch that runs as one.
    pub(super) indexes: &'a Indexes,
}

impl Recall<'_> {
    /// What to wait for; none if the item is to end now.
    pub(super) fn call(&self) -> Option<Arc<Latch>> {
        let call = self.withdrawn.call();
        (!self.indexes.iter().any(|index| self.withdrawn.ends(index))).then_some(call)
    }
}

/// What ends the wait for a child process from outside.
pub(super) struct Wakers<'a> {
    pub(super) kill: &'a Latch,
    pub(super) recall: Option<Recall<'a>>,
}

/// The user has taken the item out.
pub(super) struct Recalled;

impl Wakers<'_> {
    /// What to wait for besides the kill, if there is an item.
    pub(super) fn call(&self) -> Result<Option<Arc<Latch>>, Recalled> {
        self.recall.as_ref().map(|recall| recall.call().ok_or(Recalled)).transpose()
    }
}

/// The outcome of an item that did not begin.
pub(super) fn skipped() -> Failure {
    Failure::new(FailureKind::Skipped, "Skipped", "skipped by the user")
}

/// The outcome of an item that was running.
pub(super) fn cancelled() -> Failure {
    Failure::new(FailureKind::Cancelled, "Cancelled", "cancelled by the user while it was running")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_hears_of_each_item_that_is_taken_out_and_ends_only_its_own() {
        let withdrawn = Arc::new(Withdrawn::new().unwrap());
        let recall = Recall { withdrawn: &withdrawn, indexes: &Indexes::Range(7..8) };
        let first = recall.call().unwrap();
        withdrawn.take_out(3, Withdrawal::Cancel).unwrap();
        assert!(first.is_fired());
        let second = recall.call().unwrap();
        assert!(!second.is_fired() && withdrawn.has(3) && !withdrawn.has(7));
        withdrawn.take_out(7, Withdrawal::Skip).unwrap();
        assert!(second.is_fired() && withdrawn.has(7));
        assert!(recall.call().is_some(), "an item that is skipped may finish if it runs");
        withdrawn.take_out(7, Withdrawal::Cancel).unwrap();
        assert!(recall.call().is_none());
    }
}
