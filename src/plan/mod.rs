//! From a checked step to work: parameters, items, batches.
//!
//! Owns the sources of items (one file each), the look at files of rows before a run, the reading of settings that were templates, and the rule that says whether
//! a task takes items or batches. Runs nothing but the `$(command)` of a source; knows neither slots nor ledger.

mod batched;
mod files;
mod params;
mod settings;
mod sources;
mod survey;

pub use batched::{Batched, batched_rule};
pub use files::Meter;
pub use params::{ParamValues, resolve_params};
pub use settings::resolve;
pub use sources::{Chunk, Items as ItemSource, RunCommand, Source, SourceError, Surroundings, open};
pub use survey::{FileLook, Group, Odd, Request, SeenColumn, Survey, Totals, delimiter_name, look, sort};
