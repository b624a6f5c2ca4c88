//! What a client is told: results, failures, what was printed, notices.
//!
//! A thread of its own writes to the socket, so a client that is busy holds up nobody. What waits for it is bounded by the
//! items that the client has sent, and by [`MOST_PRINTED`].

use crate::model::{BatchReport, Event, Listener, LogEntry};
use crate::wire::{ClientMessage, LogText, Lost, Returned, WireError, write_frame};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle};

/// The most bytes of printed text that wait for a client. Whoever prints without end must not take all memory, and must not be
/// held up either: an item that waits for its client to read would run out of its time.
const MOST_PRINTED: usize = 16 << 20;

/// Where messages for a client go.
#[derive(Clone)]
pub(super) struct Outgoing {
    messages: Sender<ClientMessage>,
    printed: Arc<Printed>,
}

/// How many bytes of printed text wait, and how many were left out since that was last said.
#[derive(Default)]
struct Printed {
    waiting: AtomicUsize,
    left_out: AtomicUsize,
}

impl Outgoing {
    /// Writes to this socket, until the last clone is dropped or the client is gone.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub(super) fn start(socket: UnixStream) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (sender, messages) = unbounded();
        let printed = Arc::new(Printed::default());
        let writer = Writer { socket, printed: Arc::clone(&printed) };
        let writer = Builder::new().name("client-writer".to_owned()).spawn(move || writer.write_all(&messages))?;
        Ok((Self { messages: sender, printed }, writer))
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
        let waiting = self.printed.waiting.fetch_add(text.len(), Ordering::SeqCst);
        if waiting > 0 && waiting + text.len() > MOST_PRINTED {
            self.printed.waiting.fetch_sub(text.len(), Ordering::SeqCst);
            self.printed.left_out.fetch_add(text.len(), Ordering::SeqCst);
            return;
        }
        let index = item.map(|item| item.index);
        self.send(ClientMessage::Log(LogText { index, stream: stream.clone(), text: text.clone() }));
    }

    /// Sends something that the user should know.
    pub(super) fn notice(&self, text: String) {
        self.send(ClientMessage::Notice(text));
    }

    /// Sends a message. One that finds no client is dropped: its call is about to end.
    pub(super) fn send(&self, message: ClientMessage) {
        drop(self.messages.send(message));
    }
}

/// Writes messages to a client.
struct Writer {
    socket: UnixStream,
    printed: Arc<Printed>,
}

impl Writer {
    fn write_all(mut self, messages: &Receiver<ClientMessage>) {
        // The reader notices as well that the client is gone, and ends the call.
        while let Ok(message) = messages.recv()
            && self.write(&message).is_ok()
        {}
    }

    fn write(&mut self, message: &ClientMessage) -> Result<(), WireError> {
        write_frame(&mut self.socket, message)?;
        if let ClientMessage::Log(log) = message {
            self.printed.waiting.fetch_sub(log.text.len(), Ordering::SeqCst);
            let left_out = self.printed.left_out.swap(0, Ordering::SeqCst);
            if left_out > 0 {
                let text = format!(
                    "{left_out} bytes that the function has printed are left out here: results were taken too slowly to show them"
                );
                write_frame(&mut self.socket, &ClientMessage::Notice(text))?;
            }
        }
        Ok(())
    }
}

impl Listener for Outgoing {
    fn event(&mut self, event: &Event) {
        if let Event::Notice { text, .. } = event {
            self.notice(text.clone());
        }
    }
}
