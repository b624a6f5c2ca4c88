//! The file of `on_bad_row: {save:}`: the rows that cannot be read, unchanged from their files.
//!
//! Made from the ledger whenever a step has ended, so it holds the bad rows of all executions, also after a kill.

use super::env::StepEnv;
use super::error::EngineError;
use super::read_error::io_error;
use super::recorder::output_failure;
use crate::export::{self, Results, Target};
use crate::ledger::{FailureCursor, FailureRecord, Reader, StepReader};
use crate::model::{Status, StepReport};
use crate::pipeline::mask_failure;
use crate::sources::Originals;
use crate::text::Secrets;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;

/// Pieces are passed on once they reach this many bytes.
const PIECE: usize = 1 << 20;

/// Writes the bad rows of a step. If that fails, the step fails.
pub(super) fn write_saved_rows(
    env: &mut StepEnv<'_>,
    (target, originals): (&Target, Option<Originals>),
    report: &mut StepReport,
) -> Result<(), EngineError> {
    let reader = Reader::open(env.run.folder.clone())?;
    let Some(step) = reader.step(env.name())? else { return Ok(()) };
    let secrets = &env.run.prepared.secrets;
    let mut rows = SavedRows { step: &step, originals, secrets, left: None, unread: BTreeMap::new() };
    let written = export::write(target, &mut rows);
    let unread = std::mem::take(&mut rows.unread);
    match written {
        Ok(written) if written.records > 0 => {
            let rows = if written.records == 1 { "bad row" } else { "bad rows" };
            env.notice(format!("{} {rows} written to {}", written.records, target.shown()));
        }
        Ok(_) => {}
        Err(error) => {
            let mut failure = output_failure(&error);
            mask_failure(&env.run.prepared.secrets, &mut failure);
            if report.failure.is_none() {
                report.failure = Some(failure);
            }
            if report.status != Status::Interrupted {
                report.status = Status::Failed;
            }
        }
    }
    if let Some((file, why)) = unread.first_key_value() {
        let more =
            if unread.len() > 1 { format!(", and those of {} more files", unread.len() - 1) } else { String::new() };
        let text = format!(
            "warning: bad rows of `{file}`{more} are saved as the task would have got them, because the file cannot be read \
             again: {why}"
        );
        env.notice(env.run.prepared.secrets.masked(text));
    }
    Ok(())
}

/// A bad row, as the ledger keeps it.
#[derive(Deserialize)]
struct Kept {
    file: Option<String>,
    line: Option<u64>,
    text: String,
}

/// A bad row, as the file has it.
#[derive(Serialize)]
struct SavedRow<'a> {
    file: Option<&'a str>,
    line: Option<u64>,
    reason: &'a str,
    text: String,
}

/// The bad rows of a step.
struct SavedRows<'a> {
    step: &'a StepReader<'a>,
    originals: Option<Originals>,
    secrets: &'a Secrets,
    /// Those that are still to come.
    left: Option<FailureCursor<'a>>,
    /// Files that cannot be read again, and why.
    unread: BTreeMap<String, String>,
}

impl SavedRows<'_> {
    fn push(&mut self, failure: &FailureRecord, piece: &mut Vec<u8>) -> io::Result<()> {
        // A row that was skipped before `save` was set is its text, or the beginning of it.
        let kept = serde_json::from_str(&failure.item).unwrap_or_else(|_| Kept {
            file: None,
            line: None,
            text: text_of(&failure.item),
        });
        let place = kept.file.as_ref().zip(kept.line).map(|(file, line)| format!("{file}:{line}: "));
        let reason = place.and_then(|place| failure.message.strip_prefix(&place)).unwrap_or(&failure.message);
        let text = self.original(&kept).unwrap_or(kept.text);
        serde_json::to_writer(&mut *piece, &SavedRow { file: kept.file.as_deref(), line: kept.line, reason, text })?;
        piece.push(b'\n');
        Ok(())
    }

    /// The row exactly as in its file, if tasks get it in another form.
    fn original(&mut self, kept: &Kept) -> Option<String> {
        let (file, line) = (kept.file.as_ref()?, kept.line?);
        if self.unread.contains_key(file) {
            return None;
        }
        match self.originals.as_mut()?.record(file, line) {
            Ok(text) => text.map(|text| self.secrets.masked(text)),
            Err(error) => {
                self.unread.insert(file.clone(), error.to_string());
                None
            }
        }
    }
}

/// A JSON text as text.
fn text_of(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}

impl Results for SavedRows<'_> {
    fn rewind(&mut self) -> io::Result<()> {
        self.left = Some(self.step.bad_rows_in_turn().map_err(|error| io_error(&error))?);
        Ok(())
    }

    fn next_piece(&mut self, piece: &mut Vec<u8>) -> io::Result<bool> {
        piece.clear();
        while piece.len() < PIECE
            && let Some(left) = &mut self.left
            && let Some(failure) = left.next_failure().map_err(|error| io_error(&error))?
        {
            self.push(&failure, piece)?;
        }
        Ok(!piece.is_empty())
    }
}
