//! `batchmill plan`: shows what would run.

use crate::cli::args::{CompareBy, Format, StateArgs, WorkflowArgs};
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
    /// Show what an incremental run would run, and why
    #[arg(long, value_enum, value_name = "BY", num_args = 0..=1, require_equals = true, default_missing_value = "time",
        conflicts_with = "resume")]
    incremental: Option<CompareBy>,
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
        let Self { workflow, state, resume, incremental, format, .. } = self;
        let incremental = incremental.map(Into::into);
        Preview { workflow, state, resume, incremental, rows, format }.show()
    }
}
