//! What a client is told: results, failures, what was printed, notices.
//!
//! A thread of its own writes to the socket, so a client that is busy holds up nobody. What waits for it is bounded by the
//! items that the client has sent.

use crate::model::{BatchReport, Event, Listener, LogEntry};
use crate::wire::{ClientMessage, LogText, Lost, Returned, WireError, write_frame};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread::{Builder, JoinHandle};

/// Where messages for a client go.
#[derive(Clone)]
pub(super) struct Outgoing(Sender<ClientMessage>);

impl Outgoing {
    /// Writes to this socket, until the last clone is dropped or the client is gone.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub(super) fn start(socket: UnixStream) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (sender, messages) = unbounded();
        let writer = Builder::new().name("client-writer".to_owned()).spawn(move || write_all(socket, &messages))?;
        Ok((Self(sender), writer))
    }

    /// Sends the results and the failures of a batch.
    pub(super) fn deliver(&self, report: BatchReport) {
        if !report.succeeded.is_empty() {
            let took = u64::try_from(report.span.took.as_nanos()).unwrap_or(u64::MAX);
            let retried: usize = report.retries.iter().map(|(batch, ..)| batch.items.len()).sum();
            let of = report.succeeded.len() + report.failed.len() + retried;
            let of = u32::try_from(of).unwrap_or(u32::MAX);
            self.results(Returned { indexes: report.succeeded, took, of, segments: report.lines.0 });
        }
        if !report.failed.is_empty() {
            let lost = report.failed.into_iter();
            let lost =
                lost.map(|failed| Lost { index: failed.index, attempts: failed.attempts, failure: failed.failure });
            self.send(ClientMessage::Lost(lost.collect()));
        }
    }

    /// Sends results.
    pub(super) fn results(&self, results: Returned) {
        self.send(ClientMessage::Returned(results));
    }

    /// Sends what the function has printed.
    pub(super) fn print(&self, entry: &LogEntry) {
        let LogEntry { item, stream, text } = entry;
        let index = item.map(|item| item.index);
        self.send(ClientMessage::Log(LogText { index, stream: stream.clone(), text: text.clone() }));
    }

    /// Sends something that the user should know.
    pub(super) fn notice(&self, text: String) {
        self.send(ClientMessage::Notice(text));
    }

    /// Sends a message. One that finds no client is dropped: its call is about to end.
    pub(super) fn send(&self, message: ClientMessage) {
        drop(self.0.send(message));
    }
}

fn write_all(mut socket: impl Write, messages: &Receiver<ClientMessage>) {
    let mut write = |message: &ClientMessage| -> Result<(), WireError> { write_frame(&mut socket, message) };
    // The reader notices as well that the client is gone, and ends the call.
    while let Ok(message) = messages.recv()
        && write(&message).is_ok()
    {}
}

impl Listener for Outgoing {
    fn event(&mut self, event: &Event) {
        if let Event::Notice { text, .. } = event {
            self.notice(text.clone());
        }
    }
}
