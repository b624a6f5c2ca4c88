//! `summary`: what `on_failure` and `finally` see of the run.
//!
//! Failures are grouped and the report is written when a closing step first asks for them: a `finally` that only deletes a
//! directory costs nothing. No trouble with the report hinders a closing step: its path is then empty, and a notice says why.

use crate::causes::{FailureGroup, FailureGroups, FailureText};
use crate::ledger::{LedgerError, Reader, RunFolder};
use crate::model::{RunSummary, Status, StepName, StepReport};
use crate::task::Latch;
use crate::template::{Lazy, SUMMARY_MEMBERS, invalid, json_or_invalid};
use crossbeam_channel::{bounded, select};
use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The members that are made when they are asked for.
const FAILURES: &str = "failures";
const OTHER_FAILURES: &str = "other_failures";
const REPORT: &str = "report";

/// How many groups of failures `summary` has: an alert is to be read.
const MOST_GROUPS: usize = 20;

/// How long a closing step waits for the report.
const REPORT_LIMIT: Duration = Duration::from_secs(60);

/// Writes the report about a run whose steps have ended like this, and returns its path.
pub type WriteReport = fn(&RunFolder, Status) -> Result<PathBuf, String>;

/// The report for the closing steps of a run: written once, when it is first asked for.
pub(super) struct ClosingReport {
    path: Arc<Lazy>,
    /// Why it could not be written.
    trouble: Arc<Mutex<Option<String>>>,
}

impl ClosingReport {
    /// A report that `write` writes. `ended` ends the wait for it.
    pub(super) fn new(write: WriteReport, folder: RunFolder, status: Status, ended: Arc<Latch>) -> Self {
        let trouble = Arc::new(Mutex::new(None));
        let noted = Arc::clone(&trouble);
        let path = Lazy::new(move || {
            let folder = folder.clone();
            match within_limit(move || write(&folder, status), &ended) {
                Ok(path) => shown(&path),
                Err(error) => {
                    *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    Value::from("")
                }
            }
        });
        Self { path: Arc::new(path), trouble }
    }

    /// The report that the run wrote, if it did.
    pub(super) fn written(folder: &RunFolder) -> Self {
        let path = folder.report();
        let path = Lazy::new(move || if path.exists() { shown(&path) } else { Value::from("") });
        Self { path: Arc::new(path), trouble: Arc::default() }
    }

    /// Why it could not be written, once.
    pub(super) fn take_trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The path from wherever a task runs.
fn shown(path: &Path) -> Value {
    Value::from(std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).display().to_string())
}

/// What `write` returns. If it takes too long, nobody waits for it any longer; it ends with the program at the latest.
fn within_limit(
    write: impl FnOnce() -> Result<PathBuf, String> + Send + 'static,
    ended: &Latch,
) -> Result<PathBuf, String> {
    let (send, written) = bounded(1);
    let begin = thread::Builder::new().name("report".to_owned());
    begin.spawn(move || drop(send.send(write()))).map_err(|error| error.to_string())?;
    select! {
        recv(written) -> result => result.unwrap_or_else(|_| Err("writing it ended with a panic".to_owned())),
        recv(ended.channel()) -> _ => Err("the run was ended".to_owned()),
        default(REPORT_LIMIT) => Err(format!("it took longer than {} s", REPORT_LIMIT.as_secs())),
    }
}

/// The value of `summary`.
pub(super) fn summary_value(summary: &RunSummary, workflow: &str, folder: &RunFolder, report: &ClosingReport) -> Value {
    let step = |step: &StepReport| {
        let error = step.failure.as_ref().map(|failure| format!("{}: {}", failure.class, failure.message));
        let status = json!({ "status": step.status, "stats": step.stats.to_json(), "error": error });
        (step.name.to_string(), status)
    };
    let known = json!({
        "run_id": summary.run,
        "workflow": workflow,
        "status": summary.status,
        "failed": summary.steps.iter().map(|step| step.stats.failed).sum::<u64>(),
        "steps": summary.steps.iter().map(step).collect::<serde_json::Map<_, _>>(),
    });
    let steps: Vec<StepName> = summary.steps.iter().map(|step| step.name.clone()).collect();
    let folder = folder.clone();
    let failures = Lazy::new(move || match groups(&folder, &steps) {
        Ok(groups) => json_or_invalid(&"`summary.failures`", groups_json(&groups).to_string().as_bytes()),
        Err(error) => invalid(format!("`summary.failures` cannot be read: {error}")),
    });
    let known = json_or_invalid(&"`summary`", known.to_string().as_bytes());
    Value::from_object(SummaryValue { known, failures, report: Arc::clone(&report.path) })
}

/// The failures of these steps by cause, as the ledger has them.
fn groups(folder: &RunFolder, steps: &[StepName]) -> Result<FailureGroups, LedgerError> {
    let reader = Reader::open(folder.clone())?;
    let mut groups = FailureGroups::default();
    for name in steps {
        if let Some(step) = reader.step(name)? {
            step.visit_failures(|index, class, message| {
                groups.add(FailureText { step: name, index, class, message });
            })?;
        }
    }
    Ok(groups)
}

/// The largest groups, and how many failures are in none of them.
fn groups_json(groups: &FailureGroups) -> serde_json::Value {
    let largest = groups.largest();
    let shown = &largest[..largest.len().min(MOST_GROUPS)];
    let group = |group: &&FailureGroup| {
        json!({
            "count": group.count, "step": group.step, "type": group.class, "message": group.message(),
            "indexes": group.samples,
        })
    };
    let counted: u64 = shown.iter().map(|group| group.count).sum();
    json!({ FAILURES: shown.iter().map(group).collect::<Vec<_>>(), OTHER_FAILURES: groups.total() - counted })
}

/// A mapping, two members of which are made when they are asked for.
#[derive(Debug)]
struct SummaryValue {
    known: Value,
    /// `failures` and `other_failures`.
    failures: Lazy,
    report: Arc<Lazy>,
}

impl Object for SummaryValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let member = |of: &Value, name: &str| match of.kind() {
            // Whoever uses it fails with the reason.
            ValueKind::Invalid => Some(of.clone()),
            _ => of.get_attr(name).ok().filter(|value| !value.is_undefined()),
        };
        match key.as_str()? {
            name @ (FAILURES | OTHER_FAILURES) => member(&self.failures.get(), name),
            REPORT => Some(self.report.get()),
            name => member(&self.known, name),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&SUMMARY_MEMBERS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_has_the_largest_groups_and_the_number_of_the_rest() {
        let (step, mut groups) = (StepName::new("load").unwrap(), FailureGroups::default());
        let letter = |number: u64| char::from(b'g' + number as u8);
        let word = |number: u64| format!("{}{}", letter(number / 5), letter(number % 5));
        for index in 0..60 {
            let message = if index < 5 { format!("no row {index}") } else { word(index / 2) };
            groups.add(FailureText { step: &step, index, class: "E", message: &message });
        }
        let json = groups_json(&groups);
        assert_eq!(json["failures"].as_array().unwrap().len(), 20);
        assert_eq!(
            json["failures"][0],
            json!({"count": 5, "step": "load", "type": "E", "message": "no row …", "indexes": [0, 1, 2]})
        );
        assert_eq!(json["other_failures"], 17);
    }

    #[test]
    fn a_report_that_panics_or_is_not_wanted_any_more_is_an_error() {
        let latch = Latch::new().unwrap();
        let panicked = within_limit(|| panic!("a bug"), &latch);
        assert_eq!(panicked, Err("writing it ended with a panic".to_owned()));
        latch.fire();
        let (_keep, never) = bounded::<()>(0);
        let ended = within_limit(move || Err(format!("{:?}", never.recv())), &latch);
        assert_eq!(ended, Err("the run was ended".to_owned()));
    }
}
