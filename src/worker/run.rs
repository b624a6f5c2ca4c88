//! Runs the positions of one `Run`, in order.
//!
//! Each position begun gets exactly one entry in a `Results` frame. While the user's code is called the shared page says
//! so, and on the way out of a `Run` it says that the worker is idle.

use super::batch::BatchView;
use super::capture::Capture;
use super::decode::decode;
use super::encode::{EncodeError, Encoder};
use super::outbox::Outbox;
use super::page::Page;
use super::support::Support;
use super::task::{Argument, Task};
use crate::model::{Failure, FailureKind};
use crate::wire::{Done, Frame, Results, Run, RunBatch, WireError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

/// Runs what the engine sends.
pub(super) struct Runner<'a> {
    pub(super) task: &'a Task,
    pub(super) support: &'a Support,
    pub(super) outbox: &'a Outbox,
    pub(super) capture: &'a Capture,
    pub(super) page: Page,
    /// The line under construction, kept for its buffer.
    pub(super) line: Vec<u8>,
}

/// A position: where it is, and what its item is made of.
struct Place<'a, 'py> {
    position: u32,
    index: u64,
    /// The positions in `Run::items`.
    items: std::ops::Range<usize>,
    batch: &'a Option<Bound<'py, BatchView>>,
}

/// What a position came to.
struct Written {
    list: bool,
    nulls: u32,
}

impl Runner<'_> {
    /// Runs the positions until the end, a halt, or a failure where that ends the run.
    pub(super) fn run(&mut self, py: Python<'_>, run: &Run) -> Result<(), WireError> {
        let items: usize = run.batches.iter().map(|batch| batch.indexes.len()).sum();
        if self.task.has_item && items != run.items.len() {
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
        for batch in &run.batches {
            let size = batch.indexes.len();
            let view = self.view(py, batch);
            let steps = if self.task.batched { 1 } else { size };
            for step in 0..steps {
                if self.page.halted() {
                    return Ok(position);
                }
                let items = if self.task.batched { first..first + size } else { first + step..first + step + 1 };
                let index = if size == 0 { 0 } else { batch.indexes.get(step) };
                let place = Place { position, index, items, batch: &view };
                let succeeded = self.position(py, run, &place)?;
                position += 1;
                if !succeeded && run.halt_on_failure {
                    return Ok(position);
                }
            }
            first += size;
        }
        Ok(position)
    }

    /// `batch`, where the program reads it.
    fn view<'py>(&self, py: Python<'py>, batch: &RunBatch) -> Option<Bound<'py, BatchView>> {
        if !self.task.layout.contains(&Argument::Batch) {
            return None;
        }
        let view = BatchView {
            item: py.None(),
            index: 0,
            total: batch.total,
            number: batch.number,
            size: batch.indexes.len(),
            attempt: batch.attempt,
        };
        Some(Bound::new(py, view).expect("a small object can be made"))
    }

    /// Runs one position and appends what became of it; tells whether it succeeded.
    fn position(&mut self, py: Python<'_>, run: &Run, place: &Place<'_, '_>) -> Result<bool, WireError> {
        self.line.clear();
        self.capture.enter(place.position);
        self.page.enter(place.position, self.task.clock);
        let outcome = self.value(py, run, place).map_err(|error| self.failure(py, error));
        // From here on the item is done: what happens now is nobody's doing.
        self.page.leave();
        if self.capture.is_forked() {
            self.support.leave_child(py);
        }
        let succeeded = outcome.is_ok();
        if self.task.batched {
            let frame = self.batch_results(place.position, outcome);
            self.outbox.push_frame(&frame)?;
        } else {
            let nulls = outcome.as_ref().map_or(0, |written| written.nulls);
            let outcome = outcome.map(|_| self.line.as_slice());
            self.outbox.push(place.position, outcome, nulls)?;
        }
        Ok(succeeded)
    }

    fn batch_results(&mut self, position: u32, outcome: Result<Written, Failure>) -> Frame {
        let (written, failures) = match outcome {
            Ok(written) => (written, Vec::new()),
            Err(failure) => (Written { list: false, nulls: 0 }, vec![(position, failure)]),
        };
        let mut lines = Vec::new();
        if failures.is_empty() {
            if !written.list {
                self.line.push(b'\n');
            }
            lines = std::mem::take(&mut self.line);
        }
        Frame::Results(Results { first: position, count: 1, failures, nulls: written.nulls, list: written.list, lines })
    }

    /// Calls the user's code and writes what it returned to `self.line`.
    fn value(&mut self, py: Python<'_>, run: &Run, place: &Place<'_, '_>) -> Result<Written, EncodeError> {
        let result = self.call(py, run, place)?;
        let mut list = false;
        let rows = if self.task.batched { self.rows(&result)? } else { None };
        let mut encoder = Encoder::new(self.support, &mut self.line);
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
        Ok(Written { list, nulls })
    }

    /// The elements that each become a line: of a list, of a plain tuple, of a data frame.
    fn rows<'py>(&self, result: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if result.is_instance_of::<PyList>() || result.cast_exact::<PyTuple>().is_ok() {
            return Ok(Some(result.clone()));
        }
        self.support.records(result)
    }

    fn call<'py>(&self, py: Python<'py>, run: &Run, place: &Place<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        let item = self.item(py, run, place)?;
        let values = self.item_inputs(py, run, place)?;
        let inputs = match &values {
            Some(values) if self.task.layout.contains(&Argument::Inputs) => Some(self.all_inputs(py, values)?),
            _ => None,
        };
        if let Some(batch) = place.batch {
            let mut batch = batch.borrow_mut();
            batch.item = item.clone().unbind();
            batch.index = place.index;
        }
        self.task.call(py, |argument| match argument {
            Argument::Item => item.clone(),
            Argument::Index => place.index.into_pyobject(py).map_or_else(|never| match never {}, Bound::into_any),
            Argument::Batch => place.batch.clone().expect("made wherever the layout has it").into_any(),
            Argument::Inputs => inputs.clone().expect("made wherever the layout has it").into_any(),
            Argument::Value(at) => {
                values.as_ref().and_then(|values| values.get(at).cloned()).expect("as many as there are names")
            }
        })
    }

    fn item<'py>(&self, py: Python<'py>, run: &Run, place: &Place<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        if !self.task.has_item {
            return Ok(py.None().into_bound(py));
        }
        if !self.task.batched {
            return decode(py, self.support, run.items.get(place.items.start));
        }
        let items = PyList::empty(py);
        for at in place.items.clone() {
            items.append(decode(py, self.support, run.items.get(at))?)?;
        }
        Ok(items.into_any())
    }

    /// The values of the per-item inputs, checked to be as many as there are names.
    fn item_inputs<'py>(
        &self,
        py: Python<'py>,
        run: &Run,
        place: &Place<'_, 'py>,
    ) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
        if self.task.item_inputs.is_empty() {
            return Ok(None);
        }
        let at = if self.task.batched { place.position as usize } else { place.items.start };
        let mut values: Vec<Bound<'py, PyAny>> =
            if at < run.inputs.len() { decode(py, self.support, run.inputs.get(at))?.extract()? } else { Vec::new() };
        if values.len() != self.task.item_inputs.len() {
            let message = "batchmill sent another number of inputs than it had announced";
            return Err(pyo3::exceptions::PySystemError::new_err(message));
        }
        if let Some(error) = self.task.item_inputs.iter().position(|name| name == "error")
            && values[error].is_instance_of::<PyDict>()
        {
            values[error] = self.support.error_view(&values[error])?;
        }
        Ok(Some(values))
    }

    fn all_inputs<'py>(&self, py: Python<'py>, values: &[Bound<'py, PyAny>]) -> PyResult<Bound<'py, PyAny>> {
        let constant = self.task.inputs.bind(py);
        let inputs = constant.get_type().call1((constant,))?.cast_into::<PyDict>().map_err(PyErr::from)?;
        for (name, value) in self.task.item_inputs.iter().zip(values) {
            inputs.set_item(name, value)?;
        }
        Ok(inputs.into_any())
    }

    fn failure(&self, py: Python<'_>, error: EncodeError) -> Failure {
        match error.into_message() {
            Ok(message) => Failure::new(FailureKind::Exception, "TypeError", message),
            Err(raised) => self.support.failure(py, raised),
        }
    }
}
