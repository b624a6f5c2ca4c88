//! The JSON parser of the worker.

use jiter::{FloatMode, PartialMode, PythonParse, StringCacheMode};
use pyo3::prelude::*;

/// Keeps all digits of integers. Caches keys, but not string values, which rarely repeat.
pub(super) const PARSE: PythonParse = PythonParse {
    allow_inf_nan: false,
    cache_mode: StringCacheMode::Keys,
    partial_mode: PartialMode::Off,
    catch_duplicate_keys: false,
    float_mode: FloatMode::Float,
};

/// The value of JSON that batchmill itself has written. It never needs Python's parser, whose import takes a while.
pub(super) fn parse<'py>(py: Python<'py>, json: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let wrong = |error: jiter::JsonError| pyo3::exceptions::PyValueError::new_err(error.to_string());
    PARSE.python_parse(py, json).map_err(wrong)
}
