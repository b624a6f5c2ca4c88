//! Files that are derived from a step's results and stored next to them: a copy in item order, and the aggregate.
//!
//! Both belong to a revision of the step. A file of another revision is never used: the copy is made again, and the
//! caller computes the aggregate again.

use super::error::LedgerError;
use super::files::{io_error, remove_file, write_atomically};
use super::folder::RunFolder;
use super::sorted_copy;
use super::step_reader::StepReader;
use crate::model::{ResultsFile, StepName};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::io::Write;
use xxhash_rust::xxh3::xxh3_64;

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
    /// What was written of it to a file that the user named, and the state of that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
}

/// The file of an aggregate: a line of JSON, and a line with its checksum, which files of older versions lack.
struct StoredAggregate<'a> {
    file: AggregateFile,
    checksum: Option<&'a str>,
}

impl<'a> StoredAggregate<'a> {
    fn read(text: &'a str) -> serde_json::Result<Self> {
        let (json, checksum) = text.split_once('\n').unwrap_or((text, ""));
        let checksum = Some(checksum.trim_end()).filter(|checksum| !checksum.is_empty());
        Ok(Self { file: serde_json::from_str(json)?, checksum })
    }
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
            results.check()?;
            self.folder.results(name)
        } else {
            let revision = self.revision()?;
            match sorted_copy::find(self.folder, name, &revision) {
                Some(copy) => copy,
                None => sorted_copy::write(self.folder, name, &revision, results)?,
            }
        };
        let path = std::path::absolute(&*path).map_err(|source| io_error("resolve", &path, source))?;
        Ok(ResultsFile { path, count })
    }

    /// The aggregate of the step's results as JSON text, if it was computed from the results as they are now and, if a
    /// `fingerprint` is given, in that way.
    ///
    /// # Errors
    /// If the ledger or the file cannot be read.
    pub fn aggregate(&self, fingerprint: Option<&str>) -> Result<Option<Box<RawValue>>, LedgerError> {
        Ok(self.aggregate_file(fingerprint)?.map(|file| file.aggregate))
    }

    /// The same, with what else is known of it.
    ///
    /// # Errors
    /// If the ledger or the file cannot be read.
    pub fn aggregate_file(&self, fingerprint: Option<&str>) -> Result<Option<AggregateFile>, LedgerError> {
        let path = self.folder.aggregate(&self.record.name);
        let Some(text) = path.read_text()? else { return Ok(None) };
        let Ok(StoredAggregate { file, checksum: stored }) = StoredAggregate::read(&text) else { return Ok(None) };
        if stored.is_some_and(|stored| stored != checksum(&file)) {
            return Ok(None);
        }
        let same_way = fingerprint.is_none_or(|fingerprint| fingerprint == file.fingerprint);
        Ok((same_way && file.revision == self.revision()?).then_some(file))
    }
}

impl RunFolder {
    /// Writes the aggregate of a step.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_aggregate(&self, step: &StepName, file: &AggregateFile) -> Result<(), LedgerError> {
        let path = self.aggregate(step);
        let json = serde_json::to_string(file).map_err(|error| io_error("write", &path, error.into()))?;
        let json = format!("{json}\n{}\n", checksum(file));
        write_atomically(&path, |out| Ok(out.write_all(json.as_bytes())))
    }

    /// Deletes the aggregate of a step that no longer has one.
    ///
    /// # Errors
    /// If it cannot be deleted.
    pub fn remove_aggregate(&self, step: &StepName) -> Result<(), LedgerError> {
        remove_file(&self.aggregate(step))
    }
}

/// The checksum of an aggregate: of its text, and of what it belongs to.
fn checksum(file: &AggregateFile) -> String {
    let texts = [file.revision.as_str(), &file.fingerprint, file.aggregate.get()];
    format!("{:016x}", xxh3_64(texts.join("\0").as_bytes()))
}
