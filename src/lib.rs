//! batchmill: a data-parallel CPU batch engine.

pub mod cli;
pub mod engine;
pub mod ledger;
pub mod model;
pub mod plan;
pub mod report;
pub mod spec;
pub mod task;
pub mod template;
pub mod wire;
