//! What a client has pickled, seen from Rust: handles to the Python half.

use crate::model::{Failure, FailureKind};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

/// What a program of a client needs around its calls.
pub(super) struct Pickled {
    loads: Py<PyAny>,
    dumps: Py<PyAny>,
    describe: Py<PyAny>,
    /// Whether each result is a pickle of its own, because it is kept.
    pub(super) apart: bool,
}

impl Pickled {
    /// What the Python half offers for a program of a client; `None` for any other program.
    pub(super) fn of(program: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let Some(loads) = program.getattr_opt("loads")? else { return Ok(None) };
        let dumps = program.getattr("dumps")?.unbind();
        let describe = program.getattr("describe")?.unbind();
        let apart = program.getattr("apart")?.extract()?;
        Ok(Some(Self { loads: loads.unbind(), dumps, describe, apart }))
    }

    /// The items of a bundle.
    pub(super) fn load<'py>(&self, py: Python<'py>, bundle: &[u8]) -> PyResult<Bound<'py, PyList>> {
        let items = self.loads.bind(py).call1((PyBytes::new(py, bundle),))?;
        items.cast_into::<PyList>().map_err(PyErr::from)
    }

    /// A pickle of a result.
    pub(super) fn dump<'py>(&self, result: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let pickle = self.dumps.bind(result.py()).call1((result,))?;
        pickle.cast_into::<PyBytes>().map_err(PyErr::from)
    }

    /// An exception as a failure that brings the exception itself along.
    pub(super) fn failure(&self, py: Python<'_>, error: PyErr) -> Failure {
        let described = self.describe.bind(py).call1((error.into_value(py),));
        let described = described.and_then(|described| described.extract::<Described>());
        match described {
            Ok(Described { class, message, detail, exception, retryable }) => {
                let failure = Failure::new(FailureKind::Exception, class, message).with_detail(detail);
                let failure = Failure { exception, ..failure };
                if retryable { failure } else { failure.permanent() }
            }
            // Out of memory or stack.
            Err(_) => Failure::new(FailureKind::Exception, "Exception", "the exception cannot be displayed"),
        }
    }
}

/// An exception in words, and as hexadecimal digits of its pickle.
#[derive(FromPyObject)]
struct Described {
    class: String,
    message: String,
    detail: String,
    exception: Option<String>,
    retryable: bool,
}

/// The client's half of a program, as the worker needs it.
pub(super) fn scope_of<'py>(program: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    program.getattr("scope")?.get_item("inputs")?.cast_into::<PyDict>().map_err(PyErr::from)
}
