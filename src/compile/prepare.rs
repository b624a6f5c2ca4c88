//! Prepares a workflow: parameters, secrets, templates, names, Python code. Reports every error it finds at once.

use super::check::Checker;
use super::dependencies::EarlierSteps;
use super::environment::{environment, secrets};
use super::interpreter::{Checked, check_python};
use super::params::{ParamValues, resolve_params};
use super::prepared::{Compiled, Options, Prepared, PreparedStep, aggregate_of, folder_of};
use crate::spec::{Diagnostic, DiagnosticKind, Diagnostics, Doubts, Draft, StepKind, Workflow};
use crate::task::python::{HostError, find_interpreter};
use crate::task::{Driver, Program, PythonNeeds};
use crate::template::{NameList, Names};
use crate::text::Secrets;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

/// Why a workflow cannot run.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The file, or its parameters and options.
    #[error(transparent)]
    Diagnostics(#[from] Diagnostics),
    /// Python.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Prepares a workflow.
///
/// # Errors
/// Those of the draft, and every other error that can be found before anything runs.
pub fn prepare(draft: Draft, options: Options) -> Result<Prepared, PrepareError> {
    let Draft { workflow, mut errors, doubts } = draft;
    let mut process_env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    if options.check_only {
        // Where a workflow is only checked, its secrets need not be there.
        for secret in &workflow.secrets {
            process_env.entry(secret.raw.clone()).or_default();
        }
    }
    let mut wrong = Vec::new();
    let params = params(&workflow, &options, &process_env, &mut wrong);
    errors.extend(wrong.into_iter().filter(|_| !doubts.params));
    let is_odd = |(name, value): (OsString, OsString)| value.to_str().is_none().then(|| name.into_string().ok())?;
    let odd_env = std::env::vars_os().filter_map(is_odd).collect();
    let mut names = Names { env: process_env.keys().cloned().collect(), odd_env, ..Names::default() };
    names.params = match &workflow.params {
        Some(declared) => Some(declared.iter().map(|param| param.name.clone()).collect()),
        None if options.check_only => None,
        None => Some(params.keys().cloned().collect()),
    };
    names.params = names.params.filter(|_| !doubts.params);
    let (env, own_env) = environment(&workflow, process_env, &params, &names, &mut errors);
    names.env = env.keys().cloned().collect();
    let mut unset = Vec::new();
    let secrets = secrets(&workflow, &env, (&params, &options), &mut unset);
    errors.extend(unset.into_iter().filter(|_| !doubts.params && !doubts.env));
    let folder = folder_of(&workflow.source, &options.state);
    let compiled = compile_steps(&workflow, &doubts, (names, &folder), &mut errors);
    let found = find_interpreter(options.python.as_deref(), &folder);
    let (python, warnings) = match check_python(&workflow, &compiled, found) {
        Ok(Checked { host, errors: objections, warnings }) => {
            errors.extend(objections);
            (host, warnings)
        }
        // Errors in the file come first: they do not depend on the interpreter.
        Err(error) => {
            fail(&workflow, std::mem::take(&mut errors), &secrets)?;
            if !options.check_only {
                return Err(error.into());
            }
            (None, Vec::new())
        }
    };
    fail(&workflow, errors, &secrets)?;
    let (steps, closing) = prepared_steps(&workflow, compiled, &folder);
    let secrets = Arc::new(secrets);
    let executor = options.executor.clone().map(|executor| {
        let interpreter = find_interpreter(options.python.as_deref(), &folder).interpreter;
        Arc::new(Driver::new(executor, interpreter))
    });
    Ok(Prepared { workflow, steps, closing, params, env, own_env, secrets, python, executor, warnings, options })
}

fn fail(workflow: &Workflow, errors: Vec<Diagnostic>, secrets: &Secrets) -> Result<(), Diagnostics> {
    Diagnostics::new(workflow.source.clone(), errors).map_or(Ok(()), |errors| Err(errors.masked(secrets)))
}

/// The parameters. If the workflow is only checked, a missing one is not an error, and templates are still checked.
fn params(
    workflow: &Workflow,
    options: &Options,
    env: &BTreeMap<String, String>,
    errors: &mut Vec<Diagnostic>,
) -> ParamValues {
    let (params, wrong) = resolve_params(workflow, &options.params, env);
    let counts = |fault: &Diagnostic| !(options.check_only && fault.kind == DiagnosticKind::MissingParam);
    errors.extend(wrong.into_iter().filter(counts));
    params
}

/// Compiles all steps, the closing ones last. `names` are those that hold before the first, `folder` is where scripts and modules
/// are looked for.
fn compile_steps(
    workflow: &Workflow,
    doubts: &Doubts,
    (mut names, folder): (Names, &Path),
    errors: &mut Vec<Diagnostic>,
) -> Vec<Compiled> {
    let mut compiled = Vec::new();
    names.open(doubts);
    for step in workflow.steps.iter().chain(&workflow.closing) {
        names.summary = compiled.len() >= workflow.steps.len();
        let is_unsure = doubts.steps.contains(&step.name);
        let own = |names: &Names| if is_unsure { names.unsure() } else { names.clone() };
        let known = own(&names);
        let (program, handler) = Checker { source: &workflow.source, errors, step, names: &known, folder }.step();
        let is_batch = matches!(step.kind, StepKind::Batch(_));
        let python = python_needs([program.as_ref(), handler.as_ref()], &known, is_batch);
        drop(known);
        names.steps.push(step.name.to_string());
        if is_unsure || aggregate_of(step).is_some() {
            names.aggregates.push(step.name.to_string());
        }
        let known = own(&names);
        let aggregate = Checker { source: &workflow.source, errors, step, names: &known, folder }.aggregate();
        let of_aggregate = aggregate.as_ref().and_then(|program| program.python(&known));
        drop(known);
        match &step.outputs.name {
            Some(name) => names.outputs.push(name.raw.clone()),
            None if is_unsure => names.outputs.open(),
            None => {}
        }
        compiled.push(Compiled { program, handler, aggregate, python, of_aggregate });
    }
    compiled
}

impl Names {
    /// Allows for names that the errors of a file may have hidden.
    fn open(&mut self, doubts: &Doubts) {
        if doubts.env {
            self.env.open();
        }
        if doubts.lost_steps {
            [&mut self.steps, &mut self.aggregates, &mut self.outputs].into_iter().for_each(NameList::open);
        }
    }
}

/// What the task of a step and its `on_item_error` need from the interpreter, with these names before the step. Nothing here keeps
/// the names: a copy that is kept would be a real one once the next name is added.
fn python_needs([task, handler]: [Option<&Program>; 2], names: &Names, is_batch: bool) -> Vec<PythonNeeds> {
    let item = Names { item: is_batch, ..names.clone() };
    let of_task = task.and_then(|program| program.python(&item));
    let error = Names { error: true, ..item };
    of_task.into_iter().chain(handler.and_then(|program| program.python(&error))).collect()
}

fn prepared_steps(
    workflow: &Workflow,
    compiled: Vec<Compiled>,
    folder: &Path,
) -> (Vec<PreparedStep>, Vec<PreparedStep>) {
    let steps = workflow.steps.iter().chain(&workflow.closing).zip(compiled);
    let mut earlier = EarlierSteps::default();
    let prepared = steps.enumerate().map(|(place, (step, compiled))| {
        let prepared = PreparedStep {
            step: Arc::clone(step),
            program: compiled.program.expect("a program that does not compile is an error of the file"),
            handler: compiled.handler,
            aggregate: compiled.aggregate,
            upstream: earlier.upstream_of(step, folder),
            aggregate_upstream: earlier.upstream_of_aggregate(step, folder),
            items_upstream: earlier.upstream_of_items(step),
        };
        if place < workflow.steps.len() {
            earlier.push(step);
        }
        prepared
    });
    let mut steps: Vec<PreparedStep> = prepared.collect();
    let closing = steps.split_off(workflow.steps.len());
    (steps, closing)
}
