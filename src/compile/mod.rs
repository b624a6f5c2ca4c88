//! Prepares a workflow: finds every error that can be found before a run.
//!
//! [`prepare`] turns a checked workflow into [`PreparedStep`]s: parameters, secrets, templates, names and Python code are
//! checked, all errors reported at once. When a step starts, [`open_step`] settles its [`StepSettings`] and opens its
//! source. Fingerprints say what the results of a step depend on. Runs nothing but the command of a `$(command)` source;
//! knows neither slots nor what earlier executions did.

mod batched;
mod canonical;
mod check;
mod dependencies;
mod environment;
mod fingerprint;
mod interpreter;
mod notes;
mod open;
mod params;
mod prepare;
mod prepared;
mod settings;
mod sound;
mod upstream;
mod warning;
mod words;

pub use batched::{Batched, batched_rule};
pub use check::template_error;
pub use dependencies::mentions;
pub use environment::template_params;
pub use fingerprint::{aggregate_fingerprint, changes, fingerprint_with_upstream, looks_at_index};
pub use open::{OpenBatch, OpenStep, aggregate_target_of, open_batch, open_step, saved_target_of, table_of, target_of};
pub use params::{GivenParam, GivenParams, ParamValues, params_to_keep, resolve_params};
pub use prepare::{PrepareError, prepare};
pub use prepared::{Options, Prepared, PreparedStep};
pub use settings::{FailurePolicy, StartError, StepSettings, seed_of, timeout_of};
pub use upstream::Upstream;
pub use warning::{Level, Warning};
