//! Handles to the Python half of the worker.

use super::capture::{Capture, CaptureHandle};
use super::embedded::{CODE, FRAMES, HOST, PROGRAMS, RESULTS, VALUES};
use super::json::parse;
use crate::model::{Failure, FailureKind};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use std::sync::Arc;

/// What `convert` made of a value.
pub(super) enum Simpler<'py> {
    /// A simpler value.
    Value(Bound<'py, PyAny>),
    /// A number's text.
    Number(String),
    /// Not a number: null, and counted.
    Null,
    /// No form in JSON; what it is.
    Nothing(String),
}

/// The functions that the worker calls while it runs items.
pub(super) struct Support {
    describe: Py<PyAny>,
    convert: Py<PyAny>,
    records: Py<PyAny>,
    table: Py<PyAny>,
    decode: Py<PyAny>,
    leave_child: Py<PyAny>,
    error_view: Py<PyAny>,
}

impl Support {
    /// Loads the Python half and puts the captured streams in place.
    pub(super) fn load(py: Python<'_>, capture: &Arc<Capture>) -> PyResult<Self> {
        host(py)?.getattr("install")?.call1((CaptureHandle(Arc::clone(capture)),))?;
        Self::load_without_streams(py)
    }

    /// Loads the Python half, and leaves the streams to the terminal.
    pub(super) fn load_without_streams(py: Python<'_>) -> PyResult<Self> {
        let host = host(py)?;
        let values = VALUES.load(py)?;
        Ok(Self {
            describe: host.getattr("describe")?.unbind(),
            leave_child: host.getattr("leave_child")?.unbind(),
            convert: values.getattr("convert")?.unbind(),
            records: values.getattr("records")?.unbind(),
            table: values.getattr("table")?.unbind(),
            decode: values.getattr("decode")?.unbind(),
            error_view: values.getattr("ErrorView")?.unbind(),
        })
    }

    /// An exception as a failure, with the traceback of the user's code.
    pub(super) fn failure(&self, py: Python<'_>, error: PyErr) -> Failure {
        let told = self
            .describe
            .bind(py)
            .call1((error.into_value(py),))
            .and_then(|told| told.extract::<(String, String, String)>());
        match told {
            Ok((class, message, detail)) => Failure::new(FailureKind::Exception, class, message).with_detail(detail),
            // Out of memory, or of stack.
            Err(_) => Failure::new(FailureKind::Exception, "Exception", "an exception that cannot be shown"),
        }
    }

    /// The `error` of `on_item_error`: read by key or by attribute, and shown as its message, as in templates.
    pub(super) fn error_view<'py>(&self, error: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.error_view.bind(error.py()).call1((error,))
    }

    /// Readies the interpreter for the terminal.
    pub(super) fn come_forward(&self, py: Python<'_>) -> PyResult<()> {
        host(py)?.getattr("come_forward")?.call0().map(drop)
    }

    /// Opens Python's debugger where an exception was raised.
    pub(super) fn debug(&self, error: &Bound<'_, PyAny>) -> PyResult<()> {
        host(error.py())?.getattr("debug")?.call1((error,)).map(drop)
    }

    /// Makes `value` simpler.
    pub(super) fn convert<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Simpler<'py>> {
        let told = self.convert.bind(value.py()).call1((value,))?;
        let told = told.cast::<PyTuple>().map_err(PyErr::from)?;
        let payload = told.get_item(1)?;
        Ok(match told.get_item(0)?.extract::<u8>()? {
            0 => Simpler::Value(payload),
            1 => Simpler::Number(payload.extract()?),
            2 => Simpler::Null,
            _ => Simpler::Nothing(payload.extract()?),
        })
    }

    /// The rows of a data frame; none for any other value.
    pub(super) fn records<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let rows = self.records.bind(value.py()).call1((value,))?;
        Ok((!rows.is_none()).then_some(rows))
    }

    /// A data frame as an Arrow IPC stream, and how many NaN are null in it; none for any other value.
    pub(super) fn table<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Option<(Bound<'py, PyBytes>, u32)>> {
        self.table.bind(value.py()).call1((value,))?.extract()
    }

    /// Reads JSON with Python's own decoder.
    pub(super) fn decode<'py>(&self, py: Python<'py>, json: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        self.decode.bind(py).call1((json,))
    }

    /// Ends a forked child; only returns when even that fails.
    pub(super) fn leave_child(&self, py: Python<'_>) {
        let _ = self.leave_child.bind(py).call0();
    }
}

/// The class that makes a callable of a step's program.
pub(super) fn programs(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let results = RESULTS.load(py)?;
    results.setattr("SOURCE", RESULTS.source)?;
    PROGRAMS.load(py)?.getattr("Program")
}

/// Loads what compiles code blocks, after [`programs`]. Only code blocks need it, and `ast` takes a while to import.
pub(super) fn load_code_compiler(py: Python<'_>) -> PyResult<()> {
    CODE.load(py).map(drop)
}

/// What makes data frames. Loaded late: few steps have some.
pub(super) fn frames(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    FRAMES.load(py)?.getattr("maker")
}

/// Makes the interpreter stand for the environment that `site` describes.
pub(super) fn activate(py: Python<'_>, site: &[u8]) -> PyResult<()> {
    host(py)?.getattr("activate")?.call1((parse(py, site)?,))?;
    Ok(())
}

/// Joins threads and runs `atexit` functions.
pub(super) fn finish(py: Python<'_>) -> PyResult<()> {
    host(py)?.getattr("finish")?.call0()?;
    Ok(())
}

fn host(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    match py.import("_batchmill_host") {
        Ok(host) => Ok(host),
        Err(_) => HOST.load(py),
    }
}
