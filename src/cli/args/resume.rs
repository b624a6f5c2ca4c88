//! What `resume` and `retry` are given.

use super::{DisplayArgs, DurabilityArgs, StateArgs};
use clap::Args;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// A run, and what may be changed when it goes on.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The run: its id, the beginning or end of it, or `latest`
    #[arg(default_value = "latest")]
    pub run: String,
    /// Parameters to give anew; the others are those of the run. Secret ones are not kept, so they have to be given
    #[arg(value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// The Python interpreter for python tasks
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// The most workers per step; `max_parallel` of the workflow is not exceeded
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    pub state: StateArgs,
    #[command(flatten)]
    pub durability: DurabilityArgs,
    #[command(flatten)]
    pub display: DisplayArgs,
}
