//! Turns the tree of nodes into a checked workflow.
//!
//! Records every error and continues, so that all errors of a file are reported at once.

mod aggregate;
mod bad_rows;
mod batch;
mod dialect;
mod file;
mod http;
mod items;
mod names;
mod output_options;
mod outputs;
mod params;
mod python;
mod resources;
mod retry;
mod rows;
mod section;
mod seed;
mod shell;
mod sql;
mod sql_output;
mod steps;
mod task;
mod task_type;
mod values;

#[cfg(test)]
mod tests;

pub use file::{draft, parse};
pub use params::{RENAME, check_param, is_reserved, reserved, value, values};
