//! What a client has pickled, seen from Rust: handles to the Python half.

use crate::model::{Failure, FailureKind};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

/// What a program of a client needs around its calls.
pub(super) struct Pickled {
    loads: Py<PyAny>,
    rescue: Py<PyAny>,
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
        let rescue = program.getattr("rescue")?.unbind();
        let apart = program.getattr("apart")?.extract()?;
        Ok(Some(Self { loads: loads.unbind(), rescue, dumps, describe, apart }))
    }

    /// The items of a bundle.
    ///
    /// # Errors
    /// If none of them can be made again.
    pub(super) fn load<'py>(&self, py: Python<'py>, bundle: &[u8]) -> PyResult<Loaded<'py>> {
        let bundle = PyBytes::new(py, bundle);
        let items = self.loads.bind(py).call1((&bundle,)).and_then(|items| Ok(items.cast_into::<PyList>()?));
        items.map(|items| Loaded { items, broken: None }).or_else(|error| {
            let rescued = self.rescue.bind(py).call1((&bundle,)).and_then(|rescued| rescued.extract());
            // What is wrong with the whole bundle is said by the error of the first try.
            let (items, broken) = rescued.map_err(|_| error)?;
            Ok(Loaded { items, broken: Some(broken) })
        })
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

/// The items of a bundle, and the exceptions of those that could not be made again, by their numbers.
pub(super) struct Loaded<'py> {
    items: Bound<'py, PyList>,
    broken: Option<Bound<'py, PyDict>>,
}

impl<'py> Loaded<'py> {
    /// Why the item with this number could not be made again.
    pub(super) fn fault(&self, member: u32) -> Option<PyErr> {
        self.broken.as_ref()?.get_item(member).ok().flatten().map(PyErr::from_value)
    }

    /// The item with this number.
    pub(super) fn item(&self, member: u32) -> PyResult<Bound<'py, PyAny>> {
        self.items.get_item(member as usize)
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
