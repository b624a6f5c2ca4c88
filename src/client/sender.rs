//! What a client is told: results, failures, what was printed, notices.
//!
//! A thread of its own writes to the socket, so a client that is busy holds up nobody. What waits for it is bounded by the
//! items that the client has sent.

use crate::model::{BatchReport, Event, Listener, LogEntry};
use crate::pipeline::Recorder;
use crate::wire::{ClientMessage, LogText, Lost, Returned, WireError, write_frame};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::convert::Infallible;
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

impl Recorder for Outgoing {
    type Error = Infallible;

    fn record(&mut self, _reports: &[BatchReport]) -> Result<(), Infallible> {
        Ok(())
    }

    fn take(&mut self, report: BatchReport) -> Option<crate::model::Failure> {
        if !report.succeeded.is_empty() {
            let took = u64::try_from(report.span.took.as_nanos()).unwrap_or(u64::MAX);
            let retried: usize = report.retries.iter().map(|(batch, ..)| batch.items.len()).sum();
            let of = report.succeeded.len() + report.failed.len() + retried;
            let of = u32::try_from(of).unwrap_or(u32::MAX);
            self.send(ClientMessage::Returned(Returned {
                indexes: report.succeeded,
                took,
                of,
                segments: report.lines.0,
            }));
        }
        if !report.failed.is_empty() {
            let lost = report.failed.into_iter();
            let lost =
                lost.map(|failed| Lost { index: failed.index, attempts: failed.attempts, failure: failed.failure });
            self.send(ClientMessage::Lost(lost.collect()));
        }
        None
    }

    fn log(&mut self, entry: &LogEntry) -> Result<(), String> {
        let LogEntry { item, stream, text } = entry;
        let index = item.map(|item| item.index);
        self.send(ClientMessage::Log(LogText { index, stream: stream.clone(), text: text.clone() }));
        Ok(())
    }
}

impl Listener for Outgoing {
    fn event(&mut self, event: &Event) {
        if let Event::Notice { text, .. } = event {
            self.send(ClientMessage::Notice(text.clone()));
        }
    }
}
