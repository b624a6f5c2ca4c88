//! `batchmill retry`: reruns the failed items of a run.

use crate::cli::args::ResumeArgs;
use crate::cli::error::CliError;
use crate::cli::execute::execute_again;
use crate::cli::exit::Exit;
use crate::cli::lookup::no_failed_item;
use crate::cli::stderr::tell;
use crate::ledger::{Reader, RunFolder, StepRecord};
use crate::model::Status;
use crate::resume::{ItemNames, ItemSelection};
use crate::text::Printable;
use clap::Args;
use std::collections::{BTreeSet, HashSet};

/// Arguments of `retry`.
#[derive(Debug, Args)]
pub struct RetryArgs {
    #[command(flatten)]
    resume: ResumeArgs,
    /// Rerun only this failed item: its index, or the beginning of its key; can be repeated
    #[arg(long, value_name = "INDEX|KEY")]
    only: Vec<String>,
    /// Run the items that `ctl` has cancelled or skipped, instead of the failed ones
    #[arg(long, conflicts_with = "only")]
    cancelled: bool,
}

impl RetryArgs {
    /// Reruns the failed items.
    pub fn run(self) -> Result<Exit, CliError> {
        let (only, cancelled) = (self.only, self.cancelled);
        execute_again(self.resume, |folder| {
            if cancelled {
                tell_if_none(folder, ("was cancelled or skipped", |step| step.stats.cancelled == 0))?;
                return Ok(ItemSelection::Cancelled);
            }
            if only.is_empty() {
                tell_if_none(folder, ("failed", |step| step.stats.failed == 0))?;
                return Ok(ItemSelection::Failed);
            }
            check_names(folder, &only)?;
            Ok(ItemSelection::Only(only.iter().collect()))
        })
    }
}

/// Says so if there is nothing to do: all steps are over, and none has such items.
fn tell_if_none(folder: &RunFolder, (what, has_none): (&str, fn(&StepRecord) -> bool)) -> Result<(), CliError> {
    let steps = Reader::open(folder.clone())?.steps()?;
    let is_over = |status| matches!(status, Status::Succeeded | Status::Partial | Status::Empty);
    if steps.iter().all(|step| has_none(step) && is_over(step.status)) {
        tell(format!("nothing to retry: no item of run `{}` {what}", Printable::line(&folder.run.0)));
    }
    Ok(())
}

/// Rejects values of `--only` that match no failed item.
fn check_names(folder: &RunFolder, names: &[String]) -> Result<(), CliError> {
    let reader = Reader::open(folder.clone())?;
    let (mut indexes, mut keys) = (HashSet::new(), BTreeSet::new());
    for step in reader.steps()? {
        for (index, key) in reader.open_step(step).failure_keys()? {
            indexes.insert(index);
            keys.insert(key);
        }
    }
    let has_index = |name: &String| name.parse().is_ok_and(|index| indexes.contains(&index));
    let has_key = |name: &String| keys.range(name.clone()..).next().is_some_and(|key| key.starts_with(name));
    let has = |name: &&String| has_index(name) || name.len() >= ItemNames::LEAST_OF_KEY && has_key(name);
    match names.iter().find(|name| !has(name)) {
        Some(name) => Err(no_failed_item(folder, name)),
        None => Ok(()),
    }
}
