//! Files that are derived from a step's results and stored next to them: a copy in item order, and the aggregate.
//!
//! Both belong to a revision of the step. A file of another revision is never used: the copy is made again, and the aggregate is
//! computed again by the caller.

use super::error::LedgerError;
use super::files::{io_error, remove_file, write_atomically};
use super::folder::RunFolder;
use super::step_reader::StepReader;
use crate::model::{ResultsFile, StepName};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fs;
use std::io::Write;

/// The file of an aggregate.
#[derive(Debug, Serialize, Deserialize)]
pub struct AggregateFile {
    /// The revision of the results that it was computed from.
    pub revision: String,
    /// A hash of how it was computed.
    #[serde(rename = "how")]
    pub fingerprint: String,
    /// The aggregate as JSON text.
    pub aggregate: Box<RawValue>,
}

impl StepReader<'_> {
    /// A file with the results in item order: the results file itself if it is in that order, otherwise a copy, which is made
    /// on the first call.
    ///
    /// # Errors
    /// If the ledger or the results cannot be read, or the copy cannot be written.
    pub fn sorted_results(&self) -> Result<ResultsFile, LedgerError> {
        let name = &self.record.name;
        let results = self.results()?;
        let count = results.size()?.count;
        let path = if results.is_whole_file() {
            self.folder.results(name)
        } else {
            let copy = self.folder.sorted(name, &self.revision()?);
            if !copy.exists() {
                remove_copies(self.folder, name)?;
                write_atomically(&copy, |out| results.copy_to(out))?;
            }
            copy
        };
        let path = std::path::absolute(&path).map_err(|source| io_error("resolve", &path, source))?;
        Ok(ResultsFile { path, count })
    }

    /// The aggregate of the step's results as JSON text, if it was computed from the results as they are now and, if a
    /// `fingerprint` is given, in that way.
    ///
    /// # Errors
    /// If the ledger or the file cannot be read.
    pub fn aggregate(&self, fingerprint: Option<&str>) -> Result<Option<Box<RawValue>>, LedgerError> {
        let path = self.folder.aggregate(&self.record.name);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error("read", &path, source)),
        };
        let Ok(file) = serde_json::from_str::<AggregateFile>(&text) else { return Ok(None) };
        let same_way = fingerprint.is_none_or(|fingerprint| fingerprint == file.fingerprint);
        Ok((same_way && file.revision == self.revision()?).then_some(file.aggregate))
    }
}

impl RunFolder {
    /// Writes the aggregate of a step.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_aggregate(&self, step: &StepName, file: &AggregateFile) -> Result<(), LedgerError> {
        let path = self.aggregate(step);
        let json = serde_json::to_vec(file).map_err(|error| io_error("write", &path, error.into()))?;
        write_atomically(&path, |out| Ok(out.write_all(&json)))
    }

    /// Deletes the aggregate of a step that no longer has one.
    ///
    /// # Errors
    /// If it cannot be deleted.
    pub fn remove_aggregate(&self, step: &StepName) -> Result<(), LedgerError> {
        remove_file(&self.aggregate(step))
    }
}

/// Deletes the sorted copies of other revisions.
fn remove_copies(folder: &RunFolder, step: &StepName) -> Result<(), LedgerError> {
    let results = folder.path.join("results");
    let entries = fs::read_dir(&results).map_err(|source| io_error("read", &results, source))?;
    let prefix = format!("{step}~");
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        // A copy that is being written has another extension.
        if name.to_string_lossy().strip_prefix(&prefix).is_some_and(|rest| rest.ends_with(".jsonl")) {
            remove_file(&entry.path())?;
        }
    }
    Ok(())
}
