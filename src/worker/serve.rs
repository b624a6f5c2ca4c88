//! The conversation with the engine: `Hello`, `Start`, any number of `Run`s, and `Stop`.

use super::call::Caller;
use super::capture::Capture;
use super::encode::EncoderCache;
use super::memory::MemoryWatch;
use super::outbox::Outbox;
use super::page::Page;
use super::run::Runner;
use super::sampler::Sampler;
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
    let surroundings = Surroundings { support: &support, outbox: &outbox, capture: &capture, page: link.page };
    while let Some(WorkerMessage::Start(start)) = input.next(py)? {
        let task = match prepare(py, &support, &start) {
            Ok(task) => task,
            Err(failure) => {
                outbox.finish(Some(&WorkerMessage::Broken(failure)))?;
                return Ok(1);
            }
        };
        let ended = surroundings.run(py, &task, (&start, &mut input));
        let code = tear_down(py, &support, &task)?;
        // This fails if the engine is gone already.
        let told = outbox.finish(Some(&WorkerMessage::TornDown));
        if ended? == Ended::Over || told.is_err() {
            return Ok(code);
        }
    }
    Ok(0)
}

/// What comes after a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The next one, if there is one.
    Resting,
    /// The end of the process.
    Over,
}

/// What all programs of a worker share.
struct Surroundings<'a> {
    support: &'a Support,
    outbox: &'a Outbox,
    capture: &'a Capture,
    page: Page,
}

impl Surroundings<'_> {
    /// Runs what the engine sends, until it wants nothing more of this program.
    fn run(&self, py: Python<'_>, task: &Task, (start, input): (&Start, &mut Input)) -> Result<Ended, ServeError> {
        // Before the engine looks for the first time.
        let memory = MemoryWatch::begin(start.max_memory);
        self.outbox.finish(Some(&WorkerMessage::Ready))?;
        let timer = Timer::default();
        let sampler = start.samples.as_deref().map(|folder| Sampler::begin(py, folder)).transpose()?;
        let mut runner = Runner {
            caller: Caller { task, support: self.support },
            outbox: self.outbox,
            capture: self.capture,
            page: self.page,
            timer: &timer,
            memory,
            line: Vec::new(),
            cache: EncoderCache::default(),
        };
        let ended = loop {
            match input.next(py)? {
                Some(WorkerMessage::Run(run)) => runner.run(py, &run)?,
                Some(WorkerMessage::Rest) => break Ended::Resting,
                Some(WorkerMessage::Stop) | None => break Ended::Over,
                Some(_) => return Err(WireError::Invalid("unexpected message").into()),
            }
            if let Some(sampler) = &sampler {
                sampler.look(py);
            }
        };
        if let Some(sampler) = sampler {
            sampler.end(py);
        }
        Ok(ended)
    }
}

/// Runs `teardown`. Returns the exit status for it.
fn tear_down(py: Python<'_>, support: &Support, task: &Task) -> Result<u8, ServeError> {
    let Err(error) = task.teardown(py) else { return Ok(0) };
    let failure = in_part(support.failure(py, error), "teardown");
    let detail = failure.detail.as_deref().unwrap_or_default().trim_end();
    // What the engine shows is the last line.
    let text = format!("{detail}\n{}: {}\n", failure.class, failure.message);
    py.import("sys")?.getattr("stderr")?.call_method1("write", (text,))?;
    Ok(1)
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
