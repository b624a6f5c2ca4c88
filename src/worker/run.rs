//! Runs the positions of a `Run`, in order.
//!
//! Each position that is started gets exactly one entry in a `Results` message. The shared page has the position while the
//! user's code is running, and none at the end of a `Run`.

use super::call::{Caller, WorkUnit};
use super::capture::Capture;
use super::encode::{EncodeError, Encoder, EncoderCache};
use super::memory::MemoryWatch;
use super::outbox::{Encoded, Finished, Outbox};
use super::page::Page;
use super::timer::Timer;
use crate::columnar::{TableStats, json_of_ipc};
use crate::model::{Failure, FailureKind, ResultForm};
use crate::wire::{Done, Results, Run, RunBatch, WireError, WorkerMessage};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

/// Data frames with at least this many rows are sent as Arrow. Smaller ones are shorter as JSON Lines.
const MANY: usize = 100;

/// Runs what the engine sends.
pub(super) struct Runner<'a> {
    pub(super) caller: Caller<'a>,
    pub(super) outbox: &'a Outbox,
    pub(super) capture: &'a Capture,
    pub(super) page: Page,
    pub(super) timer: &'a Timer,
    pub(super) memory: MemoryWatch,
    /// The buffer for the current result.
    pub(super) line: Vec<u8>,
    /// What the encoder keeps between values.
    pub(super) cache: EncoderCache,
}

/// What was written for a position.
#[derive(Default)]
struct Written {
    list: bool,
    form: ResultForm,
    nulls: u32,
    bad: Vec<(u32, Failure)>,
}

impl Runner<'_> {
    /// Runs all positions, or up to a halt, or up to a failure if the run halts on failure.
    pub(super) fn run(&mut self, py: Python<'_>, run: &Run) -> Result<(), WireError> {
        let items: usize = run.batches.iter().map(|batch| batch.indexes.len()).sum();
        if self.caller.task.has_item && items != run.items.len() {
            return Err(WireError::Invalid("the number of items does not match the batches"));
        }
        self.outbox.begin();
        let executed = match &self.caller.task.pickled {
            Some(pickled) => self.run_bundle(py, run, pickled),
            None => self.run_batches(py, run),
        };
        self.page.leave();
        self.capture.leave();
        self.timer.end_group();
        let mut done = Done { executed: executed?, times: Vec::new(), spent: self.timer.take_spent() };
        self.timer.take_times(&mut done.times);
        self.outbox.finish(Some(&WorkerMessage::Done(done)))
    }

    fn run_batches(&mut self, py: Python<'_>, run: &Run) -> Result<u32, WireError> {
        let mut position = 0;
        let mut first = 0;
        let rows = |batch: &RunBatch| self.caller.task.records.csv(batch.form).is_some();
        let read = self.caller.task.frames.is_none() && run.batches.iter().any(rows);
        let text = read.then(|| std::str::from_utf8(run.items.as_parts().0).ok()).flatten();
        for batch in &run.batches {
            let size = batch.indexes.len();
            let mut view = self.caller.view(py, batch, 0);
            let steps = if self.caller.task.batched { 1 } else { size };
            for step in 0..steps {
                // Several batches may be sent as one. The next one starts here.
                if step > 0 && step % batch.size.max(1) == 0 {
                    view = self.caller.view(py, batch, step);
                }
                if self.page.halted() {
                    return Ok(position);
                }
                let items = if self.caller.task.batched { first..first + size } else { first + step..first + step + 1 };
                let index = if size == 0 { 0 } else { batch.indexes.get(step) };
                let unit = WorkUnit { run, position, index, items, batch, first, view: &view, text, timer: self.timer };
                let succeeded = self.position(py, &unit)?;
                position += 1;
                if !succeeded && run.halt_on_failure {
                    return Ok(position);
                }
            }
            first += size;
            self.timer.end_group();
        }
        Ok(position)
    }

    /// Runs one position and appends its outcome. Returns whether it succeeded.
    fn position(&mut self, py: Python<'_>, unit: &WorkUnit<'_, '_>) -> Result<bool, WireError> {
        self.line.clear();
        self.enter(unit.position);
        let outcome = self.value(py, unit);
        // A child that user code has forked. It must not touch the page, which says what its parent is running.
        if self.capture.is_forked() {
            self.caller.support.leave_child(py);
        }
        let outcome = outcome.map_err(|error| self.caller.failure(py, error).after(self.page.running()));
        self.leave(py);
        let bad_row = |failure: &Failure| failure.kind == FailureKind::BadRow;
        let succeeded = match &outcome {
            Ok(written) => written.bad.is_empty() || self.caller.task.skip_bad_rows,
            Err(failure) => bad_row(failure) && self.caller.task.skip_bad_rows,
        };
        if self.caller.task.batched {
            let frame = self.batch_results(unit.position, outcome);
            self.outbox.push_message(&frame)?;
        } else {
            let nulls = outcome.as_ref().map_or(0, |written| written.nulls);
            let outcome = outcome.map(|_| Encoded::Line(&self.line));
            self.outbox.push(Finished { position: unit.position, outcome, nulls, timer: self.timer })?;
        }
        Ok(succeeded)
    }

    /// From now on this position is the one that is running.
    pub(super) fn enter(&self, position: u32) {
        self.capture.enter(position);
        self.page.enter(position, self.caller.task.precision);
        self.timer.begin(position);
    }

    /// The user's code has ended, and its result is written.
    pub(super) fn leave(&self, py: Python<'_>) {
        self.memory.check(py);
        // The item is done. If the worker dies from here on, the item is not to blame.
        self.page.leave();
        self.timer.end();
        if self.capture.is_touched() || self.caller.task.lists.are_other(py) {
            self.capture.restored(self.caller.support.restore(py));
            self.caller.task.lists.note_filters(py);
        }
    }

    fn batch_results(&mut self, position: u32, outcome: Result<Written, Failure>) -> WorkerMessage {
        let (written, failures) = match outcome {
            Ok(written) => (written, Vec::new()),
            Err(failure) => (Written::default(), vec![(position, failure)]),
        };
        let mut lines = Vec::new();
        if failures.is_empty() {
            if !written.list {
                self.line.push(b'\n');
            }
            lines = std::mem::take(&mut self.line);
        }
        let Written { list, form, nulls, bad } = written;
        let mut times = Vec::new();
        self.timer.take_times(&mut times);
        WorkerMessage::Results(Results { first: position, count: 1, failures, bad, nulls, list, form, times, lines })
    }

    /// Calls the user's code and writes its result to `self.line`.
    fn value(&mut self, py: Python<'_>, unit: &WorkUnit<'_, '_>) -> Result<Written, EncodeError> {
        let (result, bad) = self.caller.call(py, unit)?;
        let Some(result) = result else { return Ok(Written { list: true, bad, ..Written::default() }) };
        if let Some((form, nulls)) = self.table(&result)? {
            return Ok(Written { list: true, form, nulls, bad });
        }
        let mut list = false;
        let rows = if self.caller.task.batched { self.rows(&result)? } else { None };
        let mut encoder = Encoder::new(self.caller.support, &mut self.cache, &mut self.line);
        match rows {
            None => {
                encoder.write(&result)?;
                if !self.caller.task.batched && self.caller.support.is_frame(&result)? {
                    // What tells it from a list: its rows are the records of output files.
                    encoder.out.insert(1, b' ');
                }
            }
            Some(rows) => {
                list = true;
                for (at, row) in rows.try_iter()?.enumerate() {
                    encoder.write(&row?).map_err(|error| error.below(|| format!("[{at}]")))?;
                    encoder.out.push(b'\n');
                }
            }
        }
        let nulls = encoder.nulls;
        Ok(Written { list, nulls, bad, ..Written::default() })
    }

    /// Writes a data frame as Arrow, or as JSON Lines if it is small, without making records of it. Returns the form and the
    /// number of nulls; `None` if the value is not a data frame, or has columns that only Python can encode.
    fn table(&mut self, result: &Bound<'_, PyAny>) -> PyResult<Option<(ResultForm, u32)>> {
        if !self.caller.task.batched {
            return Ok(None);
        }
        let Some((ipc, missing)) = self.caller.support.table(result)? else { return Ok(None) };
        let ipc = ipc.as_bytes();
        let Ok(stats) = TableStats::of(ipc) else { return Ok(None) };
        let (form, nulls) = match stats.non_finite {
            Some(nulls) if stats.rows >= MANY => {
                self.line.extend_from_slice(ipc);
                (ResultForm::Arrow, nulls)
            }
            _ => {
                let Ok(lines) = json_of_ipc(ipc) else { return Ok(None) };
                self.line = lines.text;
                (ResultForm::Lines, lines.nulls)
            }
        };
        Ok(Some((form, u32::try_from(nulls).unwrap_or(u32::MAX).saturating_add(missing))))
    }

    /// The elements that become a result each, if the value is a list, a plain tuple or a data frame.
    fn rows<'py>(&self, result: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if result.is_instance_of::<PyList>() || result.cast_exact::<PyTuple>().is_ok() {
            return Ok(Some(result.clone()));
        }
        self.caller.support.records(result)
    }
}
