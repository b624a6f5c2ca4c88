//! What a page shows of a run at one moment.

use crate::explain::{Figures, Part, RunStatus, page_title, parts};
use crate::ledger::{Reader, RunFolder};
use crate::model::Status;
use crate::report::StepWords;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most frames that a live page draws one by one: they are sent again and again.
const MOST_FRAMES: usize = 5_000;

/// Time between two readings of everything.
const EVERY: Duration = Duration::from_secs(2);

/// Reading everything takes at most this part of a core.
const SHARE: u32 = 20;

const NOW: &str = include_str!("now.html");

/// What a page shows of a run.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    /// The title of the page.
    pub(super) title: String,
    /// Whether the run is running.
    pub(super) is_running: bool,
    /// What changes from moment to moment.
    pub(super) now: Part,
    /// The parts of the report.
    pub(super) parts: Arc<Vec<Part>>,
    /// What tells one execution of the run from another: its status, and when it ended.
    state: (Status, Option<i64>),
    /// When the parts were read, and how long that took.
    read: (Instant, Duration),
}

impl Snapshot {
    /// Reads it. The parts are those of the `last` one as long as they are young, or cannot have changed.
    ///
    /// # Errors
    /// If the run cannot be read; why is for people.
    pub(super) fn read(folder: &RunFolder, last: Option<&Self>) -> Result<Self, String> {
        Self::try_read(folder, last).map_err(|error| match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        })
    }

    fn try_read(folder: &RunFolder, last: Option<&Self>) -> Result<Self, Box<dyn Error>> {
        let reader = Reader::open(folder.clone())?;
        let status = RunStatus::read(&reader)?;
        let is_running = status.record.status == Status::Running;
        let state = (status.record.status, status.record.finished);
        let words = if is_running { status.under_way(folder.read_note().as_deref()).words() } else { None };
        let now = Part { key: "now".to_owned(), html: now(words)? };
        if let Some(last) = last.filter(|last| last.state == state && !(is_running && last.is_old())) {
            return Ok(Self { is_running, now, ..last.clone() });
        }
        let begun = Instant::now();
        let figures = Figures::read(&reader)?;
        let parts = Arc::new(parts(&figures, None, MOST_FRAMES)?);
        let read = (Instant::now(), begun.elapsed());
        Ok(Self { title: page_title(&figures), is_running, now, parts, state, read })
    }

    fn is_old(&self) -> bool {
        let (at, took) = self.read;
        at.elapsed() >= EVERY.max(SHARE * took)
    }
}

/// The running step.
fn now(step: Option<StepWords>) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.add_template("now.html", NOW)?;
    environment.get_template("now.html")?.render(context! { step => Value::from(Serde(step)) })
}
