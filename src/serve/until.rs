//! When a server ends.

use crate::ledger::RunFolder;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When to end.
#[derive(Debug, Clone)]
pub enum Until {
    /// When a signal ends the process.
    Killed,
    /// So long after the end of a run, if nobody has looked at a page for as long.
    Unused(RunFolder, Duration),
}

/// How often to look.
const TICK: Duration = Duration::from_millis(500);

/// When someone was here last.
#[derive(Debug)]
pub(super) struct Visits(Mutex<Instant>);

impl Default for Visits {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Visits {
    /// Someone is here.
    pub(super) fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Until {
    /// Waits for the end.
    pub(super) async fn wait(self, visits: &Visits) {
        let Self::Unused(run, linger) = self else { return std::future::pending().await };
        let mut running = Instant::now();
        loop {
            // A run that is resumed goes on being shown.
            if run.is_locked() {
                running = Instant::now();
            }
            if running.max(visits.last()).elapsed() >= linger {
                return;
            }
            tokio::time::sleep(TICK).await;
        }
    }
}
