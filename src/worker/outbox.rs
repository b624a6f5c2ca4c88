//! Buffers the results and printed text of finished items until they are sent.
//!
//! The main thread appends. A second thread, which never touches Python, sends what is waiting at least every [`TICK`], so a
//! slow item does not hold back the finished ones before it. That thread sleeps while no `Run` is active. If the engine is gone
//! during a `Run`, it kills the process, because nobody is left to take the results.

use super::capture::{Capture, Drain};
use super::timer::Timer;
use crate::model::{Failure, ResultForm};
use crate::wire::{Results, Segments, WireError, WorkerMessage, write_frame};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, getpid, kill_process};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a result may wait until it is sent.
const TICK: Duration = Duration::from_millis(10);

/// How often to look whether the engine is there while no `Run` is active. User code may be stuck in `setup` or `teardown`.
const LOOK: Duration = Duration::from_secs(1);

/// How long the guard may take to end a worker whose engine is gone, before the worker ends itself.
const GUARDS_TIME: Duration = Duration::from_secs(5);

/// How many bytes may wait until they are sent.
const FULL: usize = 1 << 20;

/// Results with so many bytes are not copied before they are sent.
const LONG: usize = 64 << 10;

/// The results and logs that were not sent yet.
#[derive(Debug)]
pub(super) struct Outbox {
    pending: Mutex<Pending>,
    wake: Condvar,
    capture: Arc<Capture>,
}

#[derive(Debug)]
struct Pending {
    socket: UnixStream,
    /// Complete messages, in order.
    frames: Vec<u8>,
    /// The message that results are appended to.
    open: Results,
    /// Its results, if they are Python objects.
    segments: Segments,
    running: bool,
    parked: bool,
}

/// The outcome of a position.
pub(super) struct Finished<'a> {
    pub(super) position: u32,
    pub(super) outcome: Result<Encoded<'a>, Failure>,
    /// The number of NaN and infinite values that were written as null.
    pub(super) nulls: u32,
    /// Has the times of the groups that have ended.
    pub(super) timer: &'a Timer,
}

/// A result.
pub(super) enum Encoded<'a> {
    /// JSON, without a newline.
    Line(&'a [u8]),
    /// Opcodes that may be part of any pickle.
    Opcodes(&'a [u8]),
    /// A pickle of its own.
    Pickle(&'a [u8]),
}

impl Outbox {
    /// Creates an outbox for `socket`, and starts its thread.
    pub(super) fn start(socket: UnixStream, capture: Arc<Capture>) -> std::io::Result<Arc<Self>> {
        let outbox = Arc::new(Self {
            pending: Mutex::new(Pending {
                socket,
                frames: Vec::new(),
                open: Results::default(),
                segments: Segments::default(),
                running: false,
                parked: false,
            }),
            wake: Condvar::new(),
            capture,
        });
        let flusher = Arc::clone(&outbox);
        std::thread::Builder::new().name("batchmill-flush".to_owned()).spawn(move || flusher.flush_now_and_then())?;
        Ok(outbox)
    }

    /// A `Run` starts: from now on results may be waiting.
    pub(super) fn begin(&self) {
        let mut pending = self.lock();
        pending.running = true;
        if pending.parked {
            self.wake.notify_one();
        }
    }

    /// Appends the outcome of a position.
    pub(super) fn push(&self, finished: Finished<'_>) -> Result<(), WireError> {
        let Finished { position, outcome, nulls, timer } = finished;
        let mut pending = self.lock();
        self.collect(&mut pending, Drain::EndOfItem)?;
        let open = &mut pending.open;
        if open.count == 0 {
            open.first = position;
        }
        open.count += 1;
        open.nulls += nulls;
        timer.take_times(&mut open.times);
        match outcome {
            Ok(Encoded::Line(line)) => {
                open.lines.extend_from_slice(line);
                open.lines.push(b'\n');
            }
            Ok(Encoded::Opcodes(opcodes)) => pending.segments.push_opcodes(opcodes),
            Ok(Encoded::Pickle(pickle)) => pending.segments.push_pickle(pickle),
            Err(failure) => open.failures.push((position, failure)),
        }
        if pending.open.lines.len() + pending.segments.len() > FULL {
            pending.send()?;
        }
        Ok(())
    }

    /// Appends a whole message, as for each batch of a batched task.
    pub(super) fn push_message(&self, message: &WorkerMessage) -> Result<(), WireError> {
        let mut pending = self.lock();
        self.collect(&mut pending, Drain::EndOfItem)?;
        pending.close()?;
        write_frame(&mut pending.frames, message)?;
        if pending.frames.len() > FULL {
            pending.send()?;
        }
        Ok(())
    }

    /// Sends everything, and then `last`. No `Run` is active afterwards.
    pub(super) fn finish(&self, last: Option<&WorkerMessage>) -> Result<(), WireError> {
        let mut pending = self.lock();
        pending.running = false;
        self.collect(&mut pending, Drain::EndOfItem)?;
        pending.close()?;
        if let Some(last) = last {
            write_frame(&mut pending.frames, last)?;
        }
        pending.send()
    }

    fn flush_now_and_then(&self) {
        let mut pending = self.lock();
        loop {
            if !pending.running {
                pending.parked = true;
                let (guard, _) = self.wake.wait_timeout(pending, LOOK).unwrap_or_else(PoisonError::into_inner);
                pending = guard;
                pending.parked = false;
                if pending.is_hung_up() {
                    end_without_engine();
                }
                continue;
            }
            let (guard, _) = self.wake.wait_timeout(pending, TICK).unwrap_or_else(PoisonError::into_inner);
            pending = guard;
            if pending.running {
                let sent = self.collect(&mut pending, Drain::WithinItem).and_then(|()| pending.send());
                if sent.is_err() || pending.is_hung_up() {
                    end_without_engine();
                }
            }
        }
    }

    /// Turns printed text into messages. They come before the result of their item, which is appended later.
    fn collect(&self, pending: &mut Pending, when: Drain) -> Result<(), WireError> {
        if !self.capture.is_dirty() {
            return Ok(());
        }
        let mut written = Ok(());
        self.capture.drain(when, |log| {
            if written.is_ok() {
                written = write_frame(&mut pending.frames, &WorkerMessage::Log(log));
            }
        });
        written
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The guard ends this process together with its children, which it finds as long as this one is there. Without a guard, it
/// ends without teardown: this thread cannot run it, and the main thread may be stuck in an item.
fn end_without_engine() {
    std::thread::sleep(GUARDS_TIME);
    let _ = kill_process(getpid(), Signal::KILL);
}

impl Pending {
    /// Completes the message that results are appended to. A long one is sent at once, after those before it: to put it among them would
    /// copy it.
    fn close(&mut self) -> Result<(), WireError> {
        if self.open.count > 0 {
            if !self.segments.is_empty() {
                (self.open.lines, self.open.form) = (self.segments.take(), ResultForm::Pickle);
            }
            let results = std::mem::take(&mut self.open);
            let is_long = results.lines.len() >= LONG;
            let results = WorkerMessage::Results(results);
            if is_long {
                self.send_frames()?;
                write_frame(&mut self.socket, &results)?;
            } else {
                write_frame(&mut self.frames, &results)?;
            }
            // The next message will be about as long, so it reuses the buffer.
            if let WorkerMessage::Results(Results { mut lines, .. }) = results {
                lines.clear();
                self.open.lines = lines;
            }
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), WireError> {
        self.close()?;
        self.send_frames()
    }

    fn send_frames(&mut self) -> Result<(), WireError> {
        if !self.frames.is_empty() {
            self.socket.write_all(&self.frames)?;
            self.frames.clear();
            self.frames.shrink_to(2 * FULL);
        }
        Ok(())
    }

    fn is_hung_up(&self) -> bool {
        let mut watched = [PollFd::new(&self.socket, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut watched, Some(&now)).is_ok() && watched[0].revents().contains(PollFlags::HUP)
    }
}
