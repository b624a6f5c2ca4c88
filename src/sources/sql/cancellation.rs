//! How a query in another thread is cancelled.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the source and the thread that runs the query share.
#[derive(Default)]
pub(super) struct Cancellation {
    /// Whether rows are no longer needed.
    requested: AtomicBool,
    /// Cancels the query, once there is a connection.
    cancel: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Cancellation {
    /// Sets how to cancel the query on the new connection. False if rows are no longer needed.
    pub(super) fn connected(&self, cancel: impl Fn() + Send + Sync + 'static) -> bool {
        let _ = self.cancel.set(Box::new(cancel));
        !self.requested.load(Ordering::SeqCst)
    }

    /// Rows are no longer needed: a query that has not started yet will not start.
    pub(super) fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
    }

    /// Cancels the query that runs; false if there is no connection yet.
    pub(super) fn cancel(&self) -> bool {
        let cancel = self.cancel.get();
        cancel.into_iter().for_each(|cancel| cancel());
        cancel.is_some()
    }
}
