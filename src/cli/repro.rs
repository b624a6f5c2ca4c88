//! `batchmill repro`: one failed item again, in front of the person.

use super::again::{Given, absolute, prepare_again};
use super::exit::{Exit, Stop};
use super::{State, print, run};
use crate::ledger::{Durability, FailureRecord, Reader, RunFolder, StateFolder};
use crate::model::StepName;
use crate::run::Repro;
use crate::task::ForegroundEnd;
use crate::text::MASK;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct ReproArgs {
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
    state: State,
}

pub(super) fn repro(args: ReproArgs) -> Result<Exit, Stop> {
    let state = absolute(&args.state.state_dir)?;
    let folder = StateFolder(state.clone()).find(&args.run)?;
    let (step, failure) = find(&folder, &args)?;
    if failure.item.contains(MASK) {
        let message = format!("item {} of step `{step}` holds a secret, so it was not kept as it is", failure.index);
        return Err(Stop::bad(message).hint("run it again with `batchmill retry`"));
    }
    let params = run::params(&args.params)?;
    let (python, slow_after, durability) = (args.python, Duration::MAX, Durability::default());
    let given = Given { params, python, jobs: None, slow_after, durability, state };
    let prepared = prepare_again(&folder, given)?;
    let repro = Repro { prepared: &prepared, folder: &folder, step: &step, failure: &failure };
    let cause = format!("{}: {}", failure.class, failure.message);
    eprintln!("{step}[{}] {} failed with {cause}; running it again", failure.index, failure.item);
    match repro.run(args.pdb).map_err(Stop::bad)? {
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

fn succeeded() -> Exit {
    eprintln!("it succeeded this time; `batchmill retry` runs it again and keeps the result");
    Exit::Done
}

/// The failed item that is meant.
fn find(folder: &RunFolder, args: &ReproArgs) -> Result<(StepName, FailureRecord), Stop> {
    let reader = Reader::open(folder.clone())?;
    let mut found = Vec::new();
    for step in reader.steps()? {
        if args.step.as_ref().is_some_and(|name| *name != step.name.as_str()) {
            continue;
        }
        let step = reader.open_step(step);
        found.extend(step.failures_named(&args.item)?.into_iter().map(|failure| (step.record.name.clone(), failure)));
    }
    let mut found = found.into_iter();
    let first = found.next().ok_or_else(|| {
        Stop::bad(format!("no failed item of run {} is `{}`", folder.run, args.item))
            .hint("`batchmill failures` shows indexes, and with `--format json` keys")
    })?;
    match found.find(|other| other.0 != first.0 || other.1.index != first.1.index) {
        Some(other) => {
            let places = format!("{}[{}] and {}[{}]", first.0, first.1.index, other.0, other.1.index);
            Err(Stop::bad(format!("`{}` may be {places}", args.item))
                .hint("name the step with `--step`, or more of the key"))
        }
        None => Ok(first),
    }
}
