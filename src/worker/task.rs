//! The callable that a worker runs for every item, built from `Start`.

use super::decode::decode;
use super::frame::Frames;
use super::page::Precision;
use super::pickled::{Pickled, scope_of};
use super::record::Records;
use super::seeds::Seeds;
use super::shared_lists::SharedLists;
use super::support::{Support, load_code_compiler, pickled_programs, programs};
use crate::wire::{Program, Start};
use pyo3::exceptions::PySystemError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// An argument of the callable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    /// The item, or all items of the batch.
    Item,
    /// The index of the item.
    Index,
    /// The object `batch`.
    Batch,
    /// All inputs, including those of the item.
    Inputs,
    /// One of the per-item inputs.
    Value(usize),
}

/// A program that is ready to run.
// More than 12 fields: what a call needs, looked up once.
pub(super) struct Task {
    program: Py<PyAny>,
    /// The function to call.
    pub(super) function: Py<PyAny>,
    /// Its arguments.
    pub(super) layout: Vec<Argument>,
    /// The inputs that are the same for all items.
    pub(super) inputs: Py<PyDict>,
    /// Decodes items.
    pub(super) records: Records,
    /// Makes data frames of batches, if the step wants them.
    pub(super) frames: Option<Frames>,
    /// Whether bad rows are skipped, so that they do not halt a run.
    pub(super) skip_bad_rows: bool,
    /// Names of the inputs that differ between items.
    pub(super) item_inputs: Vec<String>,
    /// Whether `item` is the whole batch.
    pub(super) batched: bool,
    /// Whether there are items.
    pub(super) has_item: bool,
    /// Seeds random numbers, if the step has a seed.
    pub(super) seeds: Option<Seeds>,
    /// How precisely to note when an item started.
    pub(super) precision: Precision,
    /// For a program of a client.
    pub(super) pickled: Option<Pickled>,
    /// What items share without a name.
    pub(super) lists: SharedLists,
}

/// Why a program cannot run.
pub(super) struct PrepareError {
    /// The exception.
    pub(super) error: PyErr,
    /// Whether another try may help: `setup` may depend on the outside world, but an error in the code will not go away.
    pub(super) retryable: bool,
}

impl Task {
    /// Compiles or imports the program and runs its `setup`.
    pub(super) fn prepare(py: Python<'_>, support: &Support, start: &Start) -> Result<Self, PrepareError> {
        let permanent = |error| PrepareError { error, retryable: false };
        let program = load(py, support, start).map_err(permanent)?;
        let seeds = start.items.seed.map(|seed| Seeds::begin(py, seed)).transpose().map_err(permanent)?;
        program.call_method0("setup").map_err(|error| PrepareError { error, retryable: true })?;
        let task = Self::resolve(&program, start, seeds).map_err(permanent)?;
        program.call_method0("freeze").map_err(permanent)?;
        Ok(task)
    }

    fn resolve(program: &Bound<'_, PyAny>, start: &Start, seeds: Option<Seeds>) -> PyResult<Self> {
        let (function, layout): (Bound<'_, PyAny>, Vec<Bound<'_, PyAny>>) =
            program.call_method0("function")?.extract()?;
        Ok(Self {
            lists: SharedLists::of(program.py(), start)?,
            function: function.unbind(),
            layout: layout.iter().map(argument).collect::<PyResult<_>>()?,
            inputs: scope_of(program)?.unbind(),
            pickled: Pickled::of(program)?,
            records: Records::new(program.py(), &start.items.forms)?,
            frames: Frames::new(program.py(), start.items.batch_format)?,
            skip_bad_rows: start.items.skip_bad_rows,
            program: program.clone().unbind(),
            item_inputs: start.scope.item_inputs.clone(),
            batched: start.items.batched,
            has_item: start.items.has_item,
            seeds,
            precision: if start.items.clock { Precision::Exact } else { Precision::Coarse },
        })
    }

    /// Calls the function. `value` returns each argument.
    pub(super) fn call<'py>(
        &self,
        py: Python<'py>,
        value: impl Fn(Argument) -> Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let function = self.function.bind(py);
        match self.layout.as_slice() {
            [] => function.call0(),
            [only] => function.call1((value(*only),)),
            [first, second] => function.call1((value(*first), value(*second))),
            more => function.call1(PyTuple::new(py, more.iter().map(|argument| value(*argument)))?),
        }
    }

    /// Runs the user's `teardown`.
    pub(super) fn teardown(&self, py: Python<'_>) -> PyResult<()> {
        self.program.bind(py).call_method0("teardown").map(drop)
    }
}

fn load<'py>(py: Python<'py>, support: &Support, start: &Start) -> PyResult<Bound<'py, PyAny>> {
    let with_code = matches!(start.program, Program::Code { .. }) || start.setup.is_some() || start.teardown.is_some();
    let json = serde_json::to_vec(start).map_err(|error| PySystemError::new_err(error.to_string()))?;
    let program = match start.program {
        Program::Pickled { .. } => pickled_programs(py)?,
        _ => programs(py)?,
    };
    if with_code {
        load_code_compiler(py)?;
    }
    let program = program.call1((decode(py, support, &json)?,))?;
    program.call_method0("compile")?;
    Ok(program)
}

fn argument(name: &Bound<'_, PyAny>) -> PyResult<Argument> {
    if let Ok(place) = name.extract::<usize>() {
        return Ok(Argument::Value(place));
    }
    Ok(match name.extract::<String>()?.as_str() {
        "item" => Argument::Item,
        "index" => Argument::Index,
        "batch" => Argument::Batch,
        "inputs" => Argument::Inputs,
        other => return Err(PySystemError::new_err(format!("unknown argument `{other}`"))),
    })
}
