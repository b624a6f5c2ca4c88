//! batchmill: a data-parallel CPU batch engine.

pub mod model;
pub mod spec;
pub mod wire;
