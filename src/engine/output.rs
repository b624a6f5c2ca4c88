//! The file of `outputs`: written when a step has ended well, from what the ledger holds.
//!
//! What was written is noted in the ledger with the state of the results at that time. So an execution that finds the file
//! there, made of the same results in the same way, leaves it alone; any other writes it again.

use super::shape::ShapeError;
use super::workflow::{EngineError, Run};
use crate::ledger::{LedgerError, Reader, ResultLines, RunFolder, StepKey};
use crate::model::{Event, Failure, FailureKind, Status, StepName, StepReport};
use crate::sink::{self, Results, Target};
use crate::spec::Step;
use crate::task::Latch;
use crate::template::{ItemScope, Template};
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Pieces are handed on once they have come to so many bytes.
const PIECE: usize = 1 << 20;

/// Where the results of a step go.
///
/// # Errors
/// Where the template of the path fails, or gives nothing.
pub(super) fn target_of(step: &Step, scope: &Arc<ItemScope>) -> Result<Option<Target>, ShapeError> {
    let Some(file) = &step.outputs.file else { return Ok(None) };
    let path = Template::compile(&file.path).and_then(|template| template.string(scope));
    let path = path.map_err(|error| ShapeError::Setting(format!("`path`: {error}"), file.path.span))?;
    if path.trim().is_empty() || path.contains('\0') {
        let message = format!("`path` is no path (from `{}`)", file.path.raw.trim());
        return Err(ShapeError::Setting(message, file.path.span));
    }
    Ok(Some(Target { path: PathBuf::from(path), format: file.format, parts: file.parts }))
}

impl Run<'_> {
    /// Writes the results of a step that has ended well; where that fails, the step has failed.
    pub(super) fn write_output(
        &mut self,
        (key, is_batch): (StepKey, bool),
        target: &Target,
        report: &mut StepReport,
    ) -> Result<(), EngineError> {
        if !matches!(report.status, Status::Succeeded | Status::Partial) {
            return Ok(());
        }
        let (path, format) = (target.path.display().to_string(), target.format.as_str());
        let revision = self.ledger.revision(&report.name)?;
        let note = serde_json::json!({ "path": path, "format": format, "parts": target.parts, "of": revision });
        let note = note.to_string();
        if self.ledger.output(key)?.as_ref() == Some(&note) && target.is_there() {
            return Ok(());
        }
        let mut results = StepResults::new(self.ledger.folder().clone(), &report.name, is_batch, &self.cancel.stop);
        match sink::write(target, &mut results) {
            Ok(written) => {
                self.ledger.note_output(key, &note)?;
                let records = if written.records == 1 { "record" } else { "records" };
                let text = format!("{} {records} written to `{path}`", written.records);
                self.tell(&Event::Notice { name: report.name.clone(), text: self.prepared.secrets.masked(text) });
            }
            Err(_) if self.cancel.stop.is_fired() => report.status = Status::Interrupted,
            Err(error) => {
                report.status = Status::Failed;
                let message = self.prepared.secrets.masked(error.to_string());
                report.failure = Some(Failure::new(FailureKind::Sink, "SinkError", message));
            }
        }
        Ok(())
    }
}

/// The results of a step, as its sink reads them.
struct StepResults<'a> {
    folder: RunFolder,
    step: StepName,
    is_batch: bool,
    stop: &'a Latch,
    lines: Option<ResultLines>,
}

impl<'a> StepResults<'a> {
    fn new(folder: RunFolder, step: &StepName, is_batch: bool, stop: &'a Latch) -> Self {
        Self { folder, step: step.clone(), is_batch, stop, lines: None }
    }

    fn open(&self) -> Result<Option<ResultLines>, LedgerError> {
        let reader = Reader::open(self.folder.clone())?;
        let steps = reader.steps()?;
        steps.iter().find(|record| record.name == self.step).map(|record| reader.results(record)).transpose()
    }
}

impl Results for StepResults<'_> {
    fn rewind(&mut self) -> io::Result<()> {
        self.lines = self.open().map_err(|error| trouble(&error))?;
        Ok(())
    }

    fn next_piece(&mut self, piece: &mut Vec<u8>) -> io::Result<bool> {
        piece.clear();
        if self.stop.is_fired() {
            return Err(io::Error::other("the run was stopped"));
        }
        while piece.len() < PIECE
            && let Some(lines) = &mut self.lines
            && let Some((_, _, lines)) = lines.next_piece().map_err(|error| trouble(&error))?
        {
            if self.is_batch {
                piece.extend_from_slice(&lines);
            } else {
                records_of(&lines, piece)?;
            }
        }
        Ok(!piece.is_empty())
    }
}

fn trouble(error: &LedgerError) -> io::Error {
    let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
    io::Error::other(format!("{error}{cause}"))
}

/// The records of the one value that a plain step gave: a list's elements, or itself.
fn records_of(line: &[u8], lines: &mut Vec<u8>) -> io::Result<()> {
    if !line.starts_with(b"[") {
        lines.extend_from_slice(line);
        return Ok(());
    }
    let elements: Vec<&serde_json::value::RawValue> = serde_json::from_slice(line)?;
    for element in elements {
        lines.extend_from_slice(element.get().as_bytes());
        lines.push(b'\n');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_its_records_and_any_other_value_is_one() {
        let records = |line: &str| {
            let mut lines = Vec::new();
            records_of(line.as_bytes(), &mut lines).unwrap();
            String::from_utf8(lines).unwrap()
        };
        assert_eq!(records("[1, {\"a\":[2]},\"x, y\"]\n"), "1\n{\"a\":[2]}\n\"x, y\"\n");
        assert_eq!(records("{\"a\":[1]}\n"), "{\"a\":[1]}\n");
        assert_eq!(records("[]\n"), "");
    }
}
