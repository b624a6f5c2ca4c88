//! Telling every thread to stop, wherever it waits.

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::event::{EventfdFlags, eventfd};
use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Fires once and stays fired. Can be asked, waited for in a `select!`, and polled as a file descriptor.
#[derive(Debug)]
pub struct Latch {
    fired: AtomicBool,
    sender: Mutex<Option<Sender<Infallible>>>,
    receiver: Receiver<Infallible>,
    event: OwnedFd,
}

impl Latch {
    /// A latch that has not fired.
    pub fn new() -> std::io::Result<Self> {
        let (sender, receiver) = bounded(0);
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { fired: AtomicBool::new(false), sender: Mutex::new(Some(sender)), receiver, event })
    }

    /// Fires it.
    pub fn fire(&self) {
        self.fired.store(true, Ordering::SeqCst);
        drop(self.sender.lock().map(|mut sender| sender.take()));
        // The counter of an eventfd cannot be full after one write; were it, it would be readable, which is all we want.
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
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

/// The two ways to end a run early.
#[derive(Debug, Clone)]
pub struct Cancel {
    /// Begin nothing new; what is under way may end.
    pub stop: Arc<Latch>,
    /// End what is under way.
    pub kill: Arc<Latch>,
    closing: Arc<AtomicBool>,
}

impl Cancel {
    /// Neither has fired.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { stop: Arc::new(Latch::new()?), kill: Arc::new(Latch::new()?), closing: Arc::default() })
    }

    /// The same with a stop of its own: what stops this does not stop the other.
    ///
    /// # Errors
    /// Where the system gives no descriptor.
    pub fn inner(&self) -> std::io::Result<Self> {
        Ok(Self { stop: Arc::new(Latch::new()?), ..self.clone() })
    }

    /// Notes that the work is over and the cleaning up has begun.
    pub fn begin_closing(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    /// Whether the cleaning up has begun.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }
}
