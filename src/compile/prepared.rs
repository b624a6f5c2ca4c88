//! A workflow after everything that can be wrong before a run has been checked.

use super::settings::{Room, cores};
use super::upstream::Upstream;
use super::warning::Warning;
use super::{GivenParams, ParamValues};
use crate::ledger::{Durability, StateFolder};
use crate::model::{Compare, Refusal, Resources, Span, StepName};
use crate::spec::{Aggregate, ItemsSpec, SourceFile, Step, StepKind, Task, TaskKind, Workflow};
use crate::task::python::Host;
use crate::task::{Driver, Program, PythonNeeds, available_memory};
use crate::text::Secrets;
use crossbeam_channel::Receiver;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What the user asked for on the command line.
#[derive(Debug, Clone)]
pub struct Options {
    /// Parameters that were given.
    pub params: GivenParams,
    /// `--python`
    pub python: Option<PathBuf>,
    /// `--jobs`: the most slots of a step.
    pub jobs: Option<NonZeroUsize>,
    /// `--max-items`: the most items of a batch step.
    pub max_items: Option<u64>,
    /// `--slow-after`: report items that run longer than this while they run.
    pub slow_after: Duration,
    /// `--incremental`: how to compare files with those of the baseline.
    pub incremental: Option<Compare>,
    /// `--executor`: what runs the frames of batch steps.
    pub executor: Option<String>,
    /// Where runs are kept.
    pub state: StateFolder,
    /// `--durability`: what a commit survives.
    pub durability: Durability,
    /// Check only: parameters may be missing, and no interpreter is required.
    pub check_only: bool,
}

/// A workflow that is ready to run.
#[derive(Debug)]
pub struct Prepared {
    /// The workflow as the file has it.
    pub workflow: Workflow,
    /// Its steps, in order.
    pub steps: Vec<PreparedStep>,
    /// `on_failure` and `finally`, in this order.
    pub closing: Vec<PreparedStep>,
    /// Its parameters.
    pub params: ParamValues,
    /// The environment: the process's, overridden by the workflow's `env`.
    pub env: BTreeMap<String, String>,
    /// The workflow's `env` alone.
    pub own_env: Arc<Vec<(String, String)>>,
    /// The secrets to mask.
    pub secrets: Arc<Secrets>,
    /// The interpreter, if a step needs one.
    pub python: Option<Arc<Host>>,
    /// Where the frames of batch steps run, if not here.
    pub executor: Option<Arc<Driver>>,
    /// What may be wrong with its code.
    pub warnings: Vec<Warning>,
    /// What the user asked for.
    pub options: Options,
}

impl Prepared {
    /// The folder of the workflow file: scripts and modules are looked up there.
    pub fn folder(&self) -> PathBuf {
        folder_of(&self.workflow.source, &self.options.state)
    }

    /// The step with that name, closing steps included.
    pub fn step(&self, name: &StepName) -> Option<&PreparedStep> {
        self.steps.iter().chain(&self.closing).find(|step| step.name() == name)
    }

    /// A hash of the parameters, to find runs with the same ones.
    pub fn params_hash(&self) -> String {
        let json = serde_json::to_string(&self.params).unwrap_or_default();
        let has_secret = self.workflow.secrets.iter().any(|secret| self.params.contains_key(&secret.raw));
        if !has_secret && self.secrets.masked(json.clone()) == json {
            return format!("{:032x}", xxhash_rust::xxh3::xxh3_128(json.as_bytes()));
        }
        self.keyed_hash(&json)
    }

    /// A hash of a text that contains a secret, with the key of the state directory: without the key, nobody can find the
    /// secret by guessing.
    pub(super) fn keyed_hash(&self, text: &str) -> String {
        let key = self.options.state.key().unwrap_or_default();
        let mut hash = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length will do");
        hash.update(text.as_bytes());
        hash.finalize().into_bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// A hash of a text if it contains a secret, to compare it with another without keeping it.
    pub fn secret_hash(&self, text: &str) -> Option<String> {
        (self.secrets.masked(text.to_owned()) != text).then(|| self.keyed_hash(text))
    }

    /// The steps that have a task, or a task for failed items, of which this holds.
    pub fn steps_whose_task(&self, holds: impl Fn(&TaskKind) -> bool) -> Vec<&StepName> {
        let handler = |step: &PreparedStep| match &step.step.kind {
            StepKind::Batch(batch) => batch.on_item_error.as_ref().is_some_and(|task| holds(&task.kind)),
            StepKind::Single(_) => false,
        };
        let steps = self.steps.iter().chain(&self.closing);
        steps.filter(|step| holds(&step.task().kind) || handler(step)).map(PreparedStep::name).collect()
    }

    /// How many batches that need this can run side by side: on this machine, or with the executor once that is connected. `stop`
    /// disconnects when nobody wants to know any more.
    ///
    /// # Errors
    /// If the executor has nothing that can ever run them.
    pub(super) fn room(&self, resources: &Resources, stop: &Receiver<Infallible>) -> Result<Room, Refusal> {
        let (count, is_counted) = match self.executor.as_ref().filter(|executor| executor.is_connected()) {
            Some(executor) => (executor.room(resources, stop)?, *resources != Resources::default()),
            None => {
                let memory = resources.memory.map_or(0, |_| available_memory());
                (resources.frames_on(cores(), memory), resources.cpus.is_some() || resources.memory.is_some())
            }
        };
        Ok(if is_counted { Room::Resources(count) } else { Room::Cores(count) })
    }

    /// Whether any task starts child processes.
    pub fn has_children(&self) -> bool {
        self.steps.iter().chain(&self.closing).any(PreparedStep::has_children)
    }
}

/// The folder of a workflow file. One that a program keeps in the state folder has none of its own: the working directory
/// takes its place.
pub(super) fn folder_of(source: &SourceFile, state: &StateFolder) -> PathBuf {
    if state.keeps_workflow(&source.path) {
        return PathBuf::from(".");
    }
    let folder = source.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_path_buf()
}

/// A step with its tasks compiled.
#[derive(Debug, Clone)]
pub struct PreparedStep {
    /// The step as the file has it.
    pub step: Arc<Step>,
    /// Its task.
    pub program: Program,
    /// `on_item_error`
    pub handler: Option<Program>,
    /// `aggregate`, if it is code.
    pub aggregate: Option<Program>,
    /// The earlier steps whose results the task reads.
    pub upstream: Vec<Upstream>,
    /// The earlier steps whose results the code of the aggregate reads.
    pub aggregate_upstream: Vec<Upstream>,
    /// The earlier steps whose results its list of items reads.
    pub items_upstream: Vec<Upstream>,
}

impl PreparedStep {
    /// Its name.
    pub fn name(&self) -> &StepName {
        &self.step.name
    }

    /// Whether it runs its task for each item.
    pub fn is_batch(&self) -> bool {
        matches!(self.step.kind, StepKind::Batch(_))
    }

    /// The task as the file has it.
    pub fn task(&self) -> &Task {
        task_of(&self.step)
    }

    /// `aggregate` as the file has it.
    pub fn aggregate_spec(&self) -> Option<&Aggregate> {
        aggregate_of(&self.step)
    }

    /// Whether it may have no items.
    pub fn allows_empty(&self) -> bool {
        matches!(&self.step.kind, StepKind::Batch(batch) if batch.allow_empty)
    }

    /// Whether its items are rows of files.
    pub fn reads_rows(&self) -> bool {
        matches!(&self.step.kind, StepKind::Batch(batch) if matches!(batch.items, ItemsSpec::Rows(_)))
    }

    /// Where errors about its items point.
    pub fn items_span(&self) -> Span {
        match &self.step.kind {
            StepKind::Batch(batch) => batch.items_span,
            StepKind::Single(_) => self.step.span,
        }
    }

    /// Whether it starts processes: for its tasks, or to list its items.
    pub fn has_children(&self) -> bool {
        let programs = [Some(&self.program), self.handler.as_ref(), self.aggregate.as_ref()];
        let has_command = matches!(&self.step.kind, StepKind::Batch(batch) if runs_command(&batch.items));
        has_command || programs.into_iter().flatten().any(|program| program.starts_processes())
    }
}

fn runs_command(items: &ItemsSpec) -> bool {
    match items {
        ItemsSpec::Command(_) => true,
        ItemsSpec::Product(parts) => parts.iter().any(|(_, items)| runs_command(items)),
        _ => false,
    }
}

pub(super) fn task_of(step: &Step) -> &Task {
    match &step.kind {
        StepKind::Single(single) => &single.task,
        StepKind::Batch(batch) => &batch.task,
    }
}

pub(super) fn aggregate_of(step: &Step) -> Option<&Aggregate> {
    match &step.kind {
        StepKind::Batch(batch) => batch.aggregate.as_ref(),
        StepKind::Single(_) => None,
    }
}

/// The programs of a step; those that do not compile are missing, which is an error of the file.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) program: Option<Program>,
    pub(super) handler: Option<Program>,
    pub(super) aggregate: Option<Program>,
    /// What the task and `on_item_error` need from the interpreter.
    pub(super) python: Vec<PythonNeeds>,
    /// The same for the aggregate.
    pub(super) of_aggregate: Option<PythonNeeds>,
}
