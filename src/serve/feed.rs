//! What is read of a run, once for all who look at it.

use super::snapshot::Snapshot;
use crate::control::{Answer, AskError, Command, RunState, ask};
use crate::ledger::RunFolder;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;

/// Time between two looks at a run that is running.
const TICK: Duration = Duration::from_millis(500);

/// Time between two looks at a run that is over: it may be resumed.
const SLOW_TICK: Duration = Duration::from_secs(2);

/// How long the answer of a run may hold up a look.
const ANSWERS_IN: Duration = Duration::from_millis(300);

/// What is known of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// What it looks like; none until it was read.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// Why it cannot be read.
    pub(super) problem: Option<String>,
    /// What it answered when it was asked last, or why it did not answer.
    pub(super) state: Option<Result<RunState, String>>,
}

/// The runs that someone looks at.
#[derive(Default)]
pub(super) struct Feeds {
    shared: Arc<Shared>,
}

struct Shared {
    feeds: Mutex<HashMap<PathBuf, Feed>>,
    /// One ledger is read at a time.
    reads: Semaphore,
}

impl Default for Shared {
    fn default() -> Self {
        Self { feeds: Mutex::default(), reads: Semaphore::new(1) }
    }
}

/// A run that someone looks at.
struct Feed {
    known: watch::Receiver<Known>,
    hurry: Arc<Notify>,
}

/// Someone who looks at a run.
pub(super) struct Subscription(pub(super) watch::Receiver<Known>);

impl Subscription {
    /// The first thing that is known.
    pub(super) async fn first(&mut self) -> Known {
        let has_come = |known: &Known| known.snapshot.is_some() || known.problem.is_some();
        match self.0.wait_for(has_come).await {
            Ok(known) => known.clone(),
            Err(_) => Known { problem: Some("this is a bug of batchmill".to_owned()), ..Known::default() },
        }
    }
}

impl Feeds {
    /// Joins those who look at a run.
    pub(super) fn join(&self, folder: RunFolder) -> Subscription {
        let mut feeds = self.shared.lock();
        if let Some(feed) = feeds.get(&folder.path) {
            return Subscription(feed.known.clone());
        }
        let (sender, known) = watch::channel(Known::default());
        let (hurry, subscription) = (Arc::new(Notify::new()), Subscription(known.clone()));
        feeds.insert(folder.path.clone(), Feed { known, hurry: Arc::clone(&hurry) });
        let reading = Reading { folder, sender, hurry, asked: None };
        tokio::spawn(reading.keep(Arc::clone(&self.shared)));
        subscription
    }

    /// Looks at a run at once, if anyone does.
    pub(super) fn hurry(&self, folder: &RunFolder) {
        if let Some(feed) = self.shared.lock().get(&folder.path) {
            feed.hurry.notify_one();
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Feed>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a run again and again.
struct Reading {
    folder: RunFolder,
    sender: watch::Sender<Known>,
    hurry: Arc<Notify>,
    /// The run was asked, and has not answered yet.
    asked: Option<JoinHandle<Result<Answer, AskError>>>,
}

impl Reading {
    /// Reads until nobody looks any more.
    async fn keep(mut self, shared: Arc<Shared>) {
        loop {
            let begun = Instant::now();
            let is_running = self.read(&shared.reads).await;
            let pause = if is_running { TICK.max(4 * begun.elapsed()) } else { SLOW_TICK };
            drop(tokio::time::timeout(pause, self.hurry.notified()).await);
            let mut feeds = shared.lock();
            // One receiver is that of the feed.
            if self.sender.receiver_count() <= 1 {
                feeds.remove(&self.folder.path);
                return;
            }
        }
    }

    /// Reads once; whether the run is running.
    async fn read(&mut self, reads: &Semaphore) -> bool {
        let (folder, last) = (self.folder.clone(), self.sender.borrow().snapshot.clone());
        let reading = {
            let _turn = reads.acquire().await.expect("nobody closes it");
            tokio::task::spawn_blocking(move || Snapshot::read(&folder, last.as_deref())).await
        };
        let (snapshot, problem) = match reading {
            Ok(Ok(snapshot)) => (Some(Arc::new(snapshot)), None),
            Ok(Err(problem)) => (self.sender.borrow().snapshot.clone(), Some(problem)),
            Err(_) => (self.sender.borrow().snapshot.clone(), Some("this is a bug of batchmill".to_owned())),
        };
        let is_running = snapshot.as_ref().is_some_and(|snapshot| snapshot.is_running);
        let state = if is_running { self.ask().await.or_else(|| self.sender.borrow().state.clone()) } else { None };
        self.sender.send_replace(Known { snapshot, problem, state });
        is_running
    }

    /// Asks the run what it does. Nothing, if it takes its time.
    async fn ask(&mut self) -> Option<Result<RunState, String>> {
        let folder = self.folder.path.clone();
        let asked =
            self.asked.get_or_insert_with(|| tokio::task::spawn_blocking(move || ask(&folder, &Command::State)));
        let answer = tokio::time::timeout(ANSWERS_IN, asked).await.ok()?;
        self.asked = None;
        Some(match answer {
            Ok(Ok(Answer::State(state))) => Ok(state),
            Ok(Ok(Answer::Refused { message, .. })) => Err(message),
            Ok(Ok(Answer::Done { text })) => Err(text),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("this is a bug of batchmill".to_owned()),
        })
    }
}
