//! A workflow file, its parameters, and limits on the run.

use super::number::{at_least_one, items};
use clap::Args;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// A workflow file, its parameters and limits.
#[derive(Debug, Args)]
pub struct WorkflowArgs {
    /// Workflow file
    pub file: PathBuf,
    /// Parameters of the workflow, such as `rate=1.3` or `tags='[a, b]'`. `NAME@=FILE` reads the value from a file: others on
    /// this machine can see arguments, so pass secrets this way
    #[arg(value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// YAML or JSON file with parameters, or `-` for stdin; NAME=VALUE overrides it
    #[arg(long, value_name = "FILE")]
    pub params_file: Option<PathBuf>,
    /// Python interpreter for Python tasks
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// Maximum workers of a parallel step; never more than its `max_parallel`
    #[arg(short, long, value_name = "N", value_parser = at_least_one, allow_negative_numbers = true)]
    pub jobs: Option<NonZeroUsize>,
    /// Run at most the first N items of each batch step
    #[arg(long, value_name = "N", value_parser = items, allow_negative_numbers = true)]
    pub max_items: Option<u64>,
}
