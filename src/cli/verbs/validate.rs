//! `batchmill validate`: checks a workflow file without running it.

mod github;

use crate::cli::args::{StateArgs, WorkflowArgs};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::finding::Finding;
use crate::cli::prepare::{load, options};
use crate::cli::stderr::tell;
use crate::cli::stdout::{print, print_json};
use crate::compile::{Options, Prepared, Warning, prepare};
use crate::report::count;
use crate::spec::{BatchSize, BatchSpec, Setting, StepKind};
use crate::task::{Batching, Program};
use crate::text::Printable;
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::json;
use std::fmt::Write;

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    #[command(flatten)]
    workflow: WorkflowArgs,
    #[command(flatten)]
    state: StateArgs,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Readable text
    Text,
    /// One JSON object with every error and its place
    Json,
    /// Errors as workflow commands of GitHub Actions, which shows them in a pull request
    Github,
}

impl ValidateArgs {
    /// Checks the file.
    pub fn run(self) -> Result<Exit, CliError> {
        let file = &self.workflow.file;
        match (self.format, self.check()) {
            (Format::Text, checked) => print(text(&checked?))?,
            (Format::Json, Ok(prepared)) => {
                let steps = prepared.steps.iter().map(|step| {
                    let item = is_batch(&step.step.kind).map(|batch| item_is(batch, &step.program));
                    json!({"name": step.name(), "type": step.program.type_name(), "is_batch": item.is_some(), "item": item})
                });
                let steps: Vec<_> = steps.collect();
                let warnings: Vec<Told> = warnings(&prepared).iter().map(Told::of).collect();
                let file = file.display().to_string();
                print_json(&json!({
                    "file": file, "valid": true, "steps": steps, "diagnostics": [], "warnings": warnings,
                }))?;
            }
            (Format::Json, Err(error)) => {
                let found = error.findings(file);
                print_json(&json!({"file": file.display().to_string(), "valid": false, "diagnostics": found}))?;
                return Ok(error.exit());
            }
            (Format::Github, Ok(prepared)) => {
                print(warnings(&prepared).iter().map(github::warning).collect::<String>())?;
                tell(text(&prepared).trim_end());
            }
            (Format::Github, Err(error)) => {
                print(github::commands(&error.findings(file)))?;
                // Whoever reads the log sees the lines that are wrong.
                return Err(error);
            }
        }
        Ok(Exit::Done)
    }

    fn check(&self) -> Result<Prepared, CliError> {
        let workflow = load(&self.workflow.file)?;
        let options = Options { check_only: true, ..options(&self.workflow, &self.state)? };
        Ok(prepare(workflow, options)?)
    }
}

fn text(prepared: &Prepared) -> String {
    let path = Printable::path(&prepared.workflow.source.path);
    let mut text = format!("{path} is valid: {}\n", count(prepared.workflow.steps.len() as u64, "step"));
    for warning in warnings(prepared) {
        let _ = writeln!(text, "{warning}");
    }
    for step in &prepared.steps {
        if let Some(batch) = is_batch(&step.step.kind) {
            let _ = writeln!(text, "  {}: {}", step.name(), item_is(batch, &step.program));
        }
    }
    text
}

/// A warning for programs.
#[derive(Serialize)]
struct Told {
    level: &'static str,
    #[serde(flatten)]
    finding: Finding,
}

impl Told {
    fn of(warning: &Warning) -> Self {
        Self { level: warning.level.name(), finding: Finding::warning(warning) }
    }
}

/// What may be wrong, and what is good to know.
fn warnings(prepared: &Prepared) -> Vec<Warning> {
    prepared.warnings.iter().cloned().chain(prepared.notes()).collect()
}

fn is_batch(kind: &StepKind) -> Option<&BatchSpec> {
    match kind {
        StepKind::Batch(batch) => Some(batch),
        StepKind::Single(_) => None,
    }
}

/// Tells what `item` will be, as far as the file shows.
fn item_is(batch: &BatchSpec, program: &Program) -> &'static str {
    let batching = program.batching();
    let size_one = matches!(&batch.batch_size, Setting::Fixed(BatchSize::Exactly(size)) if size.get() == 1);
    match batch.batched {
        _ if batching == Batching::Always => "`item` is the batch, because `stdin` has `batch`",
        Some(true) if batch.batch_format.0.library().is_some() => "`item` is the batch, because `batch_format` is set",
        Some(true) => "`item` is the batch, because of `batched: true`",
        Some(false) => "`item` is one item, because of `batched: false`",
        None if batching == Batching::Never => {
            "`item` is one item, because only Python tasks, and commands with `stdin: {batch: ..}`, take whole batches"
        }
        None if size_one => "`item` is one item, because `batch_size` is 1",
        None => "`item` is the batch if the first item is a record (a mapping), otherwise one item",
    }
}
