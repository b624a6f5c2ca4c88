//! The engine: takes a checked workflow and runs it to its end.
//!
//! Owns the threads: slots in a rayon pool per step, the feeder on the calling thread, the aggregator beside it. Data goes
//! one way: feeder -> bounded channel -> slots -> bounded channel -> aggregator -> ledger, then listeners. The aggregator alone
//! writes the ledger and holds the counts; it tells the feeder about each batch that has ended, with what is to be tried
//! again, so the feeder knows when nothing is left. Stopping goes the other way, through latches that everybody listens to.

mod aggregate;
mod aggregator;
mod feeder;
mod fingerprint;
mod forecast;
mod history;
mod incremental;
mod output;
mod pace;
mod plan;
mod prepare;
mod reduce;
mod remaining;
mod repro;
mod resume;
mod secrets;
mod shape;
mod signals;
mod slot;
mod slow;
mod step;
mod values;
mod workflow;

pub use forecast::{Forecast, ForecastError, forecast};
pub use incremental::Compare;
pub use prepare::{Options, PrepareError, Prepared, prepare};
pub use repro::Repro;
pub use resume::ItemSelection;
pub use secrets::{MASK, Secrets};
pub use shape::{Shape, ShapeError, shape};
pub use signals::{Interrupts, listen, outlive_file_limit};
pub use values::{failures_json, step_scope};
pub use workflow::{EngineError, RunEnd, Start, run};
