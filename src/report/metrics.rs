//! Metrics of a run, kept up to date in a file for monitoring.
//!
//! A thread replaces the file every few seconds, and at once if a step begins or ends, so that a file that is old tells of
//! a run that was killed, and a slow disk holds up nobody. Says nothing of items but how many they are.

use super::metrics_text::text;
use super::run_metrics::{RunMetrics, now};
use crate::model::Event;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Time between two writes.
const EVERY: Duration = Duration::from_secs(5);

/// Replaces the file by one with these bytes, as a whole.
pub type Replace = Box<dyn FnMut(&[u8]) -> io::Result<()> + Send>;

/// What the writer and its listener share.
#[derive(Debug, Default)]
struct Shared {
    run: RunMetrics,
    /// Why the file could not be written the first time that it could not, until someone has said so.
    warning: Option<String>,
    has_failed: bool,
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file of metrics that a thread keeps up to date.
pub struct MetricsFile {
    shared: Arc<Mutex<Shared>>,
    /// Asks for a write at once. The thread ends when all of these are gone.
    nudge: Sender<()>,
    thread: JoinHandle<Writer>,
}

impl MetricsFile {
    /// Writes the file for the first time, and keeps it up to date from now on.
    ///
    /// # Errors
    /// If it cannot be written, or the system provides no thread.
    pub fn begin(workflow: &str, last_success: Option<i64>, (name, replace): (String, Replace)) -> io::Result<Self> {
        let run = RunMetrics::begin(workflow, last_success);
        let shared = Arc::new(Mutex::new(Shared { run, ..Shared::default() }));
        let mut writer = Writer { name, replace, shared: Arc::clone(&shared) };
        writer.write()?;
        let (nudge, nudges) = bounded(1);
        let thread = thread::Builder::new().name("metrics".to_owned()).spawn(move || writer.keep(&nudges))?;
        Ok(Self { shared, nudge, thread })
    }

    /// What takes in the events of the run. It must be gone before [`MetricsFile::finish`].
    pub fn listener(&self) -> MetricsListener {
        MetricsListener { shared: Arc::clone(&self.shared), nudge: self.nudge.clone() }
    }

    /// Writes the file for the last time. Returns a warning that nobody has seen yet.
    pub fn finish(self, exit: u8) -> Option<String> {
        let Self { shared, nudge, thread } = self;
        drop(nudge);
        let mut writer = thread.join().ok()?;
        lock(&shared).run.end(exit);
        writer.try_write();
        lock(&shared).warning.take()
    }
}

struct Writer {
    /// Its name in messages.
    name: String,
    replace: Replace,
    shared: Arc<Mutex<Shared>>,
}

impl Writer {
    fn write(&mut self) -> io::Result<()> {
        let run = lock(&self.shared).run.clone();
        (self.replace)(text(run, now()).as_bytes())
    }

    /// Keeps trying, because what is wrong may pass; says so once.
    fn try_write(&mut self) {
        let Err(error) = self.write() else { return };
        let shared = &mut *lock(&self.shared);
        if !std::mem::replace(&mut shared.has_failed, true) {
            shared.warning =
                Some(format!("warning: cannot write metrics to `{}`: {error}; the run goes on", self.name));
        }
    }

    fn keep(mut self, nudges: &Receiver<()>) -> Self {
        while !matches!(nudges.recv_timeout(EVERY), Err(RecvTimeoutError::Disconnected)) {
            self.try_write();
        }
        self
    }
}

/// Takes in the events of a run for its metrics.
pub struct MetricsListener {
    shared: Arc<Mutex<Shared>>,
    nudge: Sender<()>,
}

impl MetricsListener {
    pub(super) fn take(&self, event: &Event) {
        if lock(&self.shared).run.take(event) {
            // If one is asked for already, it will show this event too.
            let _ = self.nudge.try_send(());
        }
    }

    /// A warning that nobody has seen yet.
    pub(super) fn warning(&self) -> Option<String> {
        lock(&self.shared).warning.take()
    }
}
