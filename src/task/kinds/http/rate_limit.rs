//! `rate_limit`: requests per second and host, across all slots.

use super::message::cancelled;
use crate::model::Failure;
use crate::task::cancel::Latch;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Gives each request the next free time of its host.
#[derive(Debug)]
pub(super) struct RateLimit {
    interval: Duration,
    next: Mutex<HashMap<String, Instant>>,
}

impl RateLimit {
    /// Allows at most this many requests per second.
    pub(super) fn new(per_second: f64) -> Self {
        Self { interval: Duration::from_secs_f64(1.0 / per_second), next: Mutex::default() }
    }

    /// Waits for the next free time of a host.
    pub(super) fn wait(&self, host: &str, kill: &Latch) -> Result<(), Failure> {
        let now = Instant::now();
        let due = {
            let mut next = self.next.lock().expect("nothing panics while it holds this lock");
            let due = next.get(host).map_or(now, |due| (*due).max(now));
            next.insert(host.to_owned(), due + self.interval);
            due
        };
        // The channel never receives: it times out when the request is due, or disconnects when the run is cancelled.
        match kill.channel().recv_deadline(due) {
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => Ok(()),
            _ => Err(cancelled()),
        }
    }
}
