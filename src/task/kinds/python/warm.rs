//! Workers that wait for the next call of a client, which they begin without a start of their own.

use super::worker::Worker;
use crate::task::context::StepContext;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many times as many workers are kept as a call has, or as there are cores: enough for two calls that want other workers.
const MOST_TIMES: usize = 2;

/// Idle workers.
#[derive(Default)]
pub struct WarmWorkers(Mutex<Vec<Idle>>);

struct Idle {
    worker: Worker,
    key: WarmKey,
    since: Instant,
}

/// What a worker was started with, and another call must want as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WarmKey {
    interpreter: String,
    env: Arc<Vec<(String, String)>>,
    /// It decides how many threads libraries use.
    width: usize,
}

impl WarmKey {
    /// What the workers of a step are started with.
    pub(super) fn of(context: &StepContext) -> Option<Self> {
        let interpreter = context.host.python.as_ref()?.executable.clone();
        Some(Self { interpreter, env: Arc::clone(&context.host.env), width: context.settings.width })
    }
}

impl WarmWorkers {
    /// A worker that was started like this, the one that was used last.
    pub(super) fn take(&self, key: &WarmKey) -> Option<Worker> {
        let mut idle = self.lock();
        loop {
            let at = idle.iter().rposition(|idle| idle.key == *key)?;
            let worker = idle.remove(at).worker;
            if worker.peer.is_alive() {
                return Some(worker);
            }
        }
    }

    /// Keeps a worker, and ends those that have been idle for longest, if there are too many.
    pub(super) fn leave(&self, key: WarmKey, worker: Worker) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let most = MOST_TIMES * cores.max(key.width);
        let mut idle = self.lock();
        idle.push(Idle { worker, key, since: Instant::now() });
        let excess = idle.len().saturating_sub(most);
        let old: Vec<Idle> = idle.drain(..excess).collect();
        drop(idle);
        drop(old);
    }

    /// Ends the workers that have been idle for so long. They have nothing left to do, so they are killed.
    pub fn end_idle(&self, longest: Duration) {
        let old: Vec<Idle> = self.lock().extract_if(.., |idle| idle.since.elapsed() >= longest).collect();
        drop(old);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for WarmWorkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WarmWorkers").field(&self.lock().len()).finish()
    }
}
