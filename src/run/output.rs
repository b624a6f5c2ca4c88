//! The file of `outputs`: written from the ledger when a step has succeeded.
//!
//! The ledger records what was written, with the state of the results and of the file at that time. If an execution finds
//! that file unchanged, and it would be made of the same results in the same way, it leaves the file alone. Otherwise it
//! writes the file again.

use super::empty_header::columns_without_rows;
use super::env::StepEnv;
use super::error::EngineError;
use super::included::{IncludedFrom, IncludedRows};
use super::read_error::io_error;
use super::recorder::output_failure;
use crate::columnar::{common_schema, conform, read_ipc, schema_of_ipc};
use crate::export::{self, ExportError, Results, StreamedOutput, Target, TypeCheck, Written};
use crate::ledger::{LedgerError, Reader, ResultsReader, RunFolder, StepReader};
use crate::model::{Include, OutputCompression, OutputFormat, OutputOptions, Status, StepName, StepReport};
use crate::pipeline::mask_failure;
use crate::sources::Source;
use crate::task::{ItemFiles, Latch};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Pieces are passed on once they reach this many bytes.
const PIECE: usize = 1 << 20;

/// The files of a step's items: their directories, and who owns the paths that earlier executions of the run left.
pub(super) fn item_files(env: &mut StepEnv<'_>, into: PathBuf) -> Result<ItemFiles, EngineError> {
    let folder = env.run.folder.clone();
    let reader = Reader::open(folder.clone())?;
    let history = reader.step(env.name())?.map(|step| step.history()).transpose()?.unwrap_or_default();
    let done = history.batches.iter().flat_map(|batch| batch.keys.iter().zip(batch.indexes.iter()));
    // An item that the workflow no longer has has no index.
    let done = done.filter(|(_, index)| *index != u64::MAX).collect();
    let claims = env.ledger.item_files(&done)?;
    let claims = claims.into_iter().map(|(path, key, index)| (path, (key, index))).collect();
    let others = env.output_paths.files_of_others(&into, env.name());
    Ok(ItemFiles::new(scratch(&folder, env.name())?, into, claims).beside(others))
}

/// What to write, and where.
pub(super) struct Writable<'a> {
    pub(super) target: &'a Target,
    /// What was written already while results arrived.
    pub(super) streamed: Option<StreamedOutput>,
    /// The items.
    pub(super) source: &'a mut dyn Source,
}

/// Writes the results of a step that succeeded. If that fails, the step fails.
pub(super) fn write_output(
    env: &mut StepEnv<'_>,
    Writable { target, streamed, source }: Writable<'_>,
    report: &mut StepReport,
) -> Result<(), EngineError> {
    if !matches!(report.status, Status::Succeeded | Status::Partial) {
        return Ok(());
    }
    let stop = &env.run.cancel.stop;
    let (path, format) = (target.path.display().to_string(), target.format.as_str());
    let revision = env.ledger.revision()?;
    let only_new = env.step.step.outputs.file.as_ref().is_some_and(|file| file.only_new);
    let (hash, path) = (env.run.prepared.secret_hash(&path), env.run.prepared.secrets.masked(path));
    let note = |state: Option<String>| {
        // The results of this run belong to no other run.
        let of = if only_new { format!("{revision} of {}", env.run.folder.run) } else { revision.clone() };
        let mut note = serde_json::json!({
            "path": path, "format": format, "parts": target.parts, "of": of, "state": state
        });
        // The path has a secret in it, and another path may look the same.
        if let Some(hash) = &hash {
            note["hash"] = serde_json::json!(hash);
        }
        // Notes of earlier builds have neither.
        if target.compression != OutputCompression::None || target.options != OutputOptions::default() {
            note["written"] = serde_json::json!([target.compression, target.options]);
        }
        note.to_string()
    };
    let state = target.state();
    // What failed does not count as a change of the results.
    let has_failures = target.options.include.contains(&Include::Error);
    if state.is_some() && !has_failures && env.ledger.output()? == Some(note(state)) {
        return Ok(());
    }
    let with_columns = without_rows(env, (target, &*source), report);
    let target = with_columns.as_ref().unwrap_or(target);
    let mut results = StepResults::of(env);
    results.include(&target.options.include, source);
    let streamed = streamed.and_then(|streamed| streamed.commit(target, report.stats.total).transpose());
    let written = match streamed.or_else(|| results.as_tables(target)) {
        Some(written) => written,
        None => export::write(target, &mut results),
    };
    match written {
        Ok(mut written) => {
            if with_columns.is_some() {
                // Nobody asked for them.
                written.missing.clear();
            }
            let note = note(target.state());
            env.ledger.note_output(&note)?;
            tell(env, &written, &target.shown());
        }
        Err(_) if stop.is_fired() => report.status = Status::Interrupted,
        Err(error) => fail(env, &error, report),
    }
    Ok(())
}

fn fail(env: &StepEnv<'_>, error: &ExportError, report: &mut StepReport) {
    let mut failure = output_failure(error);
    mask_failure(&env.run.prepared.secrets, &mut failure);
    (report.status, report.failure) = (Status::Failed, Some(failure));
}

/// The target of a table without any rows, with the columns that the items tell.
fn without_rows(env: &StepEnv<'_>, (target, source): (&Target, &dyn Source), report: &StepReport) -> Option<Target> {
    if report.stats.total > 0 || target.format == OutputFormat::Jsonl || target.options.columns.is_some() {
        return None;
    }
    let columns = Some(columns_without_rows(&env.step.step, &target.options.include, source)?);
    Some(Target { options: OutputOptions { columns, ..target.options.clone() }, ..target.clone() })
}

/// Checks whether results fit the output file as they come, if that is not certain. The error is why those that are there
/// already do not.
pub(super) fn type_check(env: &StepEnv<'_>, target: &Target) -> Result<Option<TypeCheck>, ExportError> {
    let alone = target.options.include.is_empty();
    let Some(mut check) = TypeCheck::of(target).filter(|_| env.step.is_batch() && alone) else { return Ok(None) };
    let mut results = StepResults::of(env);
    // What cannot be read is reported when it is written.
    if results.rewind().is_ok() {
        check.take_all(&mut results)?;
    }
    Ok(Some(check))
}

/// Says what was written, and what was not.
fn tell(env: &mut StepEnv<'_>, written: &Written, to: &str) {
    for column in &written.missing {
        env.notice(format!("warning: no record has the column `{column}` of `outputs`, so it is empty"));
    }
    let records = if written.records == 1 { "record" } else { "records" };
    let nulls = match written.nulls {
        0 => String::new(),
        1 => ", 1 null result left out".to_owned(),
        count => format!(", {count} null results left out"),
    };
    if written.is_cut {
        env.notice("the reader of stdout has closed it, so not all records were written");
    } else {
        env.notice(format!("{} {records} written to {to}{nulls}", written.records));
    }
}

/// Where the directories of attempts are created: in the run's own folder, from which whole directories are deleted.
pub(super) fn scratch(folder: &RunFolder, step: &StepName) -> Result<PathBuf, LedgerError> {
    let path = folder.items(step);
    path.check_folder()?;
    Ok(path.to_path_buf())
}

/// Which results an output file holds.
#[derive(Clone, Copy)]
enum Which {
    /// All of the step.
    All,
    /// Those that this run produced.
    New,
}

/// The results of a step in the form that its output file needs.
struct StepResults<'a> {
    folder: RunFolder,
    step: &'a StepName,
    is_batch: bool,
    which: Which,
    stop: &'a Latch,
    lines: Option<ResultsReader>,
    /// The same with what `include` adds.
    included: Option<IncludedRows<'a>>,
}

impl<'a> StepResults<'a> {
    fn of(env: &StepEnv<'a>) -> Self {
        let only_new = env.step.step.outputs.file.as_ref().is_some_and(|file| file.only_new);
        Self {
            folder: env.run.folder.clone(),
            step: env.step.name(),
            is_batch: env.step.is_batch(),
            which: if only_new { Which::New } else { Which::All },
            stop: &env.run.cancel.stop,
            lines: None,
            included: None,
        }
    }

    /// Adds what `include` names.
    fn include(&mut self, include: &'a [Include], source: &'a mut dyn Source) {
        if !include.is_empty() {
            let only_new = matches!(self.which, Which::New);
            let from = IncludedFrom { folder: self.folder.clone(), step: self.step, include, only_new };
            self.included = Some(IncludedRows::new(from, source));
        }
    }

    fn open(&self) -> Result<Option<ResultsReader>, LedgerError> {
        let reader = Reader::open(self.folder.clone())?;
        let results = |step: StepReader<'_>| match self.which {
            Which::All => step.results(),
            Which::New => step.new_results(),
        };
        reader.step(self.step)?.map(results).transpose()
    }

    /// Writes results straight to Parquet if they are tables with the same columns; returns none otherwise.
    fn as_tables(&self, target: &Target) -> Option<Result<Written, ExportError>> {
        if target.format != OutputFormat::Parquet || self.included.is_some() {
            return None;
        }
        let mut lines = self.open().ok()?.filter(ResultsReader::are_tables)?;
        let mut schema = schema_of_ipc(&lines.next_table().ok()??).ok()?;
        while let Some(table) = lines.next_table().ok()? {
            // Tables with different columns are converted to records.
            let other = schema_of_ipc(&table).ok()?;
            if other != schema {
                schema = Arc::new(common_schema(&schema, &other)?);
            }
        }
        let mut lines = self.open().ok()??;
        let mut next = || -> io::Result<Option<Vec<io::Result<_>>>> {
            if self.stop.is_fired() {
                return Err(io::Error::other("the run was stopped"));
            }
            let Some(table) = lines.next_table().map_err(|error| io_error(&error))? else { return Ok(None) };
            let batches = read_ipc(&table).map_err(io::Error::other)?;
            let conformed = batches.map(|batch| conform(&batch?, &schema));
            Ok(Some(conformed.map(|batch| batch.map_err(io::Error::other)).collect()))
        };
        let mut frames = std::iter::from_fn(|| next().transpose())
            .flat_map(|batches| batches.unwrap_or_else(|error| vec![Err(error)]));
        Some(export::write_frames(target, &schema, &mut frames))
    }
}

impl Results for StepResults<'_> {
    fn rewind(&mut self) -> io::Result<()> {
        if let Some(included) = &mut self.included {
            return included.rewind();
        }
        self.lines = self.open().map_err(|error| io_error(&error))?;
        Ok(())
    }

    fn next_piece(&mut self, piece: &mut Vec<u8>) -> io::Result<bool> {
        piece.clear();
        if self.stop.is_fired() {
            return Err(io::Error::other("the run was stopped"));
        }
        if let Some(included) = &mut self.included {
            while piece.len() < PIECE && included.next_rows(piece)? {}
            return Ok(!piece.is_empty());
        }
        while piece.len() < PIECE
            && let Some(lines) = &mut self.lines
            && let Some(lines) = lines.next_block().map_err(|error| io_error(&error))?
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

/// The records in the value of a plain step: the elements of a list, or the value itself.
pub(super) fn records_of(line: &[u8], lines: &mut Vec<u8>) -> io::Result<()> {
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
