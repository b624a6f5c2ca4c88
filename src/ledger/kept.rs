//! What is made of a step's results and kept beside them: a copy in item order, and the aggregate.
//!
//! Both belong to a revision of the step. What belongs to another one is never given out; the copy is remade, the aggregate
//! is computed again by whoever knows how.

use super::error::LedgerError;
use super::folder::{RunFolder, io_error, write_whole};
use super::reader::{Reader, StepRecord};
use crate::model::{ResultsFile, StepName};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fs;
use std::io::Write;
use std::path::Path;

/// The file of an aggregate.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The revision of the results that it is an aggregate of.
    revision: String,
    /// What tells the way in which it was computed from another one.
    how: String,
    aggregate: Box<RawValue>,
}

impl Reader {
    /// A file with the results of a step in item order: its results file where they stand there in that order, else a copy,
    /// which is made when it is first asked for.
    ///
    /// # Errors
    /// Where ledger or results cannot be read, or the copy cannot be written.
    pub fn in_order(&self, step: &StepRecord) -> Result<ResultsFile, LedgerError> {
        let lines = self.results(step)?;
        let count = lines.size()?.count;
        let original = self.folder().results(&step.name);
        let path = if lines.are_the_file() {
            original
        } else {
            let copy = self.folder().sorted(&step.name, &self.revision(&step.name)?);
            if !copy.exists() {
                forget_copies(self.folder(), &step.name)?;
                write_whole(&copy, |out| lines.copy_to(out))?;
            }
            copy
        };
        let path = std::path::absolute(&path).map_err(|source| io_error("find", &path, source))?;
        Ok(ResultsFile { path, count })
    }

    /// The aggregate of a step as JSON text, if it is one of the step's results as they are now; `how`, where it is given,
    /// has to be the same too.
    ///
    /// # Errors
    /// Where ledger or file cannot be read.
    pub fn aggregate(&self, step: &StepName, how: Option<&str>) -> Result<Option<Box<RawValue>>, LedgerError> {
        let path = self.folder().aggregate(step);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error("read", &path, source)),
        };
        let Ok(kept) = serde_json::from_str::<Kept>(&text) else { return Ok(None) };
        let holds = kept.revision == self.revision(step)? && how.is_none_or(|how| how == kept.how);
        Ok(holds.then_some(kept.aggregate))
    }
}

impl RunFolder {
    /// Keeps the aggregate of a step's results at a revision; `how` tells how it was computed.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn keep_aggregate(
        &self,
        step: &StepName,
        (revision, how): (String, String),
        aggregate: Box<RawValue>,
    ) -> Result<(), LedgerError> {
        let path = self.aggregate(step);
        let json = serde_json::to_vec(&Kept { revision, how, aggregate });
        let json = json.map_err(|error| io_error("write", &path, error.into()))?;
        write_whole(&path, |out| Ok(out.write_all(&json)))
    }

    /// Forgets the aggregate of a step, which has none any more.
    ///
    /// # Errors
    /// Where it cannot be deleted.
    pub fn forget_aggregate(&self, step: &StepName) -> Result<(), LedgerError> {
        remove(&self.aggregate(step))
    }
}

/// Deletes the copies of a step that were made of other revisions.
fn forget_copies(folder: &RunFolder, step: &StepName) -> Result<(), LedgerError> {
    let results = folder.path.join("results");
    let entries = fs::read_dir(&results).map_err(|source| io_error("read", &results, source))?;
    let prefix = format!("{step}~");
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        // One that is being written has another ending.
        if name.to_string_lossy().strip_prefix(&prefix).is_some_and(|rest| rest.ends_with(".jsonl")) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), LedgerError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(io_error("delete", path, source)),
        _ => Ok(()),
    }
}
