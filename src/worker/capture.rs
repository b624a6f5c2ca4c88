//! Captures what user code prints, until it is sent in `Log` messages.
//!
//! Text belongs to the position that was running when it was printed. Each item may print [`LIMIT`] bytes; the rest is counted
//! and dropped. Lock order: take the lock of the outbox before this one, never after.

use crate::text::CUT;
use crate::wire::Log;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many bytes to keep of an item's output, both streams together.
const LIMIT: usize = 1 << 20;
/// The position if no item is running.
const NOWHERE: u32 = u32::MAX;
const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// Printed text on its way from the Python streams to the outbox.
#[derive(Debug)]
pub(super) struct Capture {
    printed: Mutex<Printed>,
    dirty: AtomicBool,
    forked: AtomicBool,
    touched: AtomicBool,
    position: AtomicU32,
}

/// When printed text is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drain {
    /// While the item is running.
    WithinItem,
    /// At the end of the item.
    EndOfItem,
}

#[derive(Debug, Default)]
struct Printed {
    position: Option<u32>,
    text: [Vec<u8>; 2],
    /// How many bytes of the current item were kept so far, sent or not.
    kept: usize,
    dropped: usize,
}

impl Capture {
    /// A capture with no item running.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            printed: Mutex::default(),
            dirty: AtomicBool::new(false),
            forked: AtomicBool::new(false),
            touched: AtomicBool::new(false),
            position: AtomicU32::new(NOWHERE),
        })
    }

    /// From now on, printed text belongs to `position`.
    pub(super) fn enter(&self, position: u32) {
        self.position.store(position, Ordering::Relaxed);
    }

    /// From now on, printed text belongs to no item.
    pub(super) fn leave(&self) {
        self.position.store(NOWHERE, Ordering::Relaxed);
    }

    /// Whether there is text to [`drain`](Self::drain).
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Relaxed)
    }

    /// Whether this process is a forked child that has returned from user code.
    pub(super) fn is_forked(&self) -> bool {
        self.forked.load(Ordering::Relaxed)
    }

    /// Whether user code has changed what items share, or can do so unseen.
    pub(super) fn is_touched(&self) -> bool {
        self.touched.load(Ordering::Relaxed)
    }

    /// What items share is as it was; `again` if it can be changed unseen.
    pub(super) fn restored(&self, again: bool) {
        self.touched.store(again, Ordering::Relaxed);
    }

    /// Takes the printed text. At the end of an item, that includes incomplete characters, and the count starts over.
    pub(super) fn drain(&self, when: Drain, mut send: impl FnMut(Log)) {
        let mut printed = self.lock();
        let position = printed.position;
        for (stream, name) in STREAMS.iter().enumerate() {
            let text = &mut printed.text[stream];
            let whole = if when == Drain::EndOfItem { text.len() } else { whole_characters(text) };
            if whole > 0 {
                send(Log {
                    position,
                    stream: (*name).to_owned(),
                    text: String::from_utf8_lossy(&text[..whole]).into_owned(),
                });
                text.drain(..whole);
            }
        }
        if when == Drain::EndOfItem {
            if printed.dropped > 0 {
                send(Log {
                    position,
                    stream: STREAMS[1].to_owned(),
                    text: format!("[batchmill: dropped {} more bytes of output]\n", printed.dropped),
                });
            }
            *printed = Printed::default();
            self.dirty.store(false, Ordering::Relaxed);
        }
    }

    fn write(&self, stream: usize, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let mut printed = self.lock();
        if printed.kept == 0 {
            let position = self.position.load(Ordering::Relaxed);
            printed.position = (position != NOWHERE).then_some(position);
        }
        let room = (LIMIT - printed.kept).min(data.len());
        printed.text[stream].extend_from_slice(&data[..room]);
        if room < data.len() && printed.dropped == 0 && !printed.text[stream].is_empty() {
            printed.text[stream].extend_from_slice(CUT.as_bytes());
        }
        printed.kept += room;
        printed.dropped += data.len() - room;
        self.dirty.store(true, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Printed> {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The length of `text` without an incomplete character at its end.
fn whole_characters(text: &[u8]) -> usize {
    match std::str::from_utf8(text) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => text.len(),
    }
}

/// The object that the Python streams write to.
#[pyclass(module = "batchmill", name = "Capture", frozen)]
#[derive(Debug)]
pub(super) struct CaptureHandle(pub(super) Arc<Capture>);

#[pymethods]
impl CaptureHandle {
    fn write(&self, stream: usize, data: &[u8]) {
        self.0.write(stream.min(1), data);
    }
    /// User code has changed what items share, or can do so unseen.
    fn mark_touched(&self) {
        self.0.touched.store(true, Ordering::Relaxed);
    }

    fn mark_forked(&self) {
        self.0.forked.store(true, Ordering::Relaxed);
        self.0.dirty.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(capture: &Capture, when: Drain) -> Vec<Log> {
        let mut logs = Vec::new();
        capture.drain(when, |log| logs.push(log));
        logs
    }

    #[test]
    fn a_character_in_two_writes_is_sent_whole() {
        let capture = Capture::new();
        capture.enter(3);
        capture.write(0, &"né".as_bytes()[..2]);
        assert_eq!(drained(&capture, Drain::WithinItem)[0].text, "n");
        capture.write(0, &"né".as_bytes()[2..]);
        let logs = drained(&capture, Drain::EndOfItem);
        assert_eq!((logs[0].text.as_str(), logs[0].position), ("é", Some(3)));
        assert!(!capture.is_dirty());
    }

    #[test]
    fn output_beyond_the_limit_is_counted_and_dropped() {
        let capture = Capture::new();
        capture.write(0, &vec![b'x'; LIMIT]);
        capture.write(1, b"abc");
        let logs = drained(&capture, Drain::EndOfItem);
        assert_eq!(logs.len(), 2);
        assert!(logs[1].text.contains("3 more bytes"));
    }
}
