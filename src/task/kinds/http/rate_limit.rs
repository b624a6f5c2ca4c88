//! `rate_limit`: requests per second and host, across all slots.

use super::message::interrupted;
use crate::model::Failure;
use crate::task::cancel::Latch;
use crate::task::withdrawn::{Recall, cancelled};
use crossbeam_channel::{at, select};
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
    pub(super) fn wait(&self, host: &str, (kill, recall): (&Latch, Recall<'_>)) -> Result<(), Failure> {
        let now = Instant::now();
        let due = {
            let mut next = self.next.lock().expect("nothing panics while it holds this lock");
            let due = next.get(host).map_or(now, |due| (*due).max(now));
            next.insert(host.to_owned(), due + self.interval);
            due
        };
        while let Some(call) = recall.call() {
            // These channels never receive anything: they disconnect.
            select! {
                recv(kill.channel()) -> _ => return Err(interrupted()),
                recv(call.channel()) -> _ => {}
                recv(at(due)) -> _ => return Ok(()),
            }
        }
        Err(cancelled())
    }
}
