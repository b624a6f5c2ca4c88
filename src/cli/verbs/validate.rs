//! `batchmill validate`: checks a workflow file and runs nothing.

use crate::cli::args::{StateArgs, WorkflowArgs};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::print;
use crate::cli::prepare::{load, options};
use crate::compile::{Options, prepare};
use crate::report::count;
use crate::spec::{BatchSize, BatchSpec, Setting, StepKind};
use crate::task::Program;
use clap::Args;
use std::fmt::Write;

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    #[command(flatten)]
    workflow: WorkflowArgs,
    #[command(flatten)]
    state: StateArgs,
}

impl ValidateArgs {
    /// Checks the file.
    pub fn run(self) -> Result<Exit, CliError> {
        let workflow = load(&self.workflow.file)?;
        let options = Options { check_only: true, ..options(&self.workflow, &self.state)? };
        let prepared = prepare(workflow, options)?;
        let path = prepared.workflow.source.path.display();
        let mut text = format!("{path} is valid: {}\n", count(prepared.workflow.steps.len() as u64, "step"));
        for step in &prepared.steps {
            if let StepKind::Batch(batch) = &step.step.kind {
                let _ = writeln!(text, "  {}: {}", step.name(), item_is(batch, &step.program));
            }
        }
        print(&text)?;
        Ok(Exit::Done)
    }
}

/// What `item` is, as far as the file alone tells.
fn item_is(batch: &BatchSpec, program: &Program) -> &'static str {
    let python = program.takes_batches();
    let size_one = matches!(&batch.batch_size, Setting::Fixed(BatchSize::Exactly(size)) if size.get() == 1);
    match batch.batched {
        Some(true) if batch.batch_format.0.library().is_some() => "`item` is the batch, because `batch_format` says so",
        Some(true) => "`item` is the batch, because `batched: true` says so",
        Some(false) => "`item` is one item, because `batched: false` says so",
        None if !python => "`item` is one item, because only python tasks take whole batches",
        None if size_one => "`item` is one item, because `batch_size` is 1",
        None => "`item` is the batch if the first item is a record (a mapping), else one item",
    }
}
