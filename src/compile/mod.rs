//! Makes a workflow ready: everything that can be known to be wrong before a run.

mod batched;
mod params;

pub use batched::{Batched, batched_rule};
pub use params::{ParamValues, resolve_params};
