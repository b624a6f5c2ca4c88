//! Telling every thread to stop, wherever it waits.

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::event::{EventfdFlags, eventfd};
use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Fires once and stays fired. Can be asked, waited for in a `select!`, and polled as a file descriptor.
#[derive(Debug)]
pub struct Latch {
    fired: AtomicBool,
    sender: Mutex<Option<Sender<Infallible>>>,
    receiver: Receiver<Infallible>,
    event: OwnedFd,
    inner: Mutex<Vec<Weak<Latch>>>,
}

impl Latch {
    /// A latch that has not fired.
    pub fn new() -> std::io::Result<Self> {
        let (sender, receiver) = bounded(0);
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (fired, sender, inner) = (AtomicBool::new(false), Mutex::new(Some(sender)), Mutex::default());
        Ok(Self { fired, sender, receiver, event, inner })
    }

    /// A latch that fires when this one does, and may fire before it.
    ///
    /// # Errors
    /// Where the system gives no descriptor.
    pub fn inner(&self) -> std::io::Result<Arc<Self>> {
        let latch = Arc::new(Self::new()?);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        // Asked while the list is held: a fire that comes later finds the new latch in it.
        if self.is_fired() {
            latch.fire();
        } else {
            inner.retain(|latch| latch.strong_count() > 0);
            inner.push(Arc::downgrade(&latch));
        }
        Ok(latch)
    }

    /// Fires it.
    pub fn fire(&self) {
        self.fired.store(true, Ordering::SeqCst);
        drop(self.sender.lock().map(|mut sender| sender.take()));
        // The counter of an eventfd cannot be full after one write; were it, it would be readable, which is all we want.
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
        let inner = std::mem::take(&mut *self.inner.lock().unwrap_or_else(PoisonError::into_inner));
        inner.iter().filter_map(Weak::upgrade).for_each(|latch| latch.fire());
    }

    /// Whether it has fired.
    pub fn is_fired(&self) -> bool {
        self.fired.load(Ordering::SeqCst)
    }

    /// Disconnects when it fires; never receives anything.
    pub fn channel(&self) -> &Receiver<Infallible> {
        &self.receiver
    }
}

impl AsFd for Latch {
    /// Readable once it has fired.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// The ways to end a run early.
#[derive(Debug, Clone)]
pub struct Cancel {
    /// Begin nothing new; what is under way may end.
    pub stop: Arc<Latch>,
    /// End what is under way.
    pub kill: Arc<Latch>,
    /// Fires when the work is over and the cleaning up begins.
    pub closing: Arc<Latch>,
    /// End the cleaning up.
    pub last: Arc<Latch>,
}

impl Cancel {
    /// Neither has fired.
    pub fn new() -> std::io::Result<Self> {
        let latch = || Latch::new().map(Arc::new);
        Ok(Self { stop: latch()?, kill: latch()?, closing: latch()?, last: latch()? })
    }

    /// For a part of the work: ends with the whole, and may end before it.
    ///
    /// # Errors
    /// Where the system gives no descriptor.
    pub fn inner(&self) -> std::io::Result<Self> {
        Ok(Self { stop: self.stop.inner()?, kill: self.kill.inner()?, ..self.clone() })
    }

    /// For the cleaning up, which begins now: what stopped or killed the work does not end it.
    ///
    /// # Errors
    /// Where the system gives no descriptor.
    pub fn begin_closing(&self) -> std::io::Result<Self> {
        self.closing.fire();
        Ok(Self { stop: Arc::new(Latch::new()?), kill: Arc::clone(&self.last), ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inner_latch_fires_with_the_outer_one_and_not_the_other_way() {
        let outer = Latch::new().unwrap();
        let (first, second) = (outer.inner().unwrap(), outer.inner().unwrap());
        first.fire();
        assert!(first.is_fired() && !second.is_fired() && !outer.is_fired());
        outer.fire();
        assert!(second.is_fired());
        assert!(outer.inner().unwrap().is_fired(), "made too late, it has fired all the same");
    }
}
