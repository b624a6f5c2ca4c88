//! Calls the user's code for one unit: decodes its items and inputs, and builds the arguments.

use super::batch::BatchView;
use super::decode::decode;
use super::encode::EncodeError;
use super::flat::columns_of_json;
use super::frame::Frames;
use super::record::{Raw, Unread};
use super::support::Support;
use super::task::{Argument, Task};
use super::timer::Timer;
use crate::columnar::columns_of_csv;
use crate::model::{Failure, FailureKind};
use crate::wire::{Run, RunBatch};
use pyo3::exceptions::PySystemError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use std::ops::Range;

/// Calls the task.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) task: &'a Task,
    pub(super) support: &'a Support,
}

/// What the user's code runs in one call: an item, or a whole batch.
pub(super) struct WorkUnit<'a, 'py> {
    pub(super) run: &'a Run,
    /// Its position in the run.
    pub(super) position: u32,
    /// The index of its first item in the source.
    pub(super) index: u64,
    /// Its items, as positions in `Run::items`.
    pub(super) items: Range<usize>,
    /// Its batch.
    pub(super) batch: &'a RunBatch,
    /// The first item of the batch, as a position in `Run::items`.
    pub(super) first: usize,
    /// The object `batch`, if the code uses it.
    pub(super) view: &'a Option<Bound<'py, BatchView>>,
    /// All of `Run::items` as text, if it is valid UTF-8 and that is useful to know.
    pub(super) text: Option<&'a str>,
    /// Times it.
    pub(super) timer: &'a Timer,
}

impl WorkUnit<'_, '_> {
    /// One of its items.
    fn raw(&self, at: usize) -> Raw<'_> {
        let text = self.text.and_then(|text| text.get(self.run.items.range(at)));
        Raw { form: self.batch.form, bytes: self.run.items.get(at), text }
    }
}

/// What the user's code returned, and the bad rows by their position in the batch.
pub(super) type Called<'py> = Result<(Option<Bound<'py, PyAny>>, Vec<(u32, Failure)>), EncodeError>;

impl Caller<'_> {
    /// The object `batch`, if the program uses it.
    pub(super) fn view<'py>(
        &self,
        py: Python<'py>,
        batch: &RunBatch,
        position: usize,
    ) -> Option<Bound<'py, BatchView>> {
        if !self.task.layout.contains(&Argument::Batch) {
            return None;
        }
        let size = batch.size.max(1);
        let before = position / size;
        let left = batch.indexes.len().saturating_sub(before * size);
        let view = BatchView {
            item: py.None(),
            index: 0,
            total: batch.total,
            number: batch.number + before as u64,
            size: if batch.indexes.len() > size { left.min(size) } else { size },
            attempt: batch.attempt,
        };
        Some(Bound::new(py, view).expect("a small object can be made"))
    }

    /// Calls the user's code. Returns its result, and the bad rows of a batch. If all rows are bad, the code is not called.
    pub(super) fn call<'py>(&self, py: Python<'py>, unit: &WorkUnit<'_, 'py>) -> Called<'py> {
        let mut bad = Vec::new();
        let item = self.item(py, unit, &mut bad)?;
        if !bad.is_empty() && bad.len() == unit.items.len() {
            return Ok((None, bad));
        }
        Ok((Some(self.call_with(py, unit, item)?), bad))
    }

    fn call_with<'py>(
        &self,
        py: Python<'py>,
        unit: &WorkUnit<'_, 'py>,
        item: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let values = self.item_inputs(py, unit)?;
        let inputs = match &values {
            Some(values) if self.task.layout.contains(&Argument::Inputs) => Some(self.all_inputs(py, values)?),
            _ => None,
        };
        if let Some(view) = unit.view {
            let mut batch = view.borrow_mut();
            batch.item = item.clone().unbind();
            batch.index = unit.index;
        }
        if let Some(seeds) = &self.task.seeds {
            let items = unit.items.clone().take_while(|at| *at < unit.run.items.len());
            seeds.seed(py, items.map(|at| unit.run.items.get(at)))?;
        }
        unit.timer.next_part();
        let result = self.task.call(py, |argument| match argument {
            Argument::Item => item.clone(),
            Argument::Index => unit.index.into_pyobject(py).map_or_else(|never| match never {}, Bound::into_any),
            Argument::Batch => unit.view.clone().expect("made wherever the layout has it").into_any(),
            Argument::Inputs => inputs.clone().expect("made wherever the layout has it").into_any(),
            Argument::Value(at) => {
                values.as_ref().and_then(|values| values.get(at).cloned()).expect("as many as there are names")
            }
        });
        unit.timer.next_part();
        result
    }

    fn item<'py>(
        &self,
        py: Python<'py>,
        unit: &WorkUnit<'_, 'py>,
        bad: &mut Vec<(u32, Failure)>,
    ) -> Result<Bound<'py, PyAny>, EncodeError> {
        if !self.task.has_item {
            return Ok(py.None().into_bound(py));
        }
        let origin = unit.batch.origin.as_ref();
        if !self.task.batched {
            let (at, from) = (unit.items.start, unit.first);
            let read = self.task.records.read(py, self.support, unit.raw(at), origin);
            return read.map_err(|unread| match unread {
                Unread::Bad(row) => {
                    EncodeError::Bad(Box::new(row.into_failure(origin, &unit.run.items, from, at - from)))
                }
                Unread::Raised(error) => EncodeError::Raised(error),
            });
        }
        if let Some(frames) = &self.task.frames {
            return Ok(self.frame(py, frames, unit, bad)?);
        }
        Ok(self.records(py, unit, bad)?.into_any())
    }

    /// The items of a batch without its bad rows, as a list.
    fn records<'py>(
        &self,
        py: Python<'py>,
        unit: &WorkUnit<'_, 'py>,
        bad: &mut Vec<(u32, Failure)>,
    ) -> PyResult<Bound<'py, PyList>> {
        let (origin, from) = (unit.batch.origin.as_ref(), unit.first);
        let items = PyList::empty(py);
        for (position, at) in (0..).zip(unit.items.clone()) {
            match self.task.records.read(py, self.support, unit.raw(at), origin) {
                Ok(item) => items.append(item)?,
                Err(Unread::Bad(row)) => {
                    bad.push((position, row.into_failure(origin, &unit.run.items, from, at - from)))
                }
                Err(Unread::Raised(error)) => return Err(error),
            }
        }
        Ok(items)
    }

    /// The items of a batch without its bad rows, as a data frame.
    fn frame<'py>(
        &self,
        py: Python<'py>,
        frames: &Frames,
        unit: &WorkUnit<'_, 'py>,
        bad: &mut Vec<(u32, Failure)>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (origin, from) = (unit.batch.origin.as_ref(), unit.first);
        let items = unit.items.clone().map(|at| unit.run.items.get(at));
        if let Some(form) = self.task.records.csv(unit.batch.form) {
            let found =
                columns_of_csv(form, items, origin).map_err(|error| PySystemError::new_err(error.to_string()))?;
            let failed = (found.bad.into_iter())
                .map(|(position, row)| (position, row.into_failure(origin, &unit.run.items, from, position)));
            bad.extend(failed.map(|(position, failure)| (u32::try_from(position).unwrap_or(u32::MAX), failure)));
            return frames.of_columns(py, found.batch);
        }
        let json: Vec<_> = items.map(|item| self.task.records.json(unit.batch.form, item)).collect();
        let items = json.iter().map(|item| &**item);
        if let Some(columns) = columns_of_json(items.clone()) {
            return frames.of_columns(py, columns);
        }
        let records = self.records(py, unit, bad)?;
        if !bad.is_empty() {
            // Without the bad lines, the rest may fit into columns.
            let mut bad = bad.iter().map(|(position, _)| *position).peekable();
            let good = (0..).zip(items).filter(|(position, _)| bad.next_if_eq(position).is_none());
            if let Some(columns) = columns_of_json(good.map(|(_, item)| item)) {
                return frames.of_columns(py, columns);
            }
        }
        frames.of_records(&records)
    }

    /// The values of the per-item inputs, checked against the number of names.
    fn item_inputs<'py>(&self, py: Python<'py>, unit: &WorkUnit<'_, 'py>) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
        if self.task.item_inputs.is_empty() {
            return Ok(None);
        }
        let at = if self.task.batched { unit.position as usize } else { unit.items.start };
        let mut values: Vec<Bound<'py, PyAny>> = if at < unit.run.inputs.len() {
            decode(py, self.support, unit.run.inputs.get(at))?.extract()?
        } else {
            Vec::new()
        };
        if values.len() != self.task.item_inputs.len() {
            let message = "batchmill sent the wrong number of inputs";
            return Err(pyo3::exceptions::PySystemError::new_err(message));
        }
        if let Some(error) = self.task.item_inputs.iter().position(|name| name == "error")
            && values[error].is_instance_of::<PyDict>()
        {
            values[error] = self.support.error_view(&values[error])?;
        }
        if let Some(folder) = self.task.item_inputs.iter().position(|name| name == "item_dir")
            && values[folder].is_instance_of::<PyString>()
        {
            values[folder] = py.import("pathlib")?.getattr("Path")?.call1((&values[folder],))?;
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

    /// An exception, or a value that cannot be encoded, as a failure.
    pub(super) fn failure(&self, py: Python<'_>, error: EncodeError) -> Failure {
        if let EncodeError::Bad(failure) = error {
            return *failure;
        }
        match error.into_message() {
            Ok(message) => Failure::new(FailureKind::Exception, "TypeError", message),
            Err(raised) => self.support.failure(py, raised),
        }
    }
}
