//! `batchmill failures`: the failed items of a run.

mod groups;
mod list;

use crate::cli::args::{Format, RunSelector, items};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::lookup::{Detail, step_named, stopped_steps};
use crate::cli::stderr::tell;
use crate::text::Printable;
use clap::Args;
use list::AllFailures;

/// Arguments of `failures`.
#[derive(Debug, Args)]
pub struct FailuresArgs {
    #[command(flatten)]
    run: RunSelector,
    /// List only this step
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    /// Show tracebacks and captured output
    #[arg(long, conflicts_with = "group")]
    detail: bool,
    /// Count similar failures instead of listing each
    #[arg(long)]
    group: bool,
    /// List only the first N
    #[arg(long, value_name = "N", conflicts_with = "group", value_parser = items, allow_negative_numbers = true)]
    limit: Option<u64>,
    /// Output format
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
        let all = AllFailures { reader: &reader, steps, most: self.limit.unwrap_or(u64::MAX) };
        match (self.format, self.group) {
            (Format::Json, true) => groups::print_groups_json(&all)?,
            (Format::Json, false) => list::print_list_json(&all)?,
            (Format::Text, _) if all.is_empty()? => {
                tell(format!("no item of run `{}` failed", Printable::line(&reader.folder().run.0)));
                let detail = if self.detail { Detail::Shown } else { Detail::Hidden };
                stopped_steps(steps, detail).into_iter().for_each(tell);
            }
            (Format::Text, true) => groups::print_groups(&all)?,
            (Format::Text, false) if self.detail => list::print_details(&all)?,
            (Format::Text, false) => list::print_list(&all)?,
        }
        Ok(Exit::Done)
    }
}
