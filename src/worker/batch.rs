//! `batch`, as user code sees it.

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;

/// The batch that the current item belongs to, read by attribute or by key.
///
/// There is one object per batch. Its `item` and `index` change with each item.
#[pyclass(module = "batchmill", name = "Batch", get_all)]
#[derive(Debug)]
pub(super) struct BatchView {
    /// The item, or all items of the batch if the task is batched.
    pub(super) item: Py<PyAny>,
    /// The item's index in the source; the index of the first item if the task is batched.
    pub(super) index: u64,
    /// The number of batches; 0 if unknown.
    pub(super) total: u64,
    /// The batch's number, from 1.
    pub(super) number: u64,
    /// The number of items in the batch.
    pub(super) size: usize,
    /// The attempt, from 1.
    pub(super) attempt: u32,
}

const NAMES: [&str; 6] = ["item", "index", "total", "number", "size", "attempt"];

#[pymethods]
impl BatchView {
    fn __getitem__<'py>(slf: &Bound<'py, Self>, key: &str) -> PyResult<Bound<'py, PyAny>> {
        if NAMES.contains(&key) {
            return slf.getattr(key);
        }
        Err(PyKeyError::new_err(format!("`batch` has no `{key}`, only {}", NAMES.join(", "))))
    }

    #[pyo3(signature = (key, default=None))]
    fn get<'py>(
        slf: &Bound<'py, Self>,
        key: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if NAMES.contains(&key) {
            return slf.getattr(key).map(Some);
        }
        Ok(default)
    }

    fn keys(&self) -> [&'static str; 6] {
        NAMES
    }

    fn __contains__(&self, key: &str) -> bool {
        NAMES.contains(&key)
    }

    fn __len__(&self) -> usize {
        NAMES.len()
    }

    fn __repr__(&self) -> String {
        format!(
            "<batch {} of {}: index={}, size={}, attempt={}>",
            self.number, self.total, self.index, self.size, self.attempt
        )
    }
}
