//! `batchmill failures`: the failed items of a run.

mod groups;
mod list;

use crate::cli::args::{Format, RunSelector};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::lookup::step_named;
use clap::Args;
use list::Failed;

/// Arguments of `failures`.
#[derive(Debug, Args)]
pub struct FailuresArgs {
    #[command(flatten)]
    run: RunSelector,
    /// Only this step
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    /// Show tracebacks too, and what was printed
    #[arg(long, conflicts_with = "group")]
    detail: bool,
    /// Count failures that are alike, instead of listing each
    #[arg(long)]
    group: bool,
    /// What stdout gets
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl FailuresArgs {
    /// Prints the failures.
    pub fn run(self) -> Result<Exit, CliError> {
        let reader = self.run.open()?;
        reader.check()?;
        let steps = reader.steps()?;
        let steps = match &self.step {
            Some(name) => std::slice::from_ref(step_named(&steps, name)?),
            None => &steps,
        };
        let with_printed = self.detail || self.format == Format::Json && !self.group;
        let mut all = Vec::new();
        for step in steps {
            let step = reader.open_step(step.clone());
            let records = step.failures()?;
            let printed = if with_printed { step.printed(&records)? } else { Vec::new() };
            let mut printed = printed.into_iter();
            all.extend(records.into_iter().map(|record| Failed {
                step: step.record.name.clone(),
                record,
                printed: printed.next().unwrap_or_default(),
            }));
        }
        match (self.group, self.format) {
            (true, Format::Json) => groups::print_groups_json(&all)?,
            (true, Format::Text) => groups::print_groups(&all)?,
            (false, Format::Json) => list::print_list_json(&all)?,
            (false, Format::Text) if all.is_empty() => eprintln!("no item of run {} failed", reader.folder().run),
            (false, Format::Text) if self.detail => list::print_details(&all)?,
            (false, Format::Text) => list::print_list(&all)?,
        }
        Ok(Exit::Done)
    }
}
