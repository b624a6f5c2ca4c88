//! The conversation with the engine: `Hello`, `Start`, any number of `Run`s, and `Stop`.

use super::call::Caller;
use super::capture::Capture;
use super::encode::EncoderCache;
use super::memory::MemoryWatch;
use super::outbox::Outbox;
use super::page::Page;
use super::run::Runner;
use super::support::Support;
use super::task::{PrepareError, Task};
use super::timer::Timer;
use crate::model::Failure;
use crate::wire::{FrameReader, Hello, Role, Start, WireError, WorkerMessage};
use pyo3::prelude::*;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// The connection of a worker to its engine.
#[derive(Debug)]
pub(super) struct Link {
    /// For messages.
    pub(super) socket: UnixStream,
    /// For the current position.
    pub(super) page: Page,
}

/// Why a conversation ended early.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("batchmill's own Python code failed")]
    Python(#[from] PyErr),
}

/// Serves the engine until it says `Stop` or closes the socket. Returns the exit status.
pub(super) fn serve(py: Python<'_>, link: Link) -> u8 {
    match converse(py, link) {
        Ok(code) => code,
        Err(error) => {
            // For the log file. The engine finds out about the broken socket on its own.
            eprintln!("batchmill worker: {error}");
            if let ServeError::Python(error) = error {
                error.display(py);
            }
            1
        }
    }
}

fn converse(py: Python<'_>, link: Link) -> Result<u8, ServeError> {
    let capture = Capture::new();
    let support = Support::load(py, &capture)?;
    let mut input = Input { socket: link.socket.try_clone()?, reader: FrameReader::default() };
    let outbox = Outbox::start(link.socket, Arc::clone(&capture))?;
    outbox.finish(Some(&WorkerMessage::Hello(Hello::new(Role::Worker))))?;
    let Some(WorkerMessage::Start(start)) = input.next(py)? else {
        return Ok(0);
    };
    let task = match prepare(py, &support, &start) {
        Ok(task) => task,
        Err(failure) => {
            outbox.finish(Some(&WorkerMessage::Broken(failure)))?;
            return Ok(1);
        }
    };
    // Before the engine looks for the first time.
    let memory = MemoryWatch::begin(start.max_memory);
    outbox.finish(Some(&WorkerMessage::Ready))?;
    let timer = Timer::default();
    let mut runner = Runner {
        caller: Caller { task: &task, support: &support },
        outbox: &outbox,
        capture: &capture,
        page: link.page,
        timer: &timer,
        memory,
        line: Vec::new(),
        cache: EncoderCache::default(),
    };
    let ended = loop {
        match input.next(py) {
            Ok(Some(WorkerMessage::Run(run))) => {
                if let Err(error) = runner.run(py, &run) {
                    break Err(error.into());
                }
            }
            Ok(Some(WorkerMessage::Stop) | None) => break Ok(0),
            Ok(Some(_)) => break Err(WireError::Invalid("unexpected message").into()),
            Err(error) => break Err(error.into()),
        }
    };
    let torn_down = task.teardown(py);
    let code = u8::from(torn_down.is_err());
    if let Err(error) = torn_down {
        let failure = in_part(support.failure(py, error), "teardown");
        let detail = failure.detail.as_deref().unwrap_or_default().trim_end();
        // What the engine shows is the last line.
        let text = format!("{detail}\n{}: {}\n", failure.class, failure.message);
        py.import("sys")?.getattr("stderr")?.call_method1("write", (text,))?;
    }
    // This fails if the engine is gone already.
    let _ = outbox.finish(Some(&WorkerMessage::TornDown));
    ended.map(|done: u8| done.max(code))
}

fn prepare(py: Python<'_>, support: &Support, start: &Start) -> Result<Task, Failure> {
    Task::prepare(py, support, start).map_err(|PrepareError { error, retryable }| {
        let failure = support.failure(py, error);
        // Only `setup` may go well another time.
        if retryable { in_part(failure, "setup") } else { failure.permanent() }
    })
}

/// The failure of `setup` or `teardown`, with its line.
fn in_part(mut failure: Failure, part: &str) -> Failure {
    let end = format!(".{part}\", line ");
    let line = failure.detail.as_deref().and_then(|detail| {
        let digits: String = detail.rsplit_once(&end)?.1.chars().take_while(char::is_ascii_digit).collect();
        Some(format!(", line {digits}"))
    });
    failure.message = format!("{} (in `{part}`{})", failure.message, line.unwrap_or_default());
    failure
}

struct Input {
    socket: UnixStream,
    reader: FrameReader,
}

impl Input {
    /// The next message. Threads of user code keep running while the worker waits.
    fn next(&mut self, py: Python<'_>) -> Result<Option<WorkerMessage>, WireError> {
        py.detach(|| self.reader.read(&mut self.socket))
    }
}
