//! `batchmill resume` and `batchmill retry`: go on with a run.

use super::exit::{Exit, Stop};
use super::run::{How, execute, load};
use super::{Safety, State, run};
use crate::compile::ParamValues;
use crate::compile::{Options, Prepared, prepare};
use crate::ledger::{Durability, Reader, RunFolder, StateFolder};
use crate::model::Compare;
use crate::resume::ItemSelection;
use crate::run::Start;
use crate::text::MASK;
use anyhow::Context as _;
use clap::Args;
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct AgainArgs {
    /// The run: its id, the beginning or end of it, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    /// Parameters to give anew; the others are those of the run. Secret ones are not kept, so they have to be given
    #[arg(value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// The Python interpreter for python tasks
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// The most workers per step; `max_parallel` of the workflow is not exceeded
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    safety: Safety,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(super) struct RetryArgs {
    #[command(flatten)]
    again: AgainArgs,
    /// Only this failed item: its index, or the beginning of its key; may be given several times
    #[arg(long, value_name = "INDEX|KEY")]
    only: Vec<String>,
}

pub(super) fn resume(args: AgainArgs) -> Result<Exit, Stop> {
    again(args, ItemSelection::Left)
}

pub(super) fn retry(args: RetryArgs) -> Result<Exit, Stop> {
    let which = if args.only.is_empty() { ItemSelection::Failed } else { ItemSelection::Only(args.only) };
    again(args.again, which)
}

fn again(mut args: AgainArgs, which: ItemSelection) -> Result<Exit, Stop> {
    if args.run.contains('=') {
        // No run is called so: it is a parameter, and the run was left out.
        args.params.insert(0, std::mem::replace(&mut args.run, "latest".to_owned()));
    }
    let state = absolute(&args.state.state_dir)?;
    let folder = StateFolder(state.clone()).find(&args.run)?;
    if let ItemSelection::Only(names) = &which {
        check_names(&folder, names)?;
    }
    let (params, slow_after, durability) = (run::params(&args.params)?, args.how.slow_after, args.safety.into());
    let given = Given { params, python: args.python, jobs: args.jobs, slow_after, durability, state };
    let prepared = prepare_again(&folder, given)?;
    execute(&prepared, Start::Again(folder, which), args.how)
}

/// Refuses names of `--only` that no failed item has.
fn check_names(folder: &RunFolder, names: &[String]) -> Result<(), Stop> {
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
    let has = |name: &String| has_index(name) || name.len() >= 4 && has_key(name);
    match names.iter().find(|name| !has(name)) {
        Some(name) => Err(Stop::bad(format!("no failed item of run {} is `{name}`", folder.run)).hint(
            "`batchmill failures` shows indexes, and with `--format json` keys; four characters of a key are enough",
        )),
        None => Ok(()),
    }
}

/// What may be given anew when a run goes on.
pub(super) struct Given {
    pub(super) params: ParamValues,
    pub(super) python: Option<PathBuf>,
    pub(super) jobs: Option<NonZeroUsize>,
    pub(super) slow_after: Duration,
    pub(super) durability: Durability,
    pub(super) state: PathBuf,
}

/// Prepares the workflow of a run again: the file as it is now, the parameters as they were.
pub(super) fn prepare_again(folder: &RunFolder, given: Given) -> Result<Prepared, Stop> {
    let record = Reader::open(folder.clone())?.run()?;
    let python =
        given.python.map(|python| if python.components().count() > 1 { absolute(&python) } else { Ok(python) });
    let python = python.transpose()?;
    // Relative paths of the workflow mean what they meant when the run was started.
    let back = std::env::set_current_dir(&record.folder);
    let back = back.with_context(|| format!("cannot go to `{}`, where the run was started", record.folder.display()));
    back.map_err(|error| Stop::new(Exit::Bad, error))?;
    let workflow = load(&record.path)?;
    let kept: ParamValues = serde_json::from_str(&record.params).unwrap_or_default();
    let mut params: ParamValues =
        kept.into_iter().filter(|(name, _)| !workflow.secrets.iter().any(|secret| secret.raw == *name)).collect();
    if let Some(declared) = &workflow.params {
        // A parameter that the file does not declare any more is no fault of the person who goes on.
        params.retain(|name, value| *value != Value::Null && declared.iter().any(|param| param.name == *name));
    }
    params.extend(given.params);
    // What was masked is not what it was: to go on with stars in its place would be to do something else.
    let masked: Vec<String> = params
        .iter()
        .filter(|(_, value)| value.to_string().contains(MASK))
        .map(|(name, _)| format!("{name}=VALUE"))
        .collect();
    if !masked.is_empty() {
        let message = "parameters that hold a secret are not kept with the run";
        return Err(Stop::bad(message).hint(format!("give them again: {}", masked.join(" "))));
    }
    let state = StateFolder(given.state);
    let Given { jobs, slow_after, durability, .. } = given;
    let incremental = record.incremental.as_deref().and_then(Compare::from_word);
    let options = Options {
        params,
        python,
        jobs,
        max_items: None,
        slow_after,
        incremental,
        state,
        durability,
        check_only: false,
    };
    Ok(prepare(workflow, options)?)
}

/// The newest run of a workflow file, if there is one.
pub(super) fn latest_of(state: &Path, file: &Path) -> Result<Option<RunFolder>, Stop> {
    let wanted = file.canonicalize().ok();
    for folder in StateFolder(state.to_path_buf()).runs_by_age()?.into_iter().rev() {
        let record = match Reader::open(folder.clone()).and_then(|reader| reader.run()) {
            Ok(record) => record,
            Err(error) => {
                // It may be the one that is meant, so it is not left out without a word.
                eprintln!("run {} cannot be read: {error}", folder.run);
                continue;
            }
        };
        if wanted.is_some() && record.folder.join(&record.path).canonicalize().ok() == wanted {
            return Ok(Some(folder));
        }
    }
    Ok(None)
}

pub(super) fn absolute(path: &Path) -> Result<PathBuf, Stop> {
    std::path::absolute(path).map_err(|error| Stop::new(Exit::Bad, error.into()))
}
