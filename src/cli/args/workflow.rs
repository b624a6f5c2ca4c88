//! A workflow file, its parameters, and limits on the run.

use clap::Args;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// A workflow file and what is given to it.
#[derive(Debug, Args)]
pub struct WorkflowArgs {
    /// The workflow file
    pub file: PathBuf,
    /// Parameters; values are read as YAML
    #[arg(value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// A YAML or JSON file with parameters; those on the command line win
    #[arg(long, value_name = "FILE")]
    pub params_file: Option<PathBuf>,
    /// The Python interpreter for python tasks
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// The most workers per step; `max_parallel` of the workflow is not exceeded
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Take no more than the first N items of each batch step
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_items: Option<u64>,
}
