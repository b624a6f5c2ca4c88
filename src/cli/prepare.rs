//! From arguments to a workflow that is ready to run: for a new run, and for one that is resumed.

use super::args::{StateArgs, WorkflowArgs};
use super::error::{CliError, Topic};
use super::exit::Exit;
use super::params;
use super::stderr::tell;
use crate::compile::{self, GivenParam, GivenParams, Options, Prepared};
use crate::ledger::{Durability, Reader, RunFolder, RunPlace, RunRecord, StateFolder};
use crate::model::Compare;
use crate::spec::{self, Draft, Workflow};
use crate::text::Printable;
use serde_json::Value;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Reads a workflow file. What is wrong with it is reported with what else is, by [`compile::prepare`].
pub fn load(path: &Path) -> Result<Draft, CliError> {
    let bytes = std::fs::read(path).map_err(|error| {
        let message = format!("cannot read workflow file `{}`", Printable::path(path));
        let error = CliError::new(Exit::Bad, message).caused_by(&error).about(Topic::Workflow);
        error.help("`batchmill init` creates a starter workflow")
    })?;
    Ok(spec::draft(path, &bytes)?)
}

/// The engine's options for a new run.
pub fn options(args: &WorkflowArgs, state: &StateArgs) -> Result<Options, CliError> {
    Ok(Options {
        params: given_params(args)?,
        python: args.python.clone(),
        jobs: args.jobs,
        max_items: args.max_items,
        slow_after: Duration::MAX,
        incremental: None,
        executor: None,
        state: state.folder(),
        durability: Durability::default(),
        check_only: false,
    })
}

fn given_params(args: &WorkflowArgs) -> Result<GivenParams, CliError> {
    params::given(args.params_file.as_deref(), &args.params)
}

/// What can be overridden when a run is resumed.
pub struct Overrides {
    /// Parameters.
    pub params: GivenParams,
    /// The interpreter.
    pub python: Option<PathBuf>,
    /// The most slots of a step.
    pub jobs: Option<NonZeroUsize>,
    /// The most items of a batch step.
    pub max_items: Option<u64>,
    /// Items that run longer than this are reported.
    pub slow_after: Duration,
    /// What runs the frames of batch steps.
    pub executor: Option<String>,
    /// What a commit survives.
    pub durability: Durability,
    /// Where runs are kept; absolute, because the working directory changes to that of the run.
    pub state: StateFolder,
}

impl Overrides {
    /// The arguments of `run FILE --resume` and `plan FILE --resume`.
    pub fn of(args: &WorkflowArgs, state: &StateArgs) -> Result<Self, CliError> {
        Ok(Self {
            params: given_params(args)?,
            python: args.python.clone(),
            jobs: args.jobs,
            max_items: args.max_items,
            slow_after: Duration::MAX,
            executor: None,
            durability: Durability::default(),
            state: StateFolder(absolute(&state.state_dir)?),
        })
    }
}

/// Prepares the workflow of a run again: the file as it is now, the parameters as they were.
pub fn prepare_again(folder: &RunFolder, overrides: Overrides) -> Result<Prepared, CliError> {
    let record = Reader::open(folder.clone())?.run()?;
    let python = overrides
        .python
        .map(|python| if python.components().count() > 1 { absolute(&python) } else { Ok(python) })
        .transpose()?;
    let place = RunPlace::of(&record, &overrides.state);
    let here = std::env::current_dir().ok();
    enter(&place, &record)?;
    let interpreter = record.python.as_deref().filter(|_| python.is_none());
    tell_if_elsewhere(here.as_deref(), &place.workflow, interpreter);
    let draft = load(&place.workflow)?;
    let mut params = kept_params(&draft.workflow, &record)?;
    params.extend(overrides.params);
    if draft.errors.is_empty() {
        refuse_secrets(&params)?;
    }
    let options = Options {
        params,
        python: python.or(record.python),
        jobs: overrides.jobs,
        max_items: overrides.max_items,
        slow_after: overrides.slow_after,
        incremental: record.incremental.as_deref().and_then(Compare::from_word),
        executor: overrides.executor,
        state: overrides.state,
        durability: overrides.durability,
        check_only: false,
    };
    Ok(compile::prepare(draft, options)?)
}

/// Changes to the directory of a run: relative paths of the workflow mean what they meant when the run was started.
fn enter(place: &RunPlace, record: &RunRecord) -> Result<(), CliError> {
    let shown = Printable::path(&place.folder);
    std::env::set_current_dir(&place.folder).map_err(|error| {
        let message = format!("cannot change to `{shown}`, where the run was started");
        let help = "if the directory was moved, move it back, or start a new run";
        CliError::new(Exit::Bad, message).caused_by(&error).help(help)
    })?;
    if place.folder.canonicalize().ok() != record.folder.canonicalize().ok() {
        let started = Printable::path(&record.folder);
        tell(format!("note: the run was started in `{started}` and continues in `{shown}`, with its state directory"));
    }
    Ok(())
}

/// Says what the run, and not the user, has named, if it is not below the directory where the user is: it runs with the user's rights.
fn tell_if_elsewhere(here: Option<&Path>, workflow: &Path, interpreter: Option<&Path>) {
    let here = here.and_then(|here| here.canonicalize().ok());
    let is_elsewhere = |path: &Path| match (path.canonicalize(), &here) {
        (Ok(path), Some(here)) => !path.starts_with(here),
        _ => true,
    };
    let shown =
        |path: &Path| Printable::path(&std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())).to_string();
    if is_elsewhere(workflow) {
        tell(format!("note: the run names its workflow file: `{}`", shown(workflow)));
    }
    // A name without a directory is looked up in `PATH`, which is the user's.
    if let Some(python) = interpreter.filter(|python| python.components().count() > 1 && is_elsewhere(python)) {
        tell(format!("note: the run names its Python interpreter: `{}`", shown(python)));
    }
}

/// The parameters that were passed to a run and that its workflow still has.
fn kept_params(workflow: &Workflow, record: &RunRecord) -> Result<GivenParams, CliError> {
    let unreadable = |error: serde_json::Error| {
        let help = "start a new run, and pass its parameters again";
        CliError::new(Exit::Bad, "cannot read the parameters of the run").caused_by(&error).help(help)
    };
    let mut params: GivenParams = match &record.given {
        Some(given) => serde_json::from_str(given).map_err(unreadable)?,
        // An older version saved the values of given and default parameters, with secrets masked.
        None => {
            let kept: std::collections::BTreeMap<String, Value> =
                serde_json::from_str(&record.params).map_err(unreadable)?;
            let given = |(name, value): (String, Value)| {
                let secret = value.to_string().contains(crate::text::MASK);
                (name, if secret { GivenParam::Secret } else { GivenParam::Value(value) })
            };
            kept.into_iter().filter(|(_, value)| !value.is_null()).map(given).collect()
        }
    };
    if let Some(declared) = &workflow.params {
        // The user who resumes is not to blame for a parameter that the file no longer declares.
        params.retain(|name, _| declared.iter().any(|param| param.name == *name));
    }
    Ok(params)
}

/// Refuses to continue without a secret that was passed: a default in its place would do something else.
fn refuse_secrets(params: &GivenParams) -> Result<(), CliError> {
    let secret = params.iter().filter(|(_, param)| matches!(param, GivenParam::Secret));
    let secret: Vec<String> = secret.map(|(name, _)| format!("{}=VALUE", Printable::line(name))).collect();
    if secret.is_empty() {
        return Ok(());
    }
    let message = "parameters that contain a secret are not saved with the run";
    let help = format!("pass them again: {}; `NAME@=FILE` reads a value from a file", secret.join(" "));
    Err(CliError::bad(message).help(help))
}

/// The path, independent of the working directory.
pub fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path).map_err(|error| CliError::of(Exit::Bad, &error))
}
