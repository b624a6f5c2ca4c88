//! `batchmill run`: starts a new run, or resumes the latest one of a file.

use crate::cli::args::{CompareBy, DisplayArgs, DurabilityArgs, ExecutorArgs, StateArgs, WorkflowArgs};
use crate::cli::error::CliError;
use crate::cli::execute::{execute, resume_run};
use crate::cli::exit::Exit;
use crate::cli::lookup::latest_run_of;
use crate::cli::prepare::{Overrides, absolute, load, options};
use crate::cli::preview::{Preview, RowCounts};
use crate::compile::{Options, prepare};
use crate::ledger::RunFolder;
use crate::resume::ItemSelection;
use crate::run::Start;
use clap::Args;

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    workflow: WorkflowArgs,
    #[command(flatten)]
    executor: ExecutorArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    durability: DurabilityArgs,
    #[command(flatten)]
    display: DisplayArgs,
    /// Show what would run without running it; same as `batchmill plan`
    #[arg(long)]
    dry_run: bool,
    /// Resume the latest run of this file, if there is one, instead of starting a new one
    #[arg(long)]
    resume: bool,
    /// Reuse the results of the last run of this file, and run only items that are new or changed; compare files by size
    /// and modification time, or by content
    #[arg(long, value_enum, value_name = "BY", num_args = 0..=1, require_equals = true, default_missing_value = "time",
        conflicts_with = "resume")]
    incremental: Option<CompareBy>,
}

impl RunArgs {
    /// Runs the workflow.
    pub fn run(self) -> Result<Exit, CliError> {
        let Self { workflow, state, resume, .. } = self;
        if self.dry_run {
            let format = self.display.format;
            let incremental = self.incremental.map(Into::into);
            return Preview { workflow, state, resume, incremental, rows: RowCounts::Count, format }.show();
        }
        if resume && let Some(folder) = latest_run_of(&workflow.file, &state.folder())? {
            let folder = RunFolder { path: absolute(&folder.path)?, ..folder };
            let overrides = Overrides {
                slow_after: self.display.slow_after,
                executor: self.executor.name(),
                durability: self.durability.into(),
                ..Overrides::of(&workflow, &state)?
            };
            return resume_run(folder, ItemSelection::Left, overrides, self.display);
        }
        let options = Options {
            slow_after: self.display.slow_after,
            executor: self.executor.name(),
            durability: self.durability.into(),
            incremental: self.incremental.map(Into::into),
            ..options(&workflow, &state)?
        };
        let prepared = prepare(load(&workflow.file)?, options)?;
        execute(&prepared, Start::New, &self.display, &workflow.file)
    }
}
