//! Calls the user's code for one position: decodes the item and its inputs, lays out the arguments.

use super::batch::BatchView;
use super::decode::decode;
use super::encode::EncodeError;
use super::support::Support;
use super::task::{Argument, Task};
use crate::model::{Failure, FailureKind};
use crate::wire::{Run, RunBatch};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// What is called, and with whose help.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) task: &'a Task,
    pub(super) support: &'a Support,
}

/// A position: where it is, and what its item is made of.
pub(super) struct Place<'a, 'py> {
    pub(super) position: u32,
    pub(super) index: u64,
    /// The positions in `Run::items`.
    pub(super) items: std::ops::Range<usize>,
    pub(super) batch: &'a Option<Bound<'py, BatchView>>,
}

impl Caller<'_> {
    /// `batch`, where the program reads it.
    pub(super) fn view<'py>(&self, py: Python<'py>, batch: &RunBatch) -> Option<Bound<'py, BatchView>> {
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

    /// Calls the user's code; gives what it returns.
    pub(super) fn call<'py>(&self, py: Python<'py>, run: &Run, place: &Place<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
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

    /// An exception, or a value that cannot be written, as a failure.
    pub(super) fn failure(&self, py: Python<'_>, error: EncodeError) -> Failure {
        match error.into_message() {
            Ok(message) => Failure::new(FailureKind::Exception, "TypeError", message),
            Err(raised) => self.support.failure(py, raised),
        }
    }
}
