//! From the tree of nodes to the checked workflow. Every error is noted and reading goes on, so that all come at once.

mod aggregate;
mod batch;
mod file;
mod items;
mod names;
mod outputs;
mod params;
mod python;
mod retry;
mod rows;
mod section;
mod sql;
mod steps;
mod task;
mod task_type;

#[cfg(test)]
mod tests;

pub use file::parse;
pub use params::{check_param, value, values};
