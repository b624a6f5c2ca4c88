//! The outcome of an item: a result or a failure.

use super::source::Span;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The outcome of an item, a batched task or a step: a result as JSON text, or a failure.
pub type Outcome = Result<Vec<u8>, Failure>;

/// JSON Lines: one result per line, in the order of the items that succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines(pub Vec<u8>);

impl Lines {
    /// Appends one result, given as JSON text without raw newlines.
    pub fn push(&mut self, json: &[u8]) {
        self.0.extend_from_slice(json);
        self.0.push(b'\n');
    }

    /// The same with text that is no longer needed: the first line takes over its buffer.
    pub fn take(&mut self, json: Vec<u8>) {
        if self.0.is_empty() {
            self.0 = json;
            self.0.push(b'\n');
        } else {
            self.push(&json);
        }
    }

    /// The lines, without their newlines.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = 0;
        memchr::memchr_iter(b'\n', &self.0).map(move |at| {
            let line = &self.0[from..at];
            from = at + 1;
            line
        })
    }
}

/// A result as a message for a person: a string as it is, any other value as JSON.
pub fn message_of(json: &[u8]) -> String {
    let string = if json.starts_with(b"\"") { serde_json::from_slice(json).ok() } else { None };
    string.unwrap_or_else(|| String::from_utf8_lossy(json).into_owned())
}

/// How results are encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultForm {
    /// JSON, one line per result.
    #[default]
    Lines,
    /// A table as an Arrow IPC stream: each row is a result. Only for batched tasks.
    Arrow,
    /// Python objects, in the segments that a worker writes. Only for calls of a Python client.
    Pickle,
}

/// The kind of a failure, which decides whether a retry may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The user's code raised, or its result cannot be written as JSON.
    Exception,
    /// A command ended with a status other than 0, or by a signal.
    ExitStatus,
    /// A command, interpreter or file could not be started or read.
    Start,
    /// An HTTP response with a status of 400 or above.
    HttpStatus,
    /// No HTTP response, because of the address, the connection or the protocol.
    Connection,
    /// The item took longer than its `timeout`.
    Timeout,
    /// The worker process died while it was running the item.
    Crash,
    /// The process of a cluster that ran the item was lost, several times.
    NodeLost,
    /// The worker exceeded `max_memory` twice, the second time alone in a new process.
    Memory,
    /// The row, or its whole file, cannot be read. Never retried.
    BadRow,
    /// The step exceeded a limit: `max_failures`, or its `timeout`. Never a failure of an item.
    Limit,
    /// The results could not be written to `outputs`. Never a failure of an item.
    #[serde(alias = "sink")]
    Output,
    /// A template failed, or the task's settings are wrong for this item. Never retried.
    Template,
    /// The user cancelled the item while it was running. No failure, and never retried by itself.
    Cancelled,
    /// The user left the item out before it began. No failure, and never retried by itself.
    Skipped,
    /// No file, process or memory was free to start it, so it has not begun. Never a failure of an item: it waits.
    Shortage,
    /// The run was ended while the item was running, so the item counts as not run.
    Interrupted,
}

impl FailureKind {
    /// Whether the user has taken the item out of the step.
    pub fn is_by_hand(self) -> bool {
        matches!(self, Self::Cancelled | Self::Skipped)
    }
}

/// Why an item failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// The name to count and search by: the class of an exception, `ExitStatus`, `HttpStatus`, `Timeout`, `Crash`.
    #[serde(rename = "type")]
    pub class: String,
    /// One line: what happened.
    pub message: String,
    /// Details: a traceback, the end of stderr, the body of a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The exit status of a command, or the status of an HTTP response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// Whether a retry may help.
    #[serde(default = "yes")]
    pub retryable: bool,
    /// How long the last attempt took, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<Duration>,
    /// How long the server asked to wait before the next attempt.
    #[serde(default, skip)]
    pub retry_after: Option<Duration>,
    /// The exception itself, as hexadecimal digits of what `pickle` writes. Only for calls of a Python client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// What of the workflow file it is about, until the file is at hand to say where that is.
    #[serde(default, skip)]
    pub about: Option<Box<About>>,
}

/// A part of the workflow file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// A string of the file.
    pub span: Span,
    /// What in the string, if that is known.
    pub needle: Option<String>,
}

fn yes() -> bool {
    true
}

impl Failure {
    /// A failure of `kind` that may be retried, unless the kind forbids it.
    pub fn new(kind: FailureKind, class: impl Into<String>, message: impl Into<String>) -> Self {
        let retryable = !kind.is_by_hand()
            && !matches!(
                kind,
                FailureKind::Template | FailureKind::Interrupted | FailureKind::Limit | FailureKind::BadRow
            );
        Self {
            kind,
            class: class.into(),
            message: message.into(),
            detail: None,
            code: None,
            retryable,
            took: None,
            retry_after: None,
            exception: None,
            about: None,
        }
    }

    /// The same with details.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        self.detail = (!detail.trim().is_empty()).then_some(detail);
        self
    }

    /// The same with a status.
    pub fn with_code(mut self, code: Option<i32>) -> Self {
        self.code = code;
        self
    }

    /// The same, with how long the attempt took.
    pub fn after(mut self, took: Duration) -> Self {
        self.took = Some(took);
        self
    }

    /// The same, marked as permanent.
    pub fn permanent(mut self) -> Self {
        self.retryable = false;
        self
    }
}
