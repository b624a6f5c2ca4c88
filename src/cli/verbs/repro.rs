//! `batchmill repro`: one failed item again, in front of the person.

use crate::cli::args::StateArgs;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::lookup::{FailedItem, failed_items, no_failed_item};
use crate::cli::output::print;
use crate::cli::params;
use crate::cli::prepare::{Overrides, absolute, prepare_again};
use crate::ledger::{Durability, RunFolder, StateFolder};
use crate::run::Repro;
use crate::task::ForegroundEnd;
use crate::text::MASK;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `repro`.
#[derive(Debug, Args)]
pub struct ReproArgs {
    /// The run: its id, the beginning or end of it, or `latest`
    run: String,
    /// The failed item: its index, or the beginning of its key
    #[arg(value_name = "INDEX|KEY")]
    item: String,
    /// Parameters to give anew; the others are those of the run. Secret ones are not kept, so they have to be given
    #[arg(value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// The step, where items of more than one failed
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    /// Open Python's debugger where the code raises
    #[arg(long)]
    pdb: bool,
    /// The Python interpreter for python tasks
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    #[command(flatten)]
    state: StateArgs,
}

impl ReproArgs {
    /// Runs the item.
    pub fn run(self) -> Result<Exit, CliError> {
        let state = StateFolder(absolute(&self.state.state_dir)?);
        let folder = state.find(&self.run)?;
        let FailedItem { step, record: failure } = self.find(&folder)?;
        if failure.item.contains(MASK) {
            let message =
                format!("item {} of step `{step}` holds a secret, so it was not kept as it is", failure.index);
            return Err(CliError::bad(message).help("run it again with `batchmill retry`"));
        }
        let overrides = Overrides {
            params: params::from_arguments(&self.params)?,
            python: self.python,
            jobs: None,
            slow_after: Duration::MAX,
            durability: Durability::default(),
            state,
        };
        let prepared = prepare_again(&folder, overrides)?;
        let repro = Repro { prepared: &prepared, folder: &folder, step: &step, failure: &failure };
        let cause = format!("{}: {}", failure.class, failure.message);
        eprintln!("{step}[{}] {} failed with {cause}; running it again", failure.index, failure.item);
        match repro.run(self.pdb).map_err(CliError::bad)? {
            Ok(ForegroundEnd::Line(line)) => {
                print(&String::from_utf8_lossy(&line))?;
                Ok(succeeded())
            }
            Ok(ForegroundEnd::Status(status)) if status.success() => Ok(succeeded()),
            Ok(ForegroundEnd::Status(status)) => {
                eprintln!("it failed again: {status}");
                Ok(Exit::SomeFailed)
            }
            Err(failure) => {
                let detail = failure.detail.map_or(String::new(), |detail| format!("\n{}", detail.trim_end()));
                eprintln!("it failed again: {}: {}{detail}", failure.class, failure.message);
                Ok(Exit::SomeFailed)
            }
        }
    }

    /// The failed item that is meant.
    fn find(&self, folder: &RunFolder) -> Result<FailedItem, CliError> {
        let mut found = failed_items(folder, &self.item, self.step.as_deref())?.into_iter();
        let first = found.next().ok_or_else(|| no_failed_item(folder, &self.item))?;
        match found.find(|other| other.step != first.step || other.record.index != first.record.index) {
            Some(other) => {
                let place = |item: &FailedItem| format!("{}[{}]", item.step, item.record.index);
                let message = format!("`{}` may be {} and {}", self.item, place(&first), place(&other));
                Err(CliError::bad(message).help("name the step with `--step`, or more of the key"))
            }
            None => Ok(first),
        }
    }
}

fn succeeded() -> Exit {
    eprintln!("it succeeded this time; `batchmill retry` runs it again and keeps the result");
    Exit::Done
}
