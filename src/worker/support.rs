//! Handles to functions in the Python half of the worker.

use super::capture::{Capture, CaptureHandle};
use super::embedded::{CODE, FRAMES, HOST, NAMES, PICKLED, PROGRAMS, RESULTS, VALUES};
use super::json::parse;
use crate::model::{Failure, FailureKind};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use std::sync::Arc;

/// What `convert` turned a value into.
pub(super) enum Converted<'py> {
    /// A simpler value.
    Value(Bound<'py, PyAny>),
    /// The text of a number.
    Number(String),
    /// NaN or infinite: null, and counted.
    Null,
    /// No JSON form; a description of the value.
    Unsupported(String),
}

/// The functions that the worker calls while it runs items.
pub(super) struct Support {
    describe: Py<PyAny>,
    convert: Py<PyAny>,
    records: Py<PyAny>,
    library_of: Py<PyAny>,
    table: Py<PyAny>,
    decode: Py<PyAny>,
    leave_child: Py<PyAny>,
    error_view: Py<PyAny>,
    surroundings: Option<Py<PyAny>>,
}

impl Support {
    /// Loads the Python half and installs the captured streams.
    pub(super) fn load(py: Python<'_>, capture: &Arc<Capture>) -> PyResult<Self> {
        host(py)?.getattr("install")?.call1((CaptureHandle(Arc::clone(capture)),))?;
        let surroundings = host(py)?.getattr("surroundings")?.unbind();
        Ok(Self { surroundings: Some(surroundings), ..Self::load_without_streams(py)? })
    }

    /// Loads the Python half, and leaves the streams connected to the terminal.
    pub(super) fn load_without_streams(py: Python<'_>) -> PyResult<Self> {
        let host = host(py)?;
        let values = VALUES.load(py)?;
        Ok(Self {
            describe: host.getattr("describe")?.unbind(),
            leave_child: host.getattr("leave_child")?.unbind(),
            convert: values.getattr("convert")?.unbind(),
            records: values.getattr("records")?.unbind(),
            library_of: values.getattr("library_of")?.unbind(),
            table: values.getattr("table")?.unbind(),
            decode: values.getattr("decode")?.unbind(),
            error_view: values.getattr("ErrorView")?.unbind(),
            surroundings: None,
        })
    }

    /// An exception as a failure, with the traceback of the user's code.
    pub(super) fn failure(&self, py: Python<'_>, error: PyErr) -> Failure {
        let described = self
            .describe
            .bind(py)
            .call1((error.into_value(py),))
            .and_then(|described| described.extract::<(String, String, String)>());
        match described {
            Ok((class, message, detail)) => Failure::new(FailureKind::Exception, class, message).with_detail(detail),
            // Out of memory or stack.
            Err(_) => Failure::new(FailureKind::Exception, "Exception", "the exception cannot be displayed"),
        }
    }

    /// The `error` of `on_item_error`. As in templates, its fields are keys and attributes, and it displays as its message.
    pub(super) fn error_view<'py>(&self, error: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.error_view.bind(error.py()).call1((error,))
    }

    /// Prepares the interpreter for the terminal.
    pub(super) fn come_forward(&self, py: Python<'_>) -> PyResult<()> {
        host(py)?.getattr("come_forward")?.call0().map(drop)
    }

    /// Opens Python's debugger at the line that raised an exception.
    pub(super) fn debug(&self, error: &Bound<'_, PyAny>) -> PyResult<()> {
        host(error.py())?.getattr("debug")?.call1((error,)).map(drop)
    }

    /// Converts a value that is not plain JSON to something simpler.
    pub(super) fn convert<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Converted<'py>> {
        let converted = self.convert.bind(value.py()).call1((value,))?;
        let converted = converted.cast::<PyTuple>().map_err(PyErr::from)?;
        let payload = converted.get_item(1)?;
        Ok(match converted.get_item(0)?.extract::<u8>()? {
            0 => Converted::Value(payload),
            1 => Converted::Number(payload.extract()?),
            2 => Converted::Null,
            _ => Converted::Unsupported(payload.extract()?),
        })
    }

    /// Whether a value is a data frame. Plain JSON values are told without a call of Python code.
    pub(super) fn is_frame(&self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let is_plain = value.is_none()
            || value.cast_exact::<PyDict>().is_ok()
            || value.is_instance_of::<PyInt>()
            || value.is_instance_of::<PyFloat>()
            || value.is_instance_of::<PyString>()
            || value.is_instance_of::<PyList>()
            || value.is_instance_of::<PyDict>()
            || value.is_instance_of::<PyTuple>();
        Ok(!is_plain && !self.library_of.bind(value.py()).call1((value,))?.is_none())
    }

    /// The rows of a data frame; `None` for any other value.
    pub(super) fn records<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let rows = self.records.bind(value.py()).call1((value,))?;
        Ok((!rows.is_none()).then_some(rows))
    }

    /// A data frame as an Arrow IPC stream, with the number of NaN values that became null; `None` for any other value.
    pub(super) fn table<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Option<(Bound<'py, PyBytes>, u32)>> {
        self.table.bind(value.py()).call1((value,))?.extract()
    }

    /// Decodes JSON with Python's own parser.
    pub(super) fn decode<'py>(&self, py: Python<'py>, json: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        self.decode.bind(py).call1((json,))
    }

    /// Brings back what items share after one that has changed it. True if the next item may change it unseen.
    pub(super) fn restore(&self, py: Python<'_>) -> bool {
        let Some(surroundings) = &self.surroundings else { return false };
        // It fails if the working directory is gone; the items will say so.
        surroundings.bind(py).call_method0("restore").and_then(|again| again.extract()).unwrap_or(true)
    }

    /// Ends a forked child. Returns only if that fails.
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

/// The class that makes a callable of what a client has pickled.
pub(super) fn pickled_programs(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    match py.import("_batchmill_pickled") {
        Ok(module) => module.getattr("Program"),
        Err(_) => PICKLED.load(py)?.getattr("Program"),
    }
}

/// Loads what compiles code blocks, after [`programs`]. Only code blocks need it, and `ast` takes a while to import.
pub(super) fn load_code_compiler(py: Python<'_>) -> PyResult<()> {
    NAMES.load(py)?;
    CODE.load(py).map(drop)
}

/// The function that makes data frames. Loaded late, because few steps use them.
pub(super) fn frames(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    FRAMES.load(py)?.getattr("maker")
}

/// Makes the interpreter use the environment that `site` describes.
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
