//! A run: its steps one after another, each with the results of the earlier ones, then the closing steps.

use super::env::{RunEnv, StepEnv, task_host};
use super::error::EngineError;
use super::incremental::take_over;
use super::machine::machine;
use super::mode::StepMode;
use super::output_paths::{OutputPaths, SideFile};
use super::retention::delete_old_runs;
use super::scope::{remember, scope_of_run};
use super::signals::Stopper;
use super::steering::Steering;
use super::step;
use super::step_end::StepOutcome;
use super::summary::{ClosingReport, WriteReport, summary_value};
use crate::compile::{Prepared, PreparedStep, params_to_keep};
use crate::ledger::{Given, Ledger, Reader, RunFolder, RunMeta, StepHistory, StepType};
use crate::model::{Compare, Event, Failure, FailureKind, Listener, RunSummary, Status, StepName};
use crate::pipeline::{Announcer, Machine};
use crate::resume::ItemSelection;
use crate::spec::{Diagnostics, TaskKind, Workflow};
use crate::task::TaskHost;
use crate::task::guard::Guard;
use crate::template::Scope;
use crate::text::MASK;
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// Whether to start a new run or continue one.
#[derive(Debug)]
pub enum Start {
    /// A new run.
    New,
    /// The run in this directory, with these items.
    Again(RunFolder, ItemSelection),
}

/// Who hears of a run.
pub struct Observers<'a> {
    /// What is informed of events.
    pub listeners: &'a mut [Box<dyn Listener>],
    /// The files that they write.
    pub files: &'a [SideFile],
    /// Writes the report that closing steps may ask for.
    pub report: WriteReport,
}

/// How a run ended.
#[derive(Debug)]
pub struct RunEnd {
    /// Its state and the counts of its steps.
    pub summary: RunSummary,
    /// The error in the file or the environment that stopped it.
    pub fault: Option<Diagnostics>,
    /// Its folder.
    pub folder: RunFolder,
}

/// Runs a workflow.
///
/// # Errors
/// If the ledger cannot be written or the system lacks resources; failures of tasks are in the [`RunEnd`].
pub fn run(
    prepared: &Prepared,
    start: Start,
    stopper: &Stopper,
    observers: Observers<'_>,
) -> Result<RunEnd, EngineError> {
    let (workflow, write_report) = (&prepared.workflow, observers.report);
    let (ledger, selection, warning) = open_ledger(prepared, start)?;
    let id = ledger.folder().run.clone();
    let server = Steering::serve(stopper, &ledger);
    let guard = prepared.has_children().then(|| Guard::start(&id)).transpose().map_err(EngineError::Guard)?;
    let host = Arc::new(TaskHost { guard, ..task_host(prepared, ledger.folder()) });
    let mut run = Run {
        env: RunEnv {
            prepared,
            folder: ledger.folder().clone(),
            host,
            control: stopper.control(),
            cancel: stopper.control().cancel.clone(),
            selection,
        },
        scope: Arc::new(scope_of_run(prepared, &id, ledger.started())),
        summary: RunSummary { run: id.clone(), status: Status::Succeeded, steps: Vec::new() },
        fault: None,
        output_paths: OutputPaths::beside(observers.files),
        ledger,
        changed: BTreeSet::new(),
        announcer: Announcer::new(observers.listeners, &prepared.secrets),
    };
    run.announcer.tell(&Event::RunStarted {
        run: id.clone(),
        workflow: workflow.name.clone(),
        steps: workflow.steps.len(),
    });
    let notices = prepared.notes().into_iter().map(|note| note.to_string()).chain(warning).chain(unverified(prepared));
    notices.for_each(|notice| run.announcer.notice_of_run(notice));
    if let Some(executor) = &prepared.executor {
        // Starting a cluster may take minutes.
        run.announcer.notice_of_run(format!("connecting to the executor `{}`", executor.executor()));
        executor.start(&id.0, &stopper.control().cancel).map_err(|error| error.masked(&prepared.secrets))?;
        let (name, slots) = (executor.name(), executor.slots().unwrap_or(1));
        run.announcer.notice_of_run(format!("frames of batch steps run on {name}, up to {slots} at a time"));
    }
    if let Err(why) = &server {
        run.announcer.notice_of_run(format!("`batchmill ctl` cannot reach this run: cannot create its socket: {why}"));
    }
    run.steps()?;
    run.close(write_report)?;
    if let Some(late) = prepared.executor.as_ref().map(|executor| executor.duplicates()).filter(|late| *late > 0) {
        run.announcer.notice_of_run(format!(
            "{late} frames had a second outcome, or one that came too late: only the first one counts"
        ));
    }
    run.finish()
}

/// The ledger of the run, the items to run, and a warning.
fn open_ledger(prepared: &Prepared, start: Start) -> Result<(Ledger, ItemSelection, Option<String>), EngineError> {
    if !prepared.secrets.is_empty() {
        // Hashes of secrets need the key; without it, this run could never be compared with another.
        prepared.options.state.key().map_err(EngineError::Start)?;
    }
    let (options, meta) = (&prepared.options, run_meta(prepared));
    match start {
        Start::New => {
            let folder = options.state.create_run(&meta.workflow).map_err(EngineError::Start)?;
            let mut ledger = Ledger::create(folder, &meta, options.durability).map_err(EngineError::Start)?;
            let warning = options.incremental.map(|_| take_over(&mut ledger, prepared)).transpose();
            Ok((ledger, ItemSelection::Left, warning.map_err(EngineError::Start)?.flatten()))
        }
        Start::Again(folder, selection) => {
            let mut ledger = Ledger::reopen(folder, &meta, options.durability).map_err(EngineError::Start)?;
            let reader = Reader::open(ledger.folder().clone()).map_err(EngineError::Start)?;
            let steps = reader.steps().map_err(EngineError::Start)?;
            let has_taken_over = reader.run().map_err(EngineError::Start)?.baseline.is_some();
            if options.incremental.is_some() && !has_taken_over && steps.is_empty() {
                // It was killed before it could take over anything.
                let warning = take_over(&mut ledger, prepared).map_err(EngineError::Start)?;
                return Ok((ledger, selection, warning));
            }
            let known: HashSet<&StepName> =
                prepared.steps.iter().chain(&prepared.closing).map(|it| it.name()).collect();
            let gone = steps.iter().filter(|record| !known.contains(&record.name));
            let gone: Vec<String> = gone.map(|record| format!("`{}`", record.name)).collect();
            let notice = (!gone.is_empty())
                .then(|| format!("the workflow no longer has step {}; its results stay in the run", gone.join(", ")));
            Ok((ledger, selection, notice))
        }
    }
}

/// A warning of steps that do not check the certificates of servers.
fn unverified(prepared: &Prepared) -> Option<String> {
    let steps = prepared.steps_whose_task(|task| matches!(task, TaskKind::Http(request) if !request.tls.verify));
    let names: Vec<String> = steps.iter().map(|name| format!("`{name}`")).collect();
    let names = names.join(", ");
    let danger =
        "may be anyone's, and others can read and change what is sent; name their authority in `ca_file` instead";
    (!steps.is_empty()).then(|| format!("warning: `verify: false`: the servers of {names} {danger}"))
}

/// Whether the failure of a step is that its output could not be written.
fn is_of_output(failure: &Failure) -> bool {
    failure.kind == FailureKind::Output
}

/// What the ledger saves about the workflow and its options.
fn run_meta(prepared: &Prepared) -> RunMeta {
    let Prepared { workflow, options, secrets, .. } = prepared;
    let is_secret = |name: &String| workflow.secrets.iter().any(|secret| secret.raw == *name);
    // Also what is too short to be found in a text.
    let shown = |(name, value): (&String, &Value)| {
        (name.clone(), if is_secret(name) { Value::from(MASK) } else { secrets.masked_value(value.clone()) })
    };
    let params: Value = prepared.params.iter().map(shown).collect();
    let given = params_to_keep(&options.params, workflow, secrets);
    let state = std::path::absolute(&options.state.0).ok().zip(std::env::current_dir().ok());
    RunMeta {
        workflow: workflow.name.clone(),
        path: workflow.source.path.clone(),
        params: params.to_string(),
        incremental: options.incremental.map(Compare::as_str),
        given: Given {
            params: serde_json::to_string(&given).unwrap_or_default(),
            python: options.python.clone(),
            state: state.and_then(|(state, folder)| Some(state.strip_prefix(folder).ok()?.to_path_buf())),
        },
        params_hash: prepared.params_hash(),
        max_items: options.max_items,
        source: secrets.masked(workflow.source.text.clone()),
        machine: secrets.masked_value(machine(prepared)).to_string(),
    }
}

/// A run in progress.
struct Run<'a> {
    env: RunEnv<'a>,
    /// Nobody shares it between two steps, so what a step adds costs no copy of it.
    scope: Arc<Scope>,
    summary: RunSummary,
    fault: Option<Diagnostics>,
    /// The steps whose results this execution has changed.
    changed: BTreeSet<StepName>,
    output_paths: OutputPaths,
    ledger: Ledger,
    announcer: Announcer<'a>,
}

impl Run<'_> {
    /// Runs the steps, until one of them stops the run.
    fn steps(&mut self) -> Result<(), EngineError> {
        for step in &self.env.prepared.steps {
            let status = self.step(step)?;
            match status {
                Status::Succeeded => {}
                Status::Partial => self.summary.status = Status::Partial,
                other => {
                    self.summary.status = other;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Runs `on_failure` if the run did not succeed, then `finally`. The signal that stopped the steps does not stop
    /// these; another one does. What they did in an earlier execution does not count.
    fn close(&mut self, write_report: WriteReport) -> Result<(), EngineError> {
        self.env.cancel = self.env.cancel.begin_closing()?;
        // A pause is over with the steps: nobody could end it now.
        self.env.control.width.resume();
        self.env.control.width.hold_back(Machine::Ready);
        self.env.selection = ItemSelection::Left;
        let (folder, ended) = (self.env.folder.clone(), Arc::clone(&self.env.cancel.kill));
        let report = ClosingReport::new(write_report, folder, self.summary.status, ended);
        for step in &self.env.prepared.closing {
            if step.name().as_str() == Workflow::ON_FAILURE && self.summary.status == Status::Succeeded {
                continue;
            }
            let workflow = &self.env.prepared.workflow.name;
            let summary = summary_value(&self.summary, workflow, &self.env.folder, &report);
            Arc::make_mut(&mut self.scope).summary = Some(summary);
            self.ledger.forget_step(step.name())?;
            let status = self.step(step)?;
            if let Some(why) = report.take_trouble() {
                let notice = format!("warning: cannot write the report, so `summary.report` is empty: {why}");
                self.announcer.notice_of_run(notice);
            }
            if status != Status::Succeeded && self.summary.status == Status::Succeeded {
                let ended = self.env.cancel.kill.is_fired();
                self.summary.status = if ended { Status::Interrupted } else { Status::Failed };
            }
        }
        Ok(())
    }

    /// Runs a step, and adds its results to the scope of later ones.
    fn step(&mut self, step: &PreparedStep) -> Result<Status, EngineError> {
        let step_type = if step.is_batch() { StepType::Batch } else { StepType::Single };
        let before = self.ledger.revision(step.name())?;
        let (mut ledger, history) = self.ledger.begin_step(step.name(), step_type)?;
        let mode = self.mode(step, &history);
        let mut env = StepEnv {
            run: &self.env,
            step,
            cancel: self.env.cancel.inner()?,
            scope: Arc::clone(&self.scope),
            ledger: &mut ledger,
            mode,
            output_paths: &mut self.output_paths,
            announcer: self.announcer.reborrow(),
        };
        let StepOutcome { report, started, fault } = match mode {
            StepMode::Keep => step::keep(&mut env, &history),
            StepMode::Resume | StepMode::Retry => step::run(&mut env, history)?,
        };
        drop(env);
        ledger.finish(&report)?;
        if self.ledger.revision(step.name())? != before {
            self.changed.insert(step.name().clone());
        }
        self.fault = fault.or(self.fault.take());
        if started {
            let scope = Arc::make_mut(&mut self.scope);
            remember(scope, self.ledger.folder(), &step.step, step.is_batch().then_some(report.stats));
        }
        self.announcer.tell(&Event::StepFinished(report.clone()));
        let status = report.status;
        self.summary.steps.push(report);
        Ok(status)
    }

    /// Which items of a step to run. A retry runs the failed items of each step. It runs all of a step that was not
    /// started yet, or that reads a step whose results have changed.
    fn mode(&self, step: &PreparedStep, history: &StepHistory) -> StepMode {
        let selection = &self.env.selection;
        let reads = [&step.upstream, &step.aggregate_upstream, &step.items_upstream].into_iter().flatten();
        if matches!(selection, ItemSelection::Left)
            || !history.begun
            || reads.into_iter().any(|upstream| self.changed.contains(&upstream.name))
        {
            StepMode::Resume
        } else if selection
            .among(history)
            .iter()
            .any(|(key, items)| items.iter().any(|it| selection.takes(it.index, *key)))
        {
            StepMode::Retry
        } else if history.ended.as_ref().is_none_or(|it| it.failure.as_ref().is_some_and(is_of_output)) {
            // Its items may be done, but not its aggregate and its output: an execution that was killed has not come to them.
            StepMode::Retry
        } else {
            StepMode::Keep
        }
    }

    fn finish(mut self) -> Result<RunEnd, EngineError> {
        let folder = self.ledger.folder().clone();
        self.ledger.finish_run(self.summary.status)?;
        if self.summary.status == Status::Succeeded
            && let Some(notice) = delete_old_runs(self.env.prepared, &folder)
        {
            self.announcer.notice_of_run(notice);
        }
        self.announcer.tell(&Event::RunFinished(self.summary.clone()));
        Ok(RunEnd { summary: self.summary, fault: self.fault, folder })
    }
}
