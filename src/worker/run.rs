//! Runs the positions of one `Run`, in order.
//!
//! Each position begun gets exactly one entry in a `Results` frame. While the user's code is called the shared page says
//! so, and on the way out of a `Run` it says that the worker is idle.

use super::call::{Caller, WorkUnit};
use super::capture::Capture;
use super::encode::{EncodeError, Encoder, EncoderCache};
use super::outbox::Outbox;
use super::page::Page;
use crate::columnar::{TableStats, json_of_ipc};
use crate::model::{Failure, FailureKind, ResultForm};
use crate::wire::{Done, Frame, Results, Run, RunBatch, WireError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

/// A data frame with so many rows stays one. A smaller one is shorter as lines, and can be read by everybody.
const MANY: usize = 100;

/// Runs what the engine sends.
pub(super) struct Runner<'a> {
    pub(super) caller: Caller<'a>,
    pub(super) outbox: &'a Outbox,
    pub(super) capture: &'a Capture,
    pub(super) page: Page,
    /// The line under construction, kept for its buffer.
    pub(super) line: Vec<u8>,
    /// What the encoder keeps.
    pub(super) cache: EncoderCache,
}

/// What a position came to.
#[derive(Default)]
struct Written {
    list: bool,
    form: ResultForm,
    nulls: u32,
    bad: Vec<(u32, Failure)>,
}

impl Runner<'_> {
    /// Runs the positions until the end, a halt, or a failure where that ends the run.
    pub(super) fn run(&mut self, py: Python<'_>, run: &Run) -> Result<(), WireError> {
        let items: usize = run.batches.iter().map(|batch| batch.indexes.len()).sum();
        if self.caller.task.has_item && items != run.items.len() {
            return Err(WireError::Bad("batches and items differ in number"));
        }
        self.outbox.begin();
        let executed = self.run_batches(py, run);
        self.page.leave();
        self.capture.leave();
        self.outbox.finish(Some(&Frame::Done(Done { executed: executed? })))
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
                // Where several batches are sent as one, the next begins here.
                if step > 0 && step % batch.size.max(1) == 0 {
                    view = self.caller.view(py, batch, step);
                }
                if self.page.halted() {
                    return Ok(position);
                }
                let items = if self.caller.task.batched { first..first + size } else { first + step..first + step + 1 };
                let index = if size == 0 { 0 } else { batch.indexes.get(step) };
                let unit = WorkUnit { run, position, index, items, batch, first, view: &view, text };
                let succeeded = self.position(py, &unit)?;
                position += 1;
                if !succeeded && run.halt_on_failure {
                    return Ok(position);
                }
            }
            first += size;
        }
        Ok(position)
    }

    /// Runs one position and appends what became of it; tells whether it succeeded.
    fn position(&mut self, py: Python<'_>, unit: &WorkUnit<'_, '_>) -> Result<bool, WireError> {
        self.line.clear();
        self.capture.enter(unit.position);
        self.page.enter(unit.position, self.caller.task.precision);
        let outcome = self.value(py, unit);
        let outcome = outcome.map_err(|error| self.caller.failure(py, error).after(self.page.running()));
        // From here on the item is done: what happens now is nobody's doing.
        self.page.leave();
        if self.capture.is_forked() {
            self.caller.support.leave_child(py);
        }
        let bad_row = |failure: &Failure| failure.kind == FailureKind::BadRow;
        let succeeded = match &outcome {
            Ok(written) => written.bad.is_empty() || self.caller.task.skip_bad_rows,
            Err(failure) => bad_row(failure) && self.caller.task.skip_bad_rows,
        };
        if self.caller.task.batched {
            let frame = self.batch_results(unit.position, outcome);
            self.outbox.push_frame(&frame)?;
        } else {
            let nulls = outcome.as_ref().map_or(0, |written| written.nulls);
            let outcome = outcome.map(|_| self.line.as_slice());
            self.outbox.push(unit.position, outcome, nulls)?;
        }
        Ok(succeeded)
    }

    fn batch_results(&mut self, position: u32, outcome: Result<Written, Failure>) -> Frame {
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
        Frame::Results(Results { first: position, count: 1, failures, bad, nulls, list, form, lines })
    }

    /// Calls the user's code and writes what it returned to `self.line`.
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
            None => encoder.write(&result)?,
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

    /// Takes a data frame as it is, or the rows of a small one as lines, without making records of it; tells which, and how many
    /// numbers are null. None where the value is no frame, or has columns that only Python can write.
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

    /// The elements that each become a line: of a list, of a plain tuple, of a data frame.
    fn rows<'py>(&self, result: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if result.is_instance_of::<PyList>() || result.cast_exact::<PyTuple>().is_ok() {
            return Ok(Some(result.clone()));
        }
        self.caller.support.records(result)
    }
}
