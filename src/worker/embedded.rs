//! The Python half of the worker, embedded in this binary.
//!
//! `batchmill-python` is built for one CPython, so `build.rs` compiles these files with it. Loading the bytecode takes a
//! fraction of a millisecond; compiling the source took 8 ms of each start. The wheel supports many versions, so it compiles the
//! source at each start, and so does a CPython with different bytecode.

use pyo3::exceptions::PySystemError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::ffi::CString;

/// One Python file.
pub(super) struct Embedded {
    pub(super) source: &'static str,
    /// The magic number of the bytecode, then the code as `marshal` writes it. Empty if it was not compiled.
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
pub(super) const NAMES: Embedded = embedded!("names");
pub(super) const PICKLED: Embedded = embedded!("pickled");
pub(super) const SEEDS: Embedded = embedded!("seeds");
pub(super) const CODE: Embedded = embedded!("code");
pub(super) const SAMPLES: Embedded = embedded!("samples");

/// The length of `importlib.util.MAGIC_NUMBER`.
const MAGIC: usize = 4;

impl Embedded {
    /// Loads the file as a module.
    pub(super) fn load<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyModule>> {
        if let Some((magic, code)) = self.compiled.split_at_checked(MAGIC)
            && magic == py.import("_frozen_importlib_external")?.getattr("MAGIC_NUMBER")?.extract::<&[u8]>()?
        {
            return self.execute(&py.import("marshal")?.getattr("loads")?.call1((PyBytes::new(py, code),))?);
        }
        let text = |text: &str| CString::new(text).map_err(|_| PySystemError::new_err("NUL byte in embedded source"));
        PyModule::from_code(py, &text(self.source)?, &text(self.file)?, &text(self.name)?)
    }

    /// Runs the code as a new module. If that fails, the module is removed, so that nothing imports half of it.
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
