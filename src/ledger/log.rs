//! A step's log: what its tasks printed.

use super::error::LedgerError;
use super::files::{io_error, private_file};
use crate::model::LogEntry;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// A line of a step's log.
#[derive(Serialize, Deserialize)]
pub(super) struct LogLine<'a> {
    pub(super) index: Option<u64>,
    pub(super) attempt: Option<u32>,
    pub(super) execution: i64,
    stream: Cow<'a, str>,
    pub(super) text: Cow<'a, str>,
}

/// The log of a step that is under way. The file is created when something is printed.
pub(super) enum StepLog {
    NotOpened(PathBuf),
    Open(PathBuf, File),
    /// It could not be written, and the error was reported.
    GivenUp,
}

impl StepLog {
    /// Appends what was printed. After an error, nothing more is written, so the error comes once.
    pub(super) fn append(&mut self, execution: i64, entry: &LogEntry) -> Result<(), LedgerError> {
        let (path, mut file) = match std::mem::replace(self, Self::GivenUp) {
            Self::GivenUp => return Ok(()),
            Self::NotOpened(path) => {
                let file = private_file(&path)?;
                (path, file)
            }
            Self::Open(path, file) => (path, file),
        };
        let (index, attempt) = entry.item.map(|item| (item.index, item.attempt)).unzip();
        let (stream, text) = (entry.stream.as_str().into(), entry.text.as_str().into());
        let mut line = serde_json::to_vec(&LogLine { index, attempt, execution, stream, text }).unwrap_or_default();
        line.push(b'\n');
        file.write_all(&line).map_err(|source| io_error("write", &path, source))?;
        *self = Self::Open(path, file);
        Ok(())
    }
}
