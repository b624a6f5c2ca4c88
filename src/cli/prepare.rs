//! From arguments to a workflow that is ready to run: for a new run, and for one that is resumed.

use super::args::{StateArgs, WorkflowArgs};
use super::error::CliError;
use super::exit::Exit;
use super::params;
use crate::compile::{self, Options, ParamValues, Prepared};
use crate::ledger::{Durability, Reader, RunFolder, StateFolder};
use crate::model::Compare;
use crate::spec::{self, Workflow};
use crate::text::{MASK, Printable};
use serde_json::Value;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Reads and checks a workflow file.
pub fn load(path: &Path) -> Result<Workflow, CliError> {
    let bytes = std::fs::read(path).map_err(|error| {
        let message = format!("cannot read workflow file `{}`", Printable::path(path));
        CliError::new(Exit::Bad, message).caused_by(&error).help("`batchmill init` creates a starter workflow")
    })?;
    Ok(spec::parse(path, &bytes)?)
}

/// The engine's options for a new run.
pub fn options(args: &WorkflowArgs, state: &StateArgs) -> Result<Options, CliError> {
    let mut params = match &args.params_file {
        Some(path) => params::from_file(path)?,
        None => ParamValues::new(),
    };
    params.extend(params::from_arguments(&args.params)?);
    Ok(Options {
        params,
        python: args.python.clone(),
        jobs: args.jobs,
        max_items: args.max_items,
        slow_after: Duration::MAX,
        incremental: None,
        state: state.folder(),
        durability: Durability::default(),
        check_only: false,
    })
}

/// What can be overridden when a run is resumed.
pub struct Overrides {
    /// Parameters.
    pub params: ParamValues,
    /// The interpreter.
    pub python: Option<PathBuf>,
    /// The most slots of a step.
    pub jobs: Option<NonZeroUsize>,
    /// An item that takes longer is named while it runs.
    pub slow_after: Duration,
    /// What a commit survives.
    pub durability: Durability,
    /// Where runs are kept; absolute, because the working folder changes to that of the run.
    pub state: StateFolder,
}

/// Prepares the workflow of a run again: the file as it is now, the parameters as they were.
pub fn prepare_again(folder: &RunFolder, overrides: Overrides) -> Result<Prepared, CliError> {
    let record = Reader::open(folder.clone())?.run()?;
    let python = overrides
        .python
        .map(|python| if python.components().count() > 1 { absolute(&python) } else { Ok(python) })
        .transpose()?;
    // Relative paths of the workflow mean what they meant when the run was started.
    std::env::set_current_dir(&record.folder).map_err(|error| {
        let message = format!("cannot change to `{}`, where the run was started", Printable::path(&record.folder));
        CliError::new(Exit::Bad, message).caused_by(&error)
    })?;
    let workflow = load(&record.path)?;
    let mut params = kept_params(&workflow, &record.params);
    params.extend(overrides.params);
    refuse_masks(&params)?;
    let options = Options {
        params,
        python,
        jobs: overrides.jobs,
        max_items: None,
        slow_after: overrides.slow_after,
        incremental: record.incremental.as_deref().and_then(Compare::from_word),
        state: overrides.state,
        durability: overrides.durability,
        check_only: false,
    };
    Ok(compile::prepare(workflow, options)?)
}

/// The parameters of a run that still hold for its workflow.
fn kept_params(workflow: &Workflow, json: &str) -> ParamValues {
    let kept: ParamValues = serde_json::from_str(json).unwrap_or_default();
    let mut params: ParamValues =
        kept.into_iter().filter(|(name, _)| !workflow.secrets.iter().any(|secret| secret.raw == *name)).collect();
    if let Some(declared) = &workflow.params {
        // A parameter that the file no longer declares is not an error of the person who resumes.
        params.retain(|name, value| *value != Value::Null && declared.iter().any(|param| param.name == *name));
    }
    params
}

/// Refuses parameters that were masked: to resume with stars in the place of a secret would be to do something else.
fn refuse_masks(params: &ParamValues) -> Result<(), CliError> {
    let masked: Vec<String> = params
        .iter()
        .filter(|(_, value)| value.to_string().contains(MASK))
        .map(|(name, _)| format!("{name}=VALUE"))
        .collect();
    if masked.is_empty() {
        return Ok(());
    }
    let message = "parameters that contain a secret are not saved with the run";
    Err(CliError::bad(message).help(format!("pass them again: {}", masked.join(" "))))
}

/// The path, whatever the working folder will be.
pub fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path).map_err(|error| CliError::of(Exit::Bad, &error))
}
