//! Results that outlive their call: where they are kept, and what of them is there already.

use super::sender::Outgoing;
use crate::ledger::{CallRecords, FoundResults, LedgerError, StateFolder};
use crate::model::{BatchReport, Failure, FailureKind, ItemKey, LogEntry};
use crate::pipeline::Recorder;
use crate::task::Cancel;
use crate::wire::{CallLedger, single_results};
use crossbeam_channel::{after, select};
use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long to wait for a call that has the same ledger: one whose client has gone ends its workers first.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait before another look.
const LOOK: Duration = Duration::from_millis(20);

/// Opens the ledger of a call, and finds what is in it.
pub(super) fn open(
    ledger: &CallLedger,
    cancel: &Cancel,
    outgoing: &Outgoing,
) -> Result<(CallRecords, FoundResults), Failure> {
    let CallLedger { state, name, function, resume, .. } = ledger;
    let function =
        u128::from_str_radix(function, 16).map_err(|error| refused(format!("`function` of `ledger`: {error}")))?;
    let state = StateFolder(PathBuf::from(state));
    let until = Instant::now() + PATIENCE;
    let mut records = loop {
        if let Some(records) = state.open_calls(name, ItemKey::from(function)).map_err(|error| failure(&error))? {
            break records;
        }
        let message =
            format!("another call is using the ledger `{name}`; wait until it ends, or give this one another name");
        let locked = Failure::new(FailureKind::Start, "LedgerInUse", message).permanent();
        if Instant::now() > until {
            return Err(locked);
        }
        select! {
            recv(cancel.stop.channel()) -> _ => return Err(locked),
            recv(after(LOOK)) -> _ => {}
        }
    };
    if !resume {
        records.clear().map_err(|error| failure(&error))?;
    }
    let found = records.find().map_err(|error| failure(&error))?;
    if found.is_empty() && found.stale > 0 {
        outgoing.notice(format!(
            "the function or its constants have changed since the ledger `{name}` was written; its {} results are not used",
            found.stale
        ));
    }
    Ok((records, found))
}

fn refused(message: String) -> Failure {
    Failure::new(FailureKind::Start, "CallRefused", message).permanent()
}

/// A failure of the ledger, with its cause and what to do.
pub(super) fn failure(error: &LedgerError) -> Failure {
    let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
    let remedy = match error.remedy() {
        Some(remedy) => Some(remedy.to_owned()),
        None => error.hint(),
    };
    let remedy = remedy.map_or(String::new(), |remedy| format!("; {remedy}"));
    Failure::new(FailureKind::Output, "LedgerError", format!("{error}{cause}{remedy}")).permanent()
}

/// Records results in the ledger of a call, if it has one, and then sends them to the client.
pub(super) struct CallRecorder {
    pub(super) outgoing: Outgoing,
    pub(super) kept: Option<CallRecords>,
}

impl Recorder for CallRecorder {
    type Error = LedgerError;

    fn record(&mut self, reports: &[BatchReport]) -> Result<(), LedgerError> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let mut results = Vec::new();
        for report in reports.iter().filter(|report| !report.succeeded.is_empty()) {
            let singles = single_results(&report.lines.0).filter(|singles| singles.len() == report.keys.len());
            // A worker that sends anything else has another program than the client has made.
            results.extend(report.keys.iter().zip(singles.expect("workers send each result of such a call alone")));
        }
        if results.is_empty() { Ok(()) } else { kept.append(results.into_iter()) }
    }

    fn take(&mut self, report: BatchReport) -> Option<Failure> {
        self.outgoing.deliver(report);
        None
    }

    fn log(&mut self, entry: &LogEntry) -> Result<(), String> {
        self.outgoing.print(entry);
        Ok(())
    }
}
