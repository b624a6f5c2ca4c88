//! Telling all threads to stop, wherever they wait.

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::event::{EventfdFlags, eventfd};
use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Fires once and stays fired. Threads can check it, wait for it in a `select!`, or poll it as a file descriptor.
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
    /// If the system is out of file descriptors.
    pub fn inner(&self) -> std::io::Result<Arc<Self>> {
        let latch = Arc::new(Self::new()?);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        // Checked while the list is locked: if the latch fires later, it finds the new latch in the list.
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
        // One write cannot fill the counter of an eventfd. Even if it were full, it would be readable, which is all we need.
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
    /// Start nothing new. Running items may finish.
    pub stop: Arc<Latch>,
    /// End running items.
    pub kill: Arc<Latch>,
    /// Fires when the steps are done and the clean-up starts.
    pub closing: Arc<Latch>,
    /// End the clean-up.
    pub last: Arc<Latch>,
}

impl Cancel {
    /// Latches that have not fired.
    pub fn new() -> std::io::Result<Self> {
        let latch = || Latch::new().map(Arc::new);
        Ok(Self { stop: latch()?, kill: latch()?, closing: latch()?, last: latch()? })
    }

    /// For a part of the run: ends when the run ends, and may end before it.
    ///
    /// # Errors
    /// If the system is out of file descriptors.
    pub fn inner(&self) -> std::io::Result<Self> {
        Ok(Self { stop: self.stop.inner()?, kill: self.kill.inner()?, ..self.clone() })
    }

    /// For the clean-up, which starts now. What stopped or killed the steps does not end it.
    ///
    /// # Errors
    /// If the system is out of file descriptors.
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
        assert!(outer.inner().unwrap().is_fired(), "made after the outer one fired, it has fired too");
    }
}
