//! What became of an item.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What became of an item, a batched task or a step: a result as JSON text, or a failure.
pub type Outcome = Result<Vec<u8>, Failure>;

/// JSON Lines: each line one result, in the order of the items that succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines(pub Vec<u8>);

impl Lines {
    /// Appends one result, given as JSON text without raw newlines.
    pub fn push(&mut self, json: &[u8]) {
        self.0.extend_from_slice(json);
        self.0.push(b'\n');
    }

    /// The same with text that is not needed any more: the first line takes its buffer over.
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

/// How results are written down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultForm {
    /// JSON, a line for each.
    #[default]
    Lines,
    /// A table as an Arrow IPC stream, each row of it a result. Only of a batched task.
    Arrow,
}

/// What kind of trouble ended an item; decides whether another try may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The user's code raised, or its result cannot be written as JSON.
    Exception,
    /// A command ended with a status other than 0, or by a signal.
    ExitStatus,
    /// A command, interpreter or file could not be started or read.
    Start,
    /// An HTTP answer with a status of 400 or above.
    HttpStatus,
    /// No HTTP answer: address, connection or protocol trouble.
    Connection,
    /// The item took longer than its `timeout`.
    Timeout,
    /// The worker process died while it was on the item.
    Crash,
    /// The worker took more memory than `max_memory` allows, twice: the second time alone in a fresh process.
    Memory,
    /// The row, or its whole file, cannot be read. Never tried again.
    BadRow,
    /// A limit of the step was passed: `max_failures`, or its `timeout`. Never of an item.
    Limit,
    /// The results could not be written where `outputs` says. Never of an item.
    #[serde(alias = "sink")]
    Output,
    /// A template failed, or the task's settings are wrong for this item. Never tried again.
    Template,
    /// The run was cancelled while the item was under way.
    Cancelled,
}

/// Why an item failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of trouble.
    pub kind: FailureKind,
    /// The name to count and search by: an exception's class, `ExitStatus`, `HttpStatus`, `Timeout`, `Crash`.
    #[serde(rename = "type")]
    pub class: String,
    /// One line: what happened.
    pub message: String,
    /// More to read: a traceback, the end of stderr, the body of an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The exit status of a command, or the status of an HTTP answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// Whether another try may help.
    #[serde(default = "yes")]
    pub retryable: bool,
    /// How long the last attempt took, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<Duration>,
    /// How long the other side asked to be left alone.
    #[serde(default, skip)]
    pub retry_after: Option<Duration>,
}

fn yes() -> bool {
    true
}

impl Failure {
    /// A failure of `kind` that may be tried again, except where the kind itself forbids it.
    pub fn new(kind: FailureKind, class: impl Into<String>, message: impl Into<String>) -> Self {
        let retryable =
            !matches!(kind, FailureKind::Template | FailureKind::Cancelled | FailureKind::Limit | FailureKind::BadRow);
        Self {
            kind,
            class: class.into(),
            message: message.into(),
            detail: None,
            code: None,
            retryable,
            took: None,
            retry_after: None,
        }
    }

    /// The same with more to read.
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

    /// The same, marked as hopeless to try again.
    pub fn permanent(mut self) -> Self {
        self.retryable = false;
        self
    }
}
