//! The list of runs.

use super::pages::{render, trouble_page};
use super::reply::{Reply, html};
use super::route::run_path;
use crate::explain::RunStatus;
use crate::ledger::{LedgerError, Reader, RunFolder, StateFolder};
use crate::model::Status;
use crate::report::{count, duration, number};
use crate::text::Printable;
use hyper::StatusCode;
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The most runs that are listed.
const MOST: usize = 200;

/// For how long a list is good.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// The list of the runs of a folder, read once for all who want it at a time.
pub(super) struct RunList {
    state: StateFolder,
    last: Mutex<Option<(Instant, String)>>,
}

/// A run in the list.
#[derive(Debug, Clone, Serialize)]
struct Row {
    run: String,
    path: String,
    workflow: String,
    /// As the report writes it; none if the run cannot be read.
    status: Option<Status>,
    started: String,
    took: String,
    items: String,
    failed: String,
}

impl RunList {
    pub(super) fn new(state: StateFolder) -> Self {
        Self { state, last: Mutex::default() }
    }

    /// The page.
    pub(super) async fn reply(&self) -> Reply {
        let mut last = self.last.lock().await;
        if let Some((_, page)) = last.as_ref().filter(|(at, _)| at.elapsed() < GOOD_FOR) {
            return html(StatusCode::OK, page.clone());
        }
        let state = self.state.clone();
        let made = tokio::task::spawn_blocking(move || page(&state)).await;
        match made.unwrap_or_else(|_| Err("this is a bug of batchmill".to_owned())) {
            Ok(page) => {
                *last = Some((Instant::now(), page.clone()));
                html(StatusCode::OK, page)
            }
            Err(problem) => html(StatusCode::INTERNAL_SERVER_ERROR, trouble_page(&problem)),
        }
    }
}

fn page(state: &StateFolder) -> Result<String, String> {
    let folders = state.runs_by_age().map_err(|error| error.to_string())?;
    let more = folders.len().saturating_sub(MOST);
    let runs: Vec<Row> = folders.into_iter().rev().take(MOST).map(row).collect();
    let folder = Printable::path(&state.0).to_string();
    let more = (more > 0).then(|| count(more as u64, "older run"));
    render("runs.html", context! { runs => Value::from(Serde(runs)), folder, more }).map_err(|error| error.to_string())
}

fn row(folder: RunFolder) -> Row {
    let (run, path) = (Printable::line(&folder.run.0).to_string(), run_path(&folder.run));
    match read(folder) {
        Ok(status) => {
            let sum = |part: fn(&crate::model::Stats) -> u64| -> u64 {
                status.steps.iter().map(|step| part(&step.record.stats)).sum()
            };
            let started = jiff::Timestamp::from_millisecond(status.record.started);
            Row {
                run,
                path,
                workflow: Printable::excerpt(&status.record.workflow, 80).to_string(),
                status: Some(status.record.status),
                started: started.map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string()),
                took: duration(status.took()),
                items: number(sum(|stats| stats.succeeded + stats.failed)),
                failed: number(sum(|stats| stats.failed)),
            }
        }
        Err(error) => {
            let text = String::new;
            let workflow = Printable::line(format!("cannot be read: {error}")).to_string();
            Row { run, path, workflow, status: None, started: text(), took: text(), items: text(), failed: text() }
        }
    }
}

fn read(folder: RunFolder) -> Result<RunStatus, LedgerError> {
    RunStatus::read(&Reader::open(folder)?)
}
