//! Records what a step does in the run's ledger, and in the step's output file if that is written during the step.

use crate::export::{ExportError, StreamedOutput, TypeCheck, file_state};
use crate::ledger::{LedgerError, StepLedger};
use crate::measure::Measurements;
use crate::model::{BatchReport, Failure, FailureKind, ItemKey, Lines, LogEntry};
use crate::pipeline::Recorder;
use std::error::Error;
use std::path::{Path, PathBuf};

/// The recorder of a step with a ledger.
pub(super) struct LedgerRecorder<'a> {
    pub(super) ledger: &'a mut StepLedger,
    /// The output file, if it is written during the step.
    pub(super) streamed: Option<StreamedOutput>,
    /// Whether results fit the output file, if that is not certain.
    pub(super) types: Option<TypeCheck>,
    /// Where the files of items go.
    pub(super) item_files: Option<PathBuf>,
    /// The result of a plain step, if it is to be shown.
    pub(super) message: Option<Lines>,
}

impl Recorder for LedgerRecorder<'_> {
    type Error = LedgerError;

    fn record(&mut self, reports: &[BatchReport]) -> Result<(), LedgerError> {
        // The paths of item files first: once there is a row for a result, its files are known.
        let into = self.item_files.as_deref().unwrap_or(Path::new(""));
        self.ledger.note_item_files(reports, &|path| file_state(&into.join(path)))?;
        self.ledger.record(reports)
    }

    fn forget_failures(&mut self, items: &[(u64, ItemKey)]) -> Result<(), LedgerError> {
        self.ledger.forget_failures(items)
    }

    fn take(&mut self, report: BatchReport) -> Option<Failure> {
        if let Some(types) = &mut self.types
            && let Err(error) = types.take(&report)
        {
            // The step stops. What is still running may have many more like it.
            self.types = None;
            return Some(output_failure(&error));
        }
        if let Some(message) = &mut self.message {
            message.clone_from(&report.lines);
        }
        if let Some(streamed) = &mut self.streamed {
            streamed.take(report);
        }
        None
    }

    fn save(&mut self, measurements: &Measurements) -> Result<(), String> {
        let saved = self.ledger.save_measurements(measurements);
        saved.map_err(|error| warning(&error, "the report of this step will be incomplete, but results are saved"))
    }

    fn log(&mut self, entry: &LogEntry) -> Result<(), String> {
        let logged = self.ledger.log(entry);
        logged.map_err(|error| warning(&error, "task output is no longer logged, but results are saved"))
    }
}

/// The failure of a step whose results do not fit, or cannot be written to, its output file.
pub(super) fn output_failure(error: &ExportError) -> Failure {
    Failure::new(FailureKind::Output, "OutputError", error.to_string())
}

/// What could not be written, why, and what follows.
fn warning(error: &LedgerError, consequence: &str) -> String {
    let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
    format!("warning: {error}{cause}; {consequence}")
}
