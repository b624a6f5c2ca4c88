//! batchmill: a data-parallel CPU batch engine.
//!
//! A YAML file names items and a task. batchmill divides the items into batches, runs them in parallel, and saves each
//! item's result or error in a ledger that survives `kill -9`. `docs/architecture.md` explains how data flows, what each
//! module owns and where to add things; a test enforces which module may import which.

#[cfg(feature = "python")]
pub mod bindings;
pub mod causes;
pub mod cli;
pub mod client;
pub mod columnar;
pub mod compile;
pub mod control;
pub mod database;
pub mod explain;
pub mod export;
pub mod host;
pub mod ledger;
pub mod measure;
pub mod model;
pub mod pipeline;
pub mod profile;
pub mod reduce;
pub mod report;
pub mod resume;
pub mod rows;
pub mod run;
pub mod serve;
pub mod sniff;
pub mod sources;
pub mod spec;
pub mod survey;
pub mod task;
pub mod template;
pub mod text;
pub mod wire;
#[cfg(feature = "python")]
pub mod worker;
