//! `batchmill plan`: shows what would run.

use crate::cli::args::{Format, StateArgs, WorkflowArgs};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::preview::{Preview, RowCounts};
use clap::Args;

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    workflow: WorkflowArgs,
    #[command(flatten)]
    state: StateArgs,
    /// Show what resuming the latest run of this file would run, and why
    #[arg(long)]
    resume: bool,
    /// Don't read files of rows to count their rows
    #[arg(long)]
    no_count: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl PlanArgs {
    /// Prints the plan.
    pub fn run(self) -> Result<Exit, CliError> {
        let rows = if self.no_count { RowCounts::Skip } else { RowCounts::Count };
        let Self { workflow, state, resume, format, .. } = self;
        Preview { workflow, state, resume, rows, format }.show()
    }
}
