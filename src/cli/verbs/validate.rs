//! `batchmill validate`: checks a workflow file without running it.

use crate::cli::args::{StateArgs, WorkflowArgs};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::prepare::{load, options};
use crate::cli::stdout::print;
use crate::compile::{Options, prepare};
use crate::report::count;
use crate::spec::{BatchSize, BatchSpec, Setting, StepKind};
use crate::task::Program;
use crate::text::Printable;
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
        let path = Printable::path(&prepared.workflow.source.path);
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

/// Tells what `item` will be, as far as the file shows.
fn item_is(batch: &BatchSpec, program: &Program) -> &'static str {
    let python = program.takes_batches();
    let size_one = matches!(&batch.batch_size, Setting::Fixed(BatchSize::Exactly(size)) if size.get() == 1);
    match batch.batched {
        Some(true) if batch.batch_format.0.library().is_some() => "`item` is the batch, because `batch_format` is set",
        Some(true) => "`item` is the batch, because of `batched: true`",
        Some(false) => "`item` is one item, because of `batched: false`",
        None if !python => "`item` is one item, because only Python tasks can take whole batches",
        None if size_one => "`item` is one item, because `batch_size` is 1",
        None => "`item` is the batch if the first item is a record (a mapping), otherwise one item",
    }
}
