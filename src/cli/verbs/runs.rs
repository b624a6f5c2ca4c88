//! `batchmill runs`: lists runs, and deletes old ones.

mod clean;
mod list;

use crate::cli::args::{Format, StateArgs};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use clap::{Args, Subcommand};
use clean::CleanArgs;

/// Arguments of `runs`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RunsArgs {
    #[command(subcommand)]
    verb: Option<RunsVerb>,
    #[command(flatten)]
    state: StateArgs,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum RunsVerb {
    /// Delete old runs and their results; active runs are kept
    Clean(CleanArgs),
}

impl RunsArgs {
    /// Lists the runs, or deletes some.
    pub fn run(self) -> Result<Exit, CliError> {
        match self.verb {
            Some(RunsVerb::Clean(args)) => args.run(),
            None => list::print_runs(&self.state, self.format),
        }
    }
}
