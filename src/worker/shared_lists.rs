//! Lists that all items of a worker share: an item that changes one is noticed.

use crate::wire::{Program, Start};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use std::cell::Cell;

/// `sys.path` and the filters of `warnings`, as `setup` left them.
pub(super) struct SharedLists {
    /// The names of `sys`; `None` if the code imports nothing, and so cannot put another list there.
    sys: Option<Py<PyDict>>,
    /// `sys.path`, and its length.
    path: (Py<PyList>, usize),
    /// The filters, and their number after `setup` or the last module that added some.
    filters: (Py<PyList>, Cell<usize>),
}

impl SharedLists {
    /// As they are now, for this program.
    pub(super) fn of(py: Python<'_>, start: &Start) -> PyResult<Self> {
        let code = match &start.program {
            Program::Code { source, .. } => Some(source),
            Program::Function { .. } | Program::Operation { .. } | Program::Pickled { .. } => None,
        };
        let imports = code.is_none_or(|code| code.contains("import")) || start.setup.is_some();
        let sys = py.import("sys")?;
        let path = sys.getattr("path")?.cast_into::<PyList>().map_err(PyErr::from)?;
        let filters = py.import("_warnings")?.getattr("filters")?.cast_into::<PyList>().map_err(PyErr::from)?;
        let (folders, count) = (path.len(), Cell::new(filters.len()));
        let sys = imports.then(|| sys.dict().unbind());
        Ok(Self { sys, path: (path.unbind(), folders), filters: (filters.unbind(), count) })
    }

    /// Whether `sys.path` is another list, or one of them is longer or shorter. Asking takes next to no time.
    pub(super) fn are_other(&self, py: Python<'_>) -> bool {
        self.has_other_path(py)
            || self.path.0.bind(py).len() != self.path.1
            || self.filters.0.bind(py).len() != self.filters.1.get()
    }

    fn has_other_path(&self, py: Python<'_>) -> bool {
        let Some(sys) = &self.sys else { return false };
        let path = sys.bind(py).get_item(intern!(py, "path")).ok().flatten();
        !path.is_some_and(|path| path.is(&self.path.0))
    }

    /// Notes how many filters there are, after what an item changed was brought back.
    pub(super) fn note_filters(&self, py: Python<'_>) {
        self.filters.1.set(self.filters.0.bind(py).len());
    }
}
