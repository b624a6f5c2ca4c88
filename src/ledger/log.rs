//! A step's log: what its tasks printed. Written while it is printed, and read at any time.
//!
//! An entry is a line of JSON. Its text may end within a line, which a later entry of the same attempt and stream goes on with.

use super::columns::now;
use super::error::LedgerError;
use super::files::io_error;
use super::run_path::{RunPath, held};
use crate::model::{ItemAttempt, LogEntry};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};

/// A line of a step's log.
#[derive(Serialize, Deserialize)]
struct LogLine<'a> {
    /// Milliseconds since 1970, UTC. Runs of older versions have none.
    #[serde(default)]
    time: Option<i64>,
    index: Option<u64>,
    attempt: Option<u32>,
    execution: i64,
    stream: Cow<'a, str>,
    text: Cow<'a, str>,
}

/// The log of a step that is under way. The file is created when something is printed.
pub(super) enum StepLog {
    NotOpened(RunPath),
    Open(RunPath, File),
    /// It could not be written, and the error was reported.
    GivenUp,
}

impl StepLog {
    /// Appends what was printed. After an error, nothing more is written, so the error comes once.
    pub(super) fn append(&mut self, execution: i64, entry: &LogEntry) -> Result<(), LedgerError> {
        let (path, mut file) = match std::mem::replace(self, Self::GivenUp) {
            Self::GivenUp => return Ok(()),
            Self::NotOpened(path) => {
                let file = path.append()?;
                (path, file)
            }
            Self::Open(path, file) => (path, file),
        };
        let (index, attempt) = entry.item.map(|item| (item.index, item.attempt)).unzip();
        let (stream, text) = (entry.stream.as_str().into(), entry.text.as_str().into());
        let line = LogLine { time: Some(now()), index, attempt, execution, stream, text };
        let mut line = serde_json::to_vec(&line).unwrap_or_default();
        line.push(b'\n');
        file.write_all(&line).map_err(|source| io_error("write", &path, source))?;
        *self = Self::Open(path, file);
        Ok(())
    }
}

/// Something that a task printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Milliseconds since 1970, UTC.
    pub time: Option<i64>,
    /// The item that it was printed for, if any.
    pub item: Option<ItemAttempt>,
    /// The number of the execution in which it was printed.
    pub execution: i64,
    /// `stdout`, `stderr`, `worker`, or `warning` for what batchmill says of the item.
    pub stream: String,
    /// The text, as it came.
    pub text: String,
}

/// Reads the log of a step, which may still grow.
pub struct LogReader {
    path: RunPath,
    file: Option<BufReader<File>>,
    /// The beginning of an entry whose end is not there yet.
    line: Vec<u8>,
    /// How many bytes were read, and how many there are, as far as that was looked at.
    read: u64,
    length: u64,
}

impl LogReader {
    /// A reader that begins with the first entry. There need be no log yet.
    pub(super) fn new(path: RunPath) -> Self {
        Self { path, file: None, line: Vec::new(), read: 0, length: 0 }
    }

    /// The next entry; none if nothing more has been printed so far.
    ///
    /// # Errors
    /// If the log exists but cannot be read.
    pub fn next_record(&mut self) -> Result<Option<LogRecord>, LedgerError> {
        let failed = |source| io_error("read", &self.path, source);
        let file = match &mut self.file {
            Some(file) => file,
            None => match self.path.open()? {
                Some(file) => self.file.insert(BufReader::new(file)),
                None => return Ok(None),
            },
        };
        loop {
            if self.read == self.length {
                self.length = held(file.get_ref()).map_err(failed)?.max(self.read);
            }
            let read = file.take(self.length - self.read).read_until(b'\n', &mut self.line).map_err(failed)?;
            self.read += read as u64;
            if read == 0 {
                return Ok(None);
            }
            if !self.line.ends_with(b"\n") {
                continue;
            }
            let record = serde_json::from_slice::<LogLine<'_>>(&self.line).map(LogRecord::from);
            self.line.clear();
            // A line that a killed process has not finished is passed over.
            if let Ok(record) = record {
                return Ok(Some(record));
            }
        }
    }
}

impl From<LogLine<'_>> for LogRecord {
    fn from(line: LogLine<'_>) -> Self {
        let item = line.index.zip(line.attempt).map(|(index, attempt)| ItemAttempt { index, attempt });
        let (stream, text) = (line.stream.into_owned(), line.text.into_owned());
        Self { time: line.time, item, execution: line.execution, stream, text }
    }
}
