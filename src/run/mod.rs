//! A run: the order of its steps, and what happens around each of them.
//!
//! Opens the ledger, asks `resume` what is left to do, has `pipeline` run that, then makes aggregates and output files
//! from the results. Latches stop it, and everyone listens to them.

mod advice;
mod aggregate;
mod aggregate_file;
mod control;
mod empty_header;
mod env;
mod error;
mod forecast;
mod hashed_rows;
mod history;
mod included;
mod incremental;
mod limits;
mod machine;
mod mode;
mod output;
mod output_paths;
mod ranges;
mod read_error;
mod recorder;
mod remote;
mod repro;
mod retention;
mod room;
mod saved_rows;
mod scope;
mod signals;
mod steering;
mod step;
mod step_end;
mod summary;
mod table_check;
mod table_output;
mod workflow;

pub use control::Control;
pub use error::EngineError;
pub use forecast::{Forecast, ForecastError, forecast};
pub use incremental::{find_baseline, is_baseline};
pub use limits::Limits;
pub use output_paths::{SharedPath, SideFile, check_outputs};
pub use repro::Repro;
pub use scope::{failures_json, scope_before, step_scope};
pub use signals::{StoppedBy, Stopper, outlive_file_limit};
pub use summary::WriteReport;
pub use table_check::check_tables;
pub use workflow::{Observers, RunEnd, Start, run};
