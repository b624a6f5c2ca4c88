//! Starts CPython without its `site` module.
//!
//! `site` would set up the packages of the embedded interpreter's own installation, including everything that their `.pth`
//! files import, just to have them replaced by those of the chosen environment. `activate` sets up that environment later.
#![cfg_attr(
    not(feature = "abi3"),
    expect(unsafe_code, reason = "CPython takes this setting as a global variable only")
)]

use pyo3::Python;

/// Starts the interpreter. Call it once, before anything else that uses Python.
#[cfg(not(feature = "abi3"))]
#[expect(deprecated, reason = "the replacement takes a dozen unsafe calls")]
pub(super) fn start() {
    // SAFETY: `Py_Initialize`, which follows, reads the variable. No other thread of this process uses Python yet.
    unsafe {
        pyo3::ffi::Py_NoSiteFlag = 1;
    }
    Python::initialize();
}

/// Starts the interpreter. The stable ABI does not have the setting, and the wheel doesn't need it.
#[cfg(feature = "abi3")]
pub(super) fn start() {
    Python::initialize();
}
