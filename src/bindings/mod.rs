//! The Python extension module `batchmill._core`.
//!
//! Exposes the worker to the Python package of the wheel.

use pyo3::prelude::*;

/// The native half of the Python package `batchmill`.
#[pymodule]
mod _core {
    use pyo3::prelude::*;

    /// Runs a worker on this process's stdin and stdout. Returns the exit status.
    #[pyfunction]
    fn worker_main(py: Python<'_>) -> u8 {
        crate::worker::hosted(py)
    }

    /// Runs the job in a file in the foreground. Returns the exit status.
    #[pyfunction]
    fn foreground_main(py: Python<'_>, path: &str) -> u8 {
        crate::worker::foreground(py, path)
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
