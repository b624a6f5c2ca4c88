//! The file of `outputs`: written when a step has ended well, from what the ledger holds.
//!
//! What was written is noted in the ledger with the state of the results at that time. So an execution that finds the file
//! there, made of the same results in the same way, leaves it alone; any other writes it again.

use super::fingerprint::mentions_item_dir;
use super::prepare::Prepared;
use super::shape::ShapeError;
use super::workflow::{EngineError, Run};
use crate::columnar::{read_ipc, schema_of_ipc};
use crate::export::{self, ExportError, Results, StreamedOutput, Target, Written};
use crate::ledger::{LedgerError, Reader, ResultsReader, RunFolder, StepLedger};
use crate::model::{Event, Failure, FailureKind, OutputFormat, Status, StepName, StepReport, Text};
use crate::spec::{Step, StepKind};
use crate::task::{ItemFiles, Latch};
use crate::template::{ItemScope, Template};
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Pieces are handed on once they have come to so many bytes.
const PIECE: usize = 1 << 20;

/// Where the results of a step go.
///
/// # Errors
/// Where the template of the path fails, or gives nothing.
pub(super) fn target_of(step: &Step, scope: &Arc<ItemScope>) -> Result<Option<Target>, ShapeError> {
    let Some(file) = &step.outputs.file else { return Ok(None) };
    let path = rendered("path", &file.path, scope)?;
    Ok(Some(Target { path, format: file.format, parts: file.parts }))
}

/// Where the files of a step's items go, where its task makes some.
///
/// # Errors
/// As [`target_of`].
pub(super) fn item_files_of(
    step: &Step,
    prepared: &Prepared,
    scope: &Arc<ItemScope>,
) -> Result<Option<PathBuf>, ShapeError> {
    match &step.outputs.item_files {
        Some(text) => rendered("item_files", text, scope).map(Some),
        None if matches!(step.kind, StepKind::Batch(_)) && mentions_item_dir(step, prepared) => {
            Ok(Some(Path::new("out").join(step.name.as_str())))
        }
        None => Ok(None),
    }
}

fn rendered(key: &str, text: &Text, scope: &Arc<ItemScope>) -> Result<PathBuf, ShapeError> {
    let path = Template::compile(text).and_then(|template| template.string(scope));
    let path = path.map_err(|error| ShapeError::Setting(format!("`{key}`: {error}"), text.span))?;
    if path.trim().is_empty() || path.contains('\0') {
        return Err(ShapeError::Setting(format!("`{key}` is no path (from `{}`)", text.raw.trim()), text.span));
    }
    Ok(PathBuf::from(path))
}

impl Run<'_> {
    /// The files of a step's items: their folders, and whose the paths are that earlier executions of the run have left.
    pub(super) fn item_files(
        &mut self,
        step: &Step,
        ledger: &mut StepLedger,
        into: PathBuf,
    ) -> Result<ItemFiles, EngineError> {
        let reader = Reader::open(self.ledger.folder().clone())?;
        let past = reader.step(&step.name)?.map(|step| step.history()).transpose()?.unwrap_or_default();
        let done = past.batches.iter().flat_map(|batch| batch.keys.iter().zip(batch.indexes.iter().copied()));
        // An item that the workflow does not name any more has no index.
        let done = done.filter(|(_, index)| *index != u64::MAX).collect();
        let claims = ledger.item_files(&done)?;
        let claims = claims.into_iter().map(|(path, key, index)| (path, (key, index))).collect();
        Ok(ItemFiles::new(scratch(self.ledger.folder(), &step.name), into, claims))
    }

    /// Writes the results of a step that has ended well; where that fails, the step has failed.
    pub(super) fn write_output(
        &mut self,
        (ledger, is_batch): (&StepLedger, bool),
        (target, streamed): (&Target, Option<StreamedOutput>),
        report: &mut StepReport,
    ) -> Result<(), EngineError> {
        if !matches!(report.status, Status::Succeeded | Status::Partial) {
            return Ok(());
        }
        let (path, format) = (target.path.display().to_string(), target.format.as_str());
        let revision = ledger.revision()?;
        let note = serde_json::json!({ "path": path, "format": format, "parts": target.parts, "of": revision });
        let note = note.to_string();
        if ledger.output()?.as_ref() == Some(&note) && target.is_there() {
            return Ok(());
        }
        let mut results = StepResults::new(self.ledger.folder().clone(), &report.name, is_batch, &self.cancel.stop);
        let streamed = streamed.and_then(|streamed| streamed.commit(target, report.stats.total).transpose());
        let written = match streamed.or_else(|| results.as_tables(target)) {
            Some(written) => written,
            None => export::write(target, &mut results),
        };
        match written {
            Ok(written) => {
                ledger.note_output(&note)?;
                let records = if written.records == 1 { "record" } else { "records" };
                let text = format!("{} {records} written to `{path}`", written.records);
                self.tell(&Event::Notice { name: report.name.clone(), text: self.prepared.secrets.masked(text) });
            }
            Err(_) if self.cancel.stop.is_fired() => report.status = Status::Interrupted,
            Err(error) => {
                report.status = Status::Failed;
                let message = self.prepared.secrets.masked(error.to_string());
                report.failure = Some(Failure::new(FailureKind::Output, "OutputError", message));
            }
        }
        Ok(())
    }
}

/// Where the folders of attempts are made.
pub(super) fn scratch(folder: &RunFolder, step: &StepName) -> PathBuf {
    folder.path.join("items").join(step.as_str())
}

/// The results of a step, as its sink reads them.
struct StepResults<'a> {
    folder: RunFolder,
    step: StepName,
    is_batch: bool,
    stop: &'a Latch,
    lines: Option<ResultsReader>,
}

impl<'a> StepResults<'a> {
    fn new(folder: RunFolder, step: &StepName, is_batch: bool, stop: &'a Latch) -> Self {
        Self { folder, step: step.clone(), is_batch, stop, lines: None }
    }

    fn open(&self) -> Result<Option<ResultsReader>, LedgerError> {
        let reader = Reader::open(self.folder.clone())?;
        reader.step(&self.step)?.map(|step| step.results()).transpose()
    }
}

impl StepResults<'_> {
    /// Writes results that are tables, all of the same columns, as Parquet without a detour; none where they are not.
    fn as_tables(&self, target: &Target) -> Option<Result<Written, ExportError>> {
        if target.format != OutputFormat::Parquet {
            return None;
        }
        let mut lines = self.open().ok()?.filter(ResultsReader::are_tables)?;
        let schema = schema_of_ipc(&lines.next_table().ok()??).ok()?;
        while let Some(table) = lines.next_table().ok()? {
            // Tables of other columns are made alike by way of their records.
            schema_of_ipc(&table).ok().filter(|other| *other == schema)?;
        }
        let mut lines = self.open().ok()??;
        let mut next = || -> io::Result<Option<Vec<io::Result<_>>>> {
            if self.stop.is_fired() {
                return Err(io::Error::other("the run was stopped"));
            }
            let Some(table) = lines.next_table().map_err(|error| trouble(&error))? else { return Ok(None) };
            let batches = read_ipc(&table).map_err(io::Error::other)?;
            Ok(Some(batches.map(|batch| batch.map_err(io::Error::other)).collect()))
        };
        let mut frames = std::iter::from_fn(|| next().transpose())
            .flat_map(|batches| batches.unwrap_or_else(|error| vec![Err(error)]));
        Some(export::write_frames(target, &schema, &mut frames))
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
            && let Some(lines) = lines.next_block().map_err(|error| trouble(&error))?
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
