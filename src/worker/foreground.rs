//! Runs one item in the foreground: without a socket or captured streams, and with a debugger if the user asks for it.
//!
//! The job is in a file, which is deleted once it was read, because parameters and items may be secret. The user's code has the
//! terminal to itself.

use super::call::{Caller, WorkUnit};
use super::encode::{EncodeError, Encoder, EncoderCache};
use super::support::Support;
use super::task::Task;
use super::timer::Timer;
use crate::model::Items;
use crate::text::{MaybeSecret, Secrets};
use crate::wire::{ForegroundJob, Run};
use pyo3::prelude::*;
use std::io::Write;

/// Runs the job in a file. Returns the exit status: 0 if the item succeeded, 1 if it failed, 2 if the file cannot be read.
pub fn foreground(py: Python<'_>, path: &str) -> u8 {
    let text = std::fs::read(path);
    drop(std::fs::remove_file(path));
    let job = text.map_err(|error| error.to_string());
    let job: Result<ForegroundJob, String> =
        job.and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string()));
    match job {
        Ok(job) => run(py, &job).unwrap_or_else(|error| {
            error.print(py);
            1
        }),
        Err(error) => {
            eprintln!("error: internal command, used by `batchmill repro`: {error}");
            2
        }
    }
}

fn run(py: Python<'_>, job: &ForegroundJob) -> PyResult<u8> {
    let support = Support::load_without_streams(py)?;
    support.come_forward(py)?;
    let task = match Task::prepare(py, &support, &job.start) {
        Ok(task) => task,
        Err(error) => return fail(py, &support, job, error.error),
    };
    let (mut items, mut inputs) = (Items::default(), Items::default());
    items.push(&job.item);
    inputs.push(job.inputs.get().as_bytes());
    let run = Run { halt_on_failure: false, batches: vec![job.batch.clone()], items, inputs };
    let caller = Caller { task: &task, support: &support };
    let view = caller.view(py, &job.batch, 0);
    let unit = WorkUnit {
        run: &run,
        position: 0,
        index: job.batch.indexes.get(0),
        items: 0..1,
        batch: &job.batch,
        first: 0,
        view: &view,
        text: None,
        timer: &Timer::default(),
    };
    let written = caller.call(py, &unit).and_then(|(value, bad)| {
        // The batch has only this item.
        if let Some((_, failure)) = bad.into_iter().next() {
            return Err(EncodeError::Bad(Box::new(failure)));
        }
        let mut line = Vec::new();
        if let Some(value) = value {
            Encoder::new(&support, &mut EncoderCache::default(), &mut line).write(&value)?;
            line.push(b'\n');
        }
        Ok(line)
    });
    let ended = match written {
        Ok(line) => {
            // Flush what the code printed, so that it comes before the result.
            py.import("sys")?.getattr("stdout")?.call_method0("flush")?;
            // If nobody reads stdout any more, nobody needs the result.
            drop(std::io::stdout().write_all(&line));
            Ok(0)
        }
        Err(EncodeError::Bad(failure)) => {
            tell(job, format!("{}: {}", failure.class, failure.message));
            Ok(1)
        }
        Err(error) => match error.into_message() {
            Ok(message) => {
                tell(job, format!("TypeError: {message}"));
                Ok(1)
            }
            Err(error) => fail(py, &support, job, error),
        },
    };
    task.teardown(py)?;
    ended
}

/// Writes a message to stderr, without secrets and escaped.
fn tell(job: &ForegroundJob, text: String) {
    let masked = MaybeSecret::from(text).masked(&Secrets::new(job.secrets.iter().cloned()));
    eprintln!("{}", masked.lines().as_str().trim_end());
}

/// Shows an exception, and opens the debugger if the user asks for it.
fn fail(py: Python<'_>, support: &Support, job: &ForegroundJob, error: PyErr) -> PyResult<u8> {
    let failure = support.failure(py, error.clone_ref(py));
    match failure.detail {
        Some(detail) => tell(job, detail),
        None => tell(job, format!("{}: {}", failure.class, failure.message)),
    }
    if job.debugger {
        support.debug(&error.into_value(py).into_bound(py))?;
    }
    Ok(1)
}
