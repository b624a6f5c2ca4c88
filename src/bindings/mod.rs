//! The Python extension module `batchmill._core`.
//!
//! Owns what the wheel shows of this crate, and nothing else; the work is done where it belongs.

use pyo3::prelude::*;

/// The native half of the Python package `batchmill`.
#[pymodule]
mod _core {
    use pyo3::prelude::*;

    /// Serves batchmill over this process's stdin and stdout; returns the exit status.
    #[pyfunction]
    fn worker_main(py: Python<'_>) -> u8 {
        crate::worker::hosted(py)
    }

    /// Runs one item in the foreground, as a file says; returns the exit status.
    #[pyfunction]
    fn foreground_main(py: Python<'_>, path: &str) -> u8 {
        crate::worker::foreground(py, path)
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
