//! Starts CPython without its `site` module, and with the locale and the UTF-8 mode that `python3` would have here.
//!
//! `site` would set up the packages of the embedded interpreter's own installation, including everything that their `.pth`
//! files import, just to have them replaced by those of the chosen environment. `activate` sets up that environment later.
#![cfg_attr(
    not(feature = "abi3"),
    expect(unsafe_code, reason = "CPython takes this setting as a global variable only")
)]

use pyo3::Python;
#[cfg(not(feature = "abi3"))]
use pyo3::{ffi, prelude::*};

/// Starts the interpreter. Call it once, before anything else that uses Python.
#[cfg(not(feature = "abi3"))]
#[expect(deprecated, reason = "the replacement takes a dozen unsafe calls")]
pub(super) fn start() {
    let mut locale = std::mem::MaybeUninit::<ffi::PyPreConfig>::zeroed();
    // SAFETY: `PyPreConfig_InitPythonConfig` fills in the whole struct, which lives until `Py_PreInitialize` has copied it.
    // `Py_Initialize`, which follows, reads the variable. No other thread of this process uses Python yet.
    unsafe {
        // `Py_Initialize` alone ignores PYTHONUTF8 and leaves an unset or `C` locale as ASCII (PEP 538, PEP 540).
        ffi::PyPreConfig_InitPythonConfig(locale.as_mut_ptr());
        let status = ffi::Py_PreInitialize(locale.as_ptr());
        if ffi::PyStatus_Exception(status) != 0 {
            ffi::Py_ExitStatusException(status);
        }
        ffi::Py_NoSiteFlag = 1;
    }
    Python::initialize();
    Python::attach(|py| allow_site(py).expect("`sys.flags` is a named tuple of numbers"));
}

/// Has `sys.flags` say that there is `site`, which `activate` sees to. Processes that `multiprocessing` and others start get the flags of
/// this one, and would have no packages.
#[cfg(not(feature = "abi3"))]
fn allow_site(py: Python<'_>) -> PyResult<()> {
    let flags = py.import("sys")?.getattr("flags")?;
    let place: isize = flags.getattr("__match_args__")?.call_method1("index", ("no_site",))?.extract()?;
    let no = 0_i32.into_pyobject(py)?.into_any().unbind();
    // SAFETY: `flags` has an element at this place. Nothing else runs in the interpreter yet that could read it meanwhile. The number that
    // was there is never freed.
    unsafe { ffi::PyStructSequence_SetItem(flags.as_ptr(), place, no.into_ptr()) };
    Ok(())
}

/// Starts the interpreter. The stable ABI does not have the setting, and the wheel doesn't need it.
#[cfg(feature = "abi3")]
pub(super) fn start() {
    Python::initialize();
}
