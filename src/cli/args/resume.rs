//! Arguments of `resume` and `retry`.

use super::number::at_least_one;
use super::{DisplayArgs, DurabilityArgs, ExecutorArgs, StateArgs};
use clap::Args;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// A run, and what can be overridden when it is resumed.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Run ID, its beginning or end, or `latest`
    #[arg(default_value = "latest")]
    pub run: String,
    /// Parameters to override; the others keep their values. Secrets are not saved: pass them again, as
    /// `NAME@=FILE`
    #[arg(value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// YAML or JSON file with parameters to override, or `-` for stdin; NAME=VALUE wins
    #[arg(long, value_name = "FILE")]
    pub params_file: Option<PathBuf>,
    /// Python interpreter for Python tasks
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// Maximum workers of a parallel step; never more than its `max_parallel`
    #[arg(short, long, value_name = "N", value_parser = at_least_one, allow_negative_numbers = true)]
    pub jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    pub executor: ExecutorArgs,
    #[command(flatten)]
    pub state: StateArgs,
    #[command(flatten)]
    pub durability: DurabilityArgs,
    #[command(flatten)]
    pub display: DisplayArgs,
}
