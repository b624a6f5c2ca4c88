//! `batchmill repro`: reruns one failed item in the foreground.

use crate::cli::args::StateArgs;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::find_run::find_run;
use crate::cli::lookup::{FailedItem, failed_items, no_failed_item};
use crate::cli::params;
use crate::cli::prepare::{Overrides, absolute, prepare_again};
use crate::cli::stderr::tell;
use crate::cli::stdout::print_data;
use crate::ledger::{Durability, RunFolder, StateFolder};
use crate::run::Repro;
use crate::task::ForegroundEnd;
use crate::text::{MASK, MaybeSecret, Printable};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `repro`.
#[derive(Debug, Args)]
pub struct ReproArgs {
    /// Run ID, its beginning or end, or `latest`
    run: String,
    /// Failed item: its index, or the beginning of its key
    #[arg(value_name = "INDEX|KEY")]
    item: String,
    /// Parameters to override; the others keep their values. Secrets are not saved: pass them again, as
    /// `NAME@=FILE`
    #[arg(value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// Step of the item, if items of several steps match
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    /// Open the Python debugger at the exception
    #[arg(long)]
    pdb: bool,
    /// Python interpreter for Python tasks
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    #[command(flatten)]
    state: StateArgs,
}

impl ReproArgs {
    /// Reruns the item.
    pub fn run(self) -> Result<Exit, CliError> {
        let state = StateFolder(absolute(&self.state.state_dir)?);
        let folder = find_run(&state, &self.run)?;
        let FailedItem { step, record: failure } = self.find(&folder)?;
        let run = Printable::line(&folder.run.0);
        let place = format!("{step}[{}]", failure.index);
        if failure.item.contains(MASK) {
            let message = format!("{place} contains a secret, which is not saved, so it cannot be rerun alone");
            return Err(CliError::bad(message).help(format!("rerun all failed items: `batchmill retry {run}`")));
        }
        let overrides = Overrides {
            params: params::given(None, &self.params)?,
            python: self.python,
            jobs: None,
            max_items: None,
            slow_after: Duration::MAX,
            executor: None,
            durability: Durability::default(),
            state,
        };
        let prepared = prepare_again(&folder, overrides)?;
        let item = Printable::line(&failure.item);
        let cause = Printable::lines(format!("{}: {}", failure.class, failure.message)).indented("  ");
        tell(format!("rerunning {place} {item}, which failed with {cause}"));
        let repro = Repro { prepared: &prepared, folder: &folder, step: &step, failure: &failure };
        let end = repro.run(self.pdb).map_err(|message| CliError::bad(message).masked(&prepared.secrets))?;
        let status = match end {
            Ok(ForegroundEnd::Line(line)) => {
                print_data(&line)?;
                None
            }
            Ok(ForegroundEnd::Status(status)) => (!status.success()).then(|| status.to_string()),
            Err(failure) => {
                let detail = failure.detail.map_or(String::new(), |detail| format!("\n{}", detail.trim_end()));
                Some(format!("{}: {}{detail}", failure.class, failure.message))
            }
        };
        Ok(match status {
            None => {
                let retry = format!("batchmill retry {run} --only {}", failure.index);
                tell(format!("{place} succeeded this time; the run still lists it as failed\nnext: {retry}"));
                Exit::Done
            }
            Some(error) => {
                let error = MaybeSecret::from(error).masked(&prepared.secrets).lines().indented("  ");
                tell(format!("{place} failed again: {error}"));
                Exit::SomeFailed
            }
        })
    }

    /// The failed item to rerun.
    fn find(&self, folder: &RunFolder) -> Result<FailedItem, CliError> {
        let mut found = failed_items(folder, &self.item, self.step.as_deref())?.into_iter();
        let first = found.next().ok_or_else(|| no_failed_item(folder, &self.item))?;
        match found.find(|other| other.step != first.step || other.record.index != first.record.index) {
            Some(other) => {
                let place = |item: &FailedItem| format!("{}[{}]", item.step, item.record.index);
                let item = Printable::line(&self.item);
                let message = format!("`{item}` matches {} and {}", place(&first), place(&other));
                Err(CliError::bad(message).help("pass `--step NAME`, or more of the key"))
            }
            None => Ok(first),
        }
    }
}
