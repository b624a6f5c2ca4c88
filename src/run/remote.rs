//! A step whose frames run on other machines: what hosts are told.

use super::env::StepEnv;
use crate::compile::{OpenStep, Prepared, StartError, mentions};
use crate::measure::wall_clock;
use crate::model::{LaneSettings, Refusal};
use crate::spec::{ItemsSpec, PythonProgram, RequestBody, StepKind, TaskKind};
use crate::task::{ItemFiles, RemoteStep, StepContext, TaskHost};
use crate::template::{StepValue, value_to_json};
use crate::wire::{Assignment, HostFile, HostScope, HostSettings, HostStep};
use minijinja::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What the lanes of a step get, or why the step cannot run where it was to.
///
/// # Errors
/// If the system is out of descriptors.
pub(super) fn context(
    env: &StepEnv<'_>,
    open: &OpenStep,
    item_files: Option<Arc<ItemFiles>>,
) -> io::Result<Result<StepContext, StartError>> {
    match host_of(env, open, item_files.as_deref()) {
        Ok(host) => env.context(open, (item_files, host)).map(Ok),
        Err(Refusal { message, help }) => Ok(Err(StartError::Executor(message, help, env.step.items_span()))),
    }
}

/// What a run lends to the lanes of a step: with where its frames run, if not here.
fn host_of(env: &StepEnv<'_>, open: &OpenStep, item_files: Option<&ItemFiles>) -> Result<Arc<TaskHost>, Refusal> {
    let Some(driver) = env.run.prepared.executor.as_ref().filter(|_| env.step.is_batch()) else {
        return Ok(Arc::clone(&env.run.host));
    };
    refuse(env)?;
    let mut assignment = assignment(env, open).map_err(|message| Refusal { message, help: None })?;
    assignment.settings.item_files = item_files.map(ItemFiles::of_hosts);
    assignment.needs_files = needs_files(env, &assignment).map(str::to_owned);
    let StepKind::Batch(batch) = &env.step.step.kind else { return Ok(Arc::clone(&env.run.host)) };
    let program = (assignment, batch.resources.0.clone());
    let remote = RemoteStep::announce(Arc::clone(driver), program, (pause(env, open), &env.cancel))?;
    Ok(Arc::new(TaskHost { remote: Some(Arc::new(remote)), ..(*env.run.host).clone() }))
}

/// Refuses what would write files wherever a frame happens to run, perhaps twice.
fn refuse(env: &StepEnv<'_>) -> Result<(), Refusal> {
    let StepKind::Batch(batch) = &env.step.step.kind else { return Ok(()) };
    match &batch.task.kind {
        TaskKind::Http(task) if task.response.save_to.is_some() => Err(Refusal {
            message: "`save_to` is not possible with an executor: a cluster may run an item twice".to_owned(),
            help: Some(
                "run the step without `--executor`, or fetch with Python and write to `item_dir` (`outputs.item_files`)"
                    .to_owned(),
            ),
        }),
        _ => Ok(()),
    }
}

/// The interval at which each slot may make a request, if the step has a `rate_limit`.
fn pause(env: &StepEnv<'_>, open: &OpenStep) -> Option<Duration> {
    let StepKind::Batch(batch) = &env.step.step.kind else { return None };
    let TaskKind::Http(task) = &batch.task.kind else { return None };
    Duration::try_from_secs_f64(open.settings.lane.width as f64 / task.rate_limit?).ok()
}

fn assignment(env: &StepEnv<'_>, open: &OpenStep) -> Result<Assignment, String> {
    let (prepared, source) = (env.run.prepared, &env.run.prepared.workflow.source);
    let absolute = |path: &Path| std::path::absolute(path).map_err(|error| error.to_string());
    let token = token(env).map_err(|error| format!("cannot write to the directory of the run: {error}"))?;
    Ok(Assignment {
        run: env.run.folder.run.0.clone(),
        step: env.name().to_string(),
        path: source.path.clone(),
        text: source.text.clone(),
        imports: absolute(&prepared.folder())?,
        folder: std::env::current_dir().map_err(|error| error.to_string())?,
        token: absolute(&token)?,
        needs_files: None,
        settings: settings(&open.settings.lane, prepared),
        forms: open.source.forms().to_vec(),
        scope: scope(env)?,
    })
}

/// Why hosts must share the file system of this machine, if they must. What a task opens by itself is not known.
fn needs_files(env: &StepEnv<'_>, assignment: &Assignment) -> Option<&'static str> {
    let StepKind::Batch(batch) = &env.step.step.kind else { return None };
    if assignment.scope.steps.values().any(|step| step.file.is_some()) {
        return Some("the step reads an earlier one, whose results are in a file");
    }
    if assignment.settings.item_files.is_some() {
        return Some("the step collects files of its items (`item_files`, `item_dir`)");
    }
    reads_files(&batch.items).or_else(|| opens_files(&batch.task.kind))
}

/// Why a task opens files, if that shows in the workflow.
fn opens_files(task: &TaskKind) -> Option<&'static str> {
    match task {
        TaskKind::Python(task) if matches!(task.program, PythonProgram::Script(_)) => {
            Some("its code is in a file (`script`)")
        }
        TaskKind::Http(task) if matches!(task.body, RequestBody::Multipart { .. }) => {
            Some("its requests send files (`files`)")
        }
        TaskKind::Http(task) if task.tls.ca_file.is_some() => Some("its requests need certificates (`ca_file`)"),
        TaskKind::Http(task) if task.tls.client_cert.is_some() => {
            Some("its requests need a certificate (`client_cert`)")
        }
        _ => None,
    }
}

/// Why items are files, if they are.
fn reads_files(items: &ItemsSpec) -> Option<&'static str> {
    match items {
        ItemsSpec::Glob(_) => Some("the items of the step are files (`glob`)"),
        ItemsSpec::Command(_) => Some("a command lists the items of the step, which may be files"),
        ItemsSpec::Product(factors) => factors.iter().find_map(|(_, items)| reads_files(items)),
        _ => None,
    }
}

/// A file by which a host sees whether it shares the file system, and later that the step stops. Each execution has its own:
/// a host of an earlier one is never taken for one of this.
fn token(env: &StepEnv<'_>) -> io::Result<std::path::PathBuf> {
    let now = wall_clock().as_nanosecond();
    let path = env.run.folder.path.join(format!("shared-{now}"));
    std::fs::write(&path, format!("{}\n", env.run.folder.run.0))?;
    Ok(path)
}

fn settings(lane: &LaneSettings, prepared: &Prepared) -> HostSettings {
    HostSettings {
        lane: *lane,
        env: prepared.own_env.to_vec(),
        secrets: prepared.secrets.values().to_vec(),
        item_files: None,
    }
}

fn scope(env: &StepEnv<'_>) -> Result<HostScope, String> {
    let (prepared, scope) = (env.run.prepared, &env.scope);
    let is_named = |name: &str| mentions(&env.step.step, &prepared.folder(), name);
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    let mut steps = BTreeMap::new();
    for upstream in &env.step.upstream {
        let Some(step) = scope.steps.get(upstream.name.as_str()) else { continue };
        let has = Mentioned { failed: is_named("failed"), aggregate: upstream.aggregate };
        steps.insert(upstream.name.to_string(), step_of(step, has)?);
    }
    let outputs = scope.outputs.iter().filter(|(_, step)| steps.contains_key(*step));
    Ok(HostScope {
        params: prepared.params.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        env: scope.env.iter().filter(|(name, _)| is_named(name)).filter_map(text).collect(),
        run: scope.run.iter().filter_map(text).collect(),
        outputs: outputs.map(|(name, step)| (name.clone(), step.clone())).collect(),
        steps,
    })
}

/// What a task names of an earlier step, besides its results.
#[derive(Clone, Copy)]
struct Mentioned {
    failed: bool,
    aggregate: bool,
}

fn step_of(step: &StepValue, has: Mentioned) -> Result<HostStep, String> {
    let file = if step.batch.is_some() {
        let (size, file) = (step.stored.size()?, step.stored.file()?);
        Some(HostFile { path: file.path, count: file.count, bytes: size.bytes })
    } else {
        None
    };
    let result = if file.is_some() { None } else { Some(raw(&step.result.get())?) };
    let batch = match &step.batch {
        Some((failed, stats)) => {
            let failed = if has.failed { raw(&failed.get())? } else { RawValue::NULL.to_owned() };
            Some((failed, raw(stats)?))
        }
        None => None,
    };
    let aggregate = step.aggregate.as_ref().filter(|_| has.aggregate);
    Ok(HostStep { result, batch, file, aggregate: aggregate.map(|it| raw(&it.get())).transpose()? })
}

fn raw(value: &Value) -> Result<Box<RawValue>, String> {
    let text = String::from_utf8(value_to_json(value)?).map_err(|error| error.to_string())?;
    RawValue::from_string(text).map_err(|error| error.to_string())
}
