//! One item in front of the person: no socket, no captured streams, a debugger where it is wanted.
//!
//! The work comes in a file, which is deleted when it has been read: parameters and items may be secret. The terminal is the
//! user code's own.

use super::call::{Caller, WorkUnit};
use super::encode::{EncodeError, Encoder, EncoderCache};
use super::support::Support;
use super::task::Task;
use crate::model::Items;
use crate::wire::{ForegroundJob, Run};
use pyo3::prelude::*;
use std::io::Write;

/// Runs what the file says; returns the exit status: 0 where the item succeeded, 1 where it failed, 2 where there is no such
/// file.
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
            eprintln!("error: this is started by `batchmill repro`, not by hand: {error}");
            2
        }
    }
}

fn run(py: Python<'_>, job: &ForegroundJob) -> PyResult<u8> {
    let support = Support::load_without_streams(py)?;
    support.come_forward(py)?;
    let task = match Task::prepare(py, &support, &job.start) {
        Ok(task) => task,
        Err(unready) => return fail(py, &support, job, unready.error),
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
    };
    let written = caller.call(py, &unit).and_then(|(value, bad)| {
        // The only item of a batch.
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
            // What the code printed comes first, whatever Python still holds back.
            py.import("sys")?.getattr("stdout")?.call_method0("flush")?;
            // A reader that is gone wants no result.
            drop(std::io::stdout().write_all(&line));
            Ok(0)
        }
        Err(EncodeError::Bad(failure)) => {
            eprintln!("{}: {}", failure.class, failure.message);
            Ok(1)
        }
        Err(error) => match error.into_message() {
            Ok(message) => {
                eprintln!("TypeError: {message}");
                Ok(1)
            }
            Err(error) => fail(py, &support, job, error),
        },
    };
    task.teardown(py)?;
    ended
}

/// Shows an exception, and stays where it was raised.
fn fail(py: Python<'_>, support: &Support, job: &ForegroundJob, error: PyErr) -> PyResult<u8> {
    let failure = support.failure(py, error.clone_ref(py));
    match failure.detail {
        Some(detail) => eprint!("{detail}"),
        None => eprintln!("{}: {}", failure.class, failure.message),
    }
    if job.debugger {
        support.debug(&error.into_value(py).into_bound(py))?;
    }
    Ok(1)
}
