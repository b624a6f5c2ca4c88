//! batchmill: a data-parallel CPU batch engine.

#[cfg(feature = "python")]
pub mod bindings;
pub mod model;
pub mod spec;
pub mod wire;
#[cfg(feature = "python")]
pub mod worker;
