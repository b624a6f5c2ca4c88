//! How the worker parses JSON.

use jiter::{FloatMode, PartialMode, PythonParse, StringCacheMode};
use pyo3::prelude::*;

/// Integers keep all digits. Keys are cached, string values are not: items rarely repeat them.
pub(super) const PARSE: PythonParse = PythonParse {
    allow_inf_nan: false,
    cache_mode: StringCacheMode::Keys,
    partial_mode: PartialMode::Off,
    catch_duplicate_keys: false,
    float_mode: FloatMode::Float,
};

/// The value that JSON of our own writes down: without Python's decoder, whose import takes a while.
pub(super) fn parse<'py>(py: Python<'py>, json: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let wrong = |error: jiter::JsonError| pyo3::exceptions::PyValueError::new_err(error.to_string());
    PARSE.python_parse(py, json).map_err(wrong)
}
