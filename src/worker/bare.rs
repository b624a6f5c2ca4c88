//! Starts CPython without its `site` module.
//!
//! `site` would go through the packages of the installation that the interpreter stands in, with all that their `.pth` files
//! import, only for the environment that the worker stands for to be put in their place. What `site` does for a virtual
//! environment is done afterwards, by `activate`.
#![cfg_attr(
    not(feature = "abi3"),
    expect(unsafe_code, reason = "CPython takes this setting as a global variable only")
)]

use pyo3::Python;

/// Starts the interpreter. To be called once, before anything else of Python.
#[cfg(not(feature = "abi3"))]
#[expect(deprecated, reason = "what replaces it takes a dozen unsafe calls")]
pub(super) fn start() {
    // SAFETY: the variable is read by `Py_Initialize`, which follows; no other thread of this process knows of Python yet.
    unsafe {
        pyo3::ffi::Py_NoSiteFlag = 1;
    }
    Python::initialize();
}

/// Starts the interpreter; the stable interface does not know the setting, and the wheel has no need of it.
#[cfg(feature = "abi3")]
pub(super) fn start() {
    Python::initialize();
}
