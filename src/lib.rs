//! batchmill: a data-parallel CPU batch engine.

pub mod model;
pub mod spec;
pub mod task;
pub mod template;
pub mod wire;
