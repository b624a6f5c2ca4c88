//! The Python half of the worker, carried in this binary.
//!
//! `batchmill-python` is built for one CPython, so `build.rs` has that one compile these files: reading the code back takes a
//! fraction of a millisecond, where compiling it took 8 of each worker's start. The wheel, which is for many versions, and a
//! CPython of another bytecode compile the source.

use pyo3::exceptions::PySystemError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::ffi::CString;

/// One file of it.
pub(super) struct Embedded {
    pub(super) source: &'static str,
    /// The version of the bytecode, then the code as `marshal` writes it; empty where it was not compiled.
    compiled: &'static [u8],
    file: &'static str,
    name: &'static str,
}

macro_rules! embedded {
    ($name:literal) => {
        Embedded {
            source: include_str!(concat!("python/", $name, ".py")),
            compiled: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".code")),
            file: concat!("<batchmill ", $name, ">"),
            name: concat!("_batchmill_", $name),
        }
    };
}

pub(super) const HOST: Embedded = embedded!("host");
pub(super) const VALUES: Embedded = embedded!("values");
pub(super) const RESULTS: Embedded = embedded!("results");
pub(super) const PROGRAMS: Embedded = embedded!("programs");
pub(super) const FRAMES: Embedded = embedded!("frames");
pub(super) const CODE: Embedded = embedded!("code");

/// The length of `importlib.util.MAGIC_NUMBER`.
const MAGIC: usize = 4;

impl Embedded {
    /// Loads it as a module.
    pub(super) fn load<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyModule>> {
        if let Some((magic, code)) = self.compiled.split_at_checked(MAGIC)
            && magic == py.import("_frozen_importlib_external")?.getattr("MAGIC_NUMBER")?.extract::<&[u8]>()?
        {
            return self.execute(&py.import("marshal")?.getattr("loads")?.call1((PyBytes::new(py, code),))?);
        }
        let text = |text: &str| CString::new(text).map_err(|_| PySystemError::new_err("a NUL in our own source"));
        PyModule::from_code(py, &text(self.source)?, &text(self.file)?, &text(self.name)?)
    }

    /// Runs it as the code of a new module. One that fails does not stay, so that nobody takes a half of it for the whole.
    fn execute<'py>(&self, code: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyModule>> {
        let py = code.py();
        let module = PyModule::new(py, self.name)?;
        module.setattr("__file__", self.file)?;
        let modules = py.import("sys")?.getattr("modules")?;
        modules.set_item(self.name, &module)?;
        match py.import("builtins")?.getattr("exec")?.call1((code, module.dict())) {
            Ok(_) => Ok(module),
            Err(error) => {
                modules.del_item(self.name)?;
                Err(error)
            }
        }
    }
}
