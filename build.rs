//! Gives `batchmill-python` the run path of the libpython it is linked with, and `batchmill` the version of it.
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "python")]
    {
        pyo3_build_config::add_libpython_rpath_link_args();
        println!("cargo::rustc-env=BATCHMILL_CPYTHON={}", pyo3_build_config::get().version());
    }
}
