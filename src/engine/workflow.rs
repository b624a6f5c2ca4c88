//! The run: its steps one after another, each with what the earlier ones gave.

use super::feeder::Feed;
use super::incremental::{Compare, Incremental};
use super::plan::{StepPlan, plan_step};
use super::prepare::{Prepared, template_fault};
use super::resume::{ItemSelection, SortedOut};
use super::shape::ShapeError;
use super::step::{Job, StepEnd, StepRun, execute, pace};
use super::values::step_scope;
use crate::export::StreamedOutput;
use crate::ledger::{Baseline, Ledger, LedgerError, RunFolder, RunMeta, StepLedger, StepType};
use crate::model::{Event, Failure, FailureKind, Listener, RunSummary, Stats, Status, StepReport};
use crate::sources::{SourceError, SourceHost};
use crate::spec::{BatchSize, Fault, Faults, OnBadRow, Step, StepKind, Workflow};
use crate::task::guard::Guard;
use crate::task::{Cancel, Context, CurrentItems, Program, capture};
use crate::template::{ItemScope, Scope};
use std::process::Command;
use std::sync::Arc;

/// Trouble of the engine itself; what was done stays done.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The ledger cannot be opened; nothing was run.
    #[error(transparent)]
    Start(LedgerError),
    /// The ledger cannot be written or read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The system gives no threads.
    #[error("cannot start threads: {0}")]
    Threads(String),
    /// The guard of the children cannot be started.
    #[error("cannot start the guard of child processes")]
    Guard(#[source] std::io::Error),
    /// The system gives no descriptors.
    #[error("cannot make an event descriptor")]
    Descriptors(#[from] std::io::Error),
}

/// Whether a run begins or goes on.
#[derive(Debug)]
pub enum Start {
    /// A new run.
    New,
    /// The run in this folder goes on with these items.
    Again(RunFolder, ItemSelection),
}

/// How a run ended.
#[derive(Debug)]
pub struct RunEnd {
    /// Its state and the counts of its steps.
    pub summary: RunSummary,
    /// The fault of the file or of its surroundings that stopped it, if one did.
    pub fault: Option<Faults>,
    /// Its folder.
    pub folder: RunFolder,
}

/// Runs a workflow.
///
/// # Errors
/// Where the ledger cannot be written or the system lacks resources; failures of tasks are in the [`RunEnd`].
pub fn run(
    prepared: &Prepared,
    start: Start,
    cancel: &Cancel,
    listeners: &mut [Box<dyn Listener>],
) -> Result<RunEnd, EngineError> {
    let workflow = &prepared.workflow;
    let durability = prepared.options.durability;
    let (ledger, which) = match start {
        Start::New => {
            let folder = prepared.options.state.create_run(&workflow.name).map_err(EngineError::Start)?;
            let params = prepared.secrets.masked(serde_json::to_string(&prepared.params).unwrap_or_default());
            let incremental = prepared.options.incremental.map(Compare::word);
            let meta =
                RunMeta { workflow: workflow.name.clone(), path: workflow.source.path.clone(), params, incremental };
            (Ledger::create(folder, &meta, durability).map_err(EngineError::Start)?, ItemSelection::Left)
        }
        Start::Again(folder, which) => (Ledger::reopen(folder, durability).map_err(EngineError::Start)?, which),
    };
    let known = prepared.options.incremental.map(|_| Baseline::open(&prepared.options.state, &workflow.source.path));
    let incremental = known.transpose().map_err(EngineError::Start)?.map(Incremental::new);
    let id = ledger.folder().run.clone();
    let programs = prepared.programs.iter().flat_map(|(program, handler)| [Some(program), handler.as_ref()]);
    let has_children = programs.flatten().chain(prepared.aggregates.values()).any(Program::has_children);
    let mut run = Run {
        prepared,
        cancel: cancel.clone(),
        guard: has_children.then(Guard::start).transpose().map_err(EngineError::Guard)?,
        scope: step_scope(prepared, &id),
        summary: RunSummary { run: id.clone(), status: Status::Succeeded, steps: Vec::new() },
        fault: None,
        which,
        incremental,
        ledger,
        listeners,
    };
    run.tell(&Event::RunStarted { run: id, workflow: workflow.name.clone(), steps: workflow.steps.len() });
    for (step, programs) in workflow.steps.iter().zip(&prepared.programs) {
        let report = run.step(step, programs)?;
        run.tell(&Event::StepFinished(report.clone()));
        let status = report.status;
        run.summary.steps.push(report);
        match status {
            Status::Succeeded => {}
            Status::Partial => run.summary.status = Status::Partial,
            other => {
                run.summary.status = other;
                break;
            }
        }
    }
    run.close()?;
    run.note_known(run.summary.status)?;
    run.ledger.finish_run(run.summary.status)?;
    run.tell(&Event::RunFinished(run.summary.clone()));
    let folder = run.ledger.folder().clone();
    Ok(RunEnd { summary: run.summary, fault: run.fault, folder })
}

/// A run under way.
pub(super) struct Run<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) cancel: Cancel,
    pub(super) guard: Option<Arc<Guard>>,
    pub(super) scope: Scope,
    summary: RunSummary,
    fault: Option<Faults>,
    pub(super) which: ItemSelection,
    pub(super) incremental: Option<Incremental>,
    pub(super) ledger: Ledger,
    listeners: &'a mut [Box<dyn Listener>],
}

impl Run<'_> {
    pub(super) fn tell(&mut self, event: &Event) {
        self.listeners.iter_mut().for_each(|listener| listener.event(event));
    }

    /// Runs `on_failure` where the run did not succeed, and `finally`. A signal that stopped the steps does not stop these; a
    /// second one does. What they did in an earlier execution does not count.
    fn close(&mut self) -> Result<(), EngineError> {
        let prepared = self.prepared;
        let programs = &prepared.programs[prepared.workflow.steps.len()..];
        self.cancel = self.cancel.begin_closing()?;
        self.which = ItemSelection::Left;
        for (step, programs) in prepared.workflow.closing.iter().zip(programs) {
            if step.name.as_str() == Workflow::ON_FAILURE && self.summary.status == Status::Succeeded {
                continue;
            }
            self.scope.summary = Some(minijinja::Value::from(minijinja::value::Serde(self.summary_json())));
            self.ledger.forget_step(&step.name)?;
            let report = self.step(step, programs)?;
            self.tell(&Event::StepFinished(report.clone()));
            if report.status != Status::Succeeded && self.summary.status == Status::Succeeded {
                self.summary.status = Status::Failed;
            }
            self.summary.steps.push(report);
        }
        Ok(())
    }

    /// What `summary` is: `run_id`, `workflow`, `status`, `failed`, and `steps` by name.
    fn summary_json(&self) -> serde_json::Value {
        let step = |step: &StepReport| {
            let error = step.failure.as_ref().map(|failure| format!("{}: {}", failure.class, failure.message));
            (
                step.name.to_string(),
                serde_json::json!({ "status": step.status, "stats": step.stats.to_json(), "error": error }),
            )
        };
        serde_json::json!({
            "run_id": self.summary.run,
            "workflow": self.prepared.workflow.name,
            "status": self.summary.status,
            "failed": self.summary.steps.iter().map(|step| step.stats.failed).sum::<u64>(),
            "steps": self.summary.steps.iter().map(step).collect::<serde_json::Map<_, _>>(),
        })
    }

    fn step(&mut self, step: &Step, programs: &(Program, Option<Program>)) -> Result<StepReport, EngineError> {
        let scope = Arc::new(self.scope.clone());
        let step_type = match step.kind {
            StepKind::Single(_) => StepType::Single,
            StepKind::Batch(_) => StepType::Batch,
        };
        let (mut ledger, past) = self.ledger.begin_step(&step.name, step_type)?;
        let names = Arc::new(ItemScope::of_step(Arc::clone(&scope)));
        let (stop, guard) = (Arc::clone(&self.cancel.stop), self.guard.clone());
        let run = move |command: &mut Command| capture(command, &stop, guard.as_ref());
        let stop = Arc::clone(&self.cancel.stop);
        let host = SourceHost { run: &run, stop: stop.channel() };
        let report = match plan_step(step, &programs.0, self.prepared, &names, host) {
            Ok(mut plan) => {
                let past = self.past(step, plan.batched, (&mut ledger, past))?;
                match self.left(step, &mut plan, (&mut ledger, &past))? {
                    Ok(sorted_out) => {
                        self.work(step, programs, Ready { ledger: &mut ledger, scope, plan, sorted_out })?
                    }
                    Err(error) => self.cannot_start(step, &ShapeError::Items(error, items_span(step))),
                }
            }
            Err(error) => self.cannot_start(step, &error),
        };
        ledger.finish(&report)?;
        Ok(report)
    }

    /// Runs what is left of a step that is ready.
    fn work(
        &mut self,
        step: &Step,
        (program, handler): &(Program, Option<Program>),
        ready: Ready<'_>,
    ) -> Result<StepReport, EngineError> {
        let Ready { ledger, scope, plan, sorted_out } = ready;
        let (total, done) = sorted_out.as_ref().map_or((plan.total, 0), |it| (Some(it.total), it.done));
        let (failed, bad_rows) = sorted_out.as_ref().map_or((0, 0), |it| (it.failed, it.bad_rows));
        let unchanged = sorted_out.as_ref().map_or(0, |it| it.unchanged);
        // A number of items that is not all of them comes to no known number of bytes.
        let bytes = plan.source.bytes().filter(|_| plan.most_items == u64::MAX);
        let bytes_done = sorted_out.as_ref().map_or(0, |it| it.bytes_done(bytes));
        let (name, slots) = (step.name.clone(), plan.slots);
        self.tell(&Event::StepStarted { name, total, done, bytes, bytes_done, slots });
        let pace = pace(&plan);
        let StepPlan { mut source, is_batch, most_items, target, item_files, .. } = plan;
        let item_files = item_files.map(|into| self.item_files(step, ledger, into)).transpose()?.map(Arc::new);
        let context = Context {
            run: self.summary.run.clone(),
            step: step.name.clone(),
            scope,
            env: Arc::clone(&self.prepared.own_env),
            forms: source.forms(),
            skip_bad_rows: source.on_bad_row() == OnBadRow::Skip,
            timeout: plan.timeout,
            batch_timeout: plan.batch_timeout,
            has_item: is_batch,
            batched: plan.batched,
            batch_format: plan.batch_format,
            batches: plan.batches,
            slots: plan.slots,
            // A step that stops because an item failed must not stop the run's cleaning up.
            cancel: self.cancel.inner()?,
            guard: self.guard.clone(),
            python: self.prepared.python.clone(),
            logs: self.ledger.folder().logs(),
            item_files: item_files.clone(),
            current_items: Arc::new(CurrentItems::new(plan.slots)),
        };
        let job = Job {
            program,
            handler: handler.as_ref(),
            context,
            retry: plan.retry,
            continue_on_error: plan.continue_on_error,
            bisect: plan.bisect,
            on_bad_row: source.on_bad_row(),
            pace,
        };
        // What earlier executions did is in no order with what comes now.
        let fresh_target = target.as_ref().filter(|_| is_batch && sorted_out.is_none());
        let run = StepRun {
            streamed: fresh_target.and_then(StreamedOutput::of),
            feed: match sorted_out {
                Some(sorted_out) => {
                    let (remaining, total) = sorted_out.into_rest(bytes);
                    Feed::Rest(&mut *source, remaining, total)
                }
                None => {
                    if plan.batch_size == BatchSize::Auto {
                        source.largest_first(most_items);
                    }
                    Feed::Fresh(&mut *source, most_items)
                }
            },
            total,
            done,
            failed,
            bad_rows,
            unchanged,
            bytes_done,
            queue_size: plan.queue_size,
            max_failures: plan.max_failures,
            timeout: plan.step_timeout,
            slow_after: self.prepared.options.slow_after,
        };
        let mut end = execute(run, &job, ledger, self.listeners, &self.prepared.secrets)?;
        let streamed = end.streamed.take();
        item_files.iter().for_each(|files| files.clear());
        let mut report = self.report(step, end);
        let ran = report.stats.succeeded > done;
        self.remember(step, &report, is_batch);
        self.aggregate(step, ledger, &mut report, plan.step_timeout)?;
        if let Some(target) = target {
            self.write_output((ledger, is_batch), (&target, streamed), &mut report)?;
        }
        if ran && !is_batch && matches!(program, Program::Echo(_)) {
            self.say(step)?;
        }
        Ok(report)
    }

    fn report(&mut self, step: &Step, end: StepEnd) -> StepReport {
        let StepEnd { stats, failure, broken, source_error, .. } = end;
        let mut failure = failure;
        if let Some(error) = source_error {
            let message = self.prepared.secrets.masked(error.to_string());
            self.fault(step, &ShapeError::Items(error, items_span(step)));
            failure = Some(Failure::new(FailureKind::Template, "ItemsError", message));
        }
        let status = if self.cancel.stop.is_fired() {
            Status::Interrupted
        } else if broken || failure.is_some() {
            Status::Failed
        } else if stats.skipped > 0 {
            // Only failed items were asked for, and others have never run.
            Status::Failed
        } else if stats.total == 0 {
            Status::Empty
        } else if stats.failed > 0 {
            Status::Partial
        } else {
            Status::Succeeded
        };
        StepReport { name: step.name.clone(), status, stats, failure }
    }

    fn cannot_start(&mut self, step: &Step, error: &ShapeError) -> StepReport {
        self.fault(step, error);
        let mut message = error.to_string();
        self.prepared.secrets.mask(&mut message);
        StepReport {
            name: step.name.clone(),
            status: if self.cancel.stop.is_fired() { Status::Interrupted } else { Status::Failed },
            stats: Stats::default(),
            failure: Some(Failure::new(FailureKind::Template, "StepError", message)),
        }
    }

    fn fault(&mut self, step: &Step, error: &ShapeError) {
        let source = &self.prepared.workflow.source;
        let within = format!("steps.{}", step.name);
        let mut fault = match error {
            ShapeError::Items(SourceError::Template(error), _) => template_fault(source, error, within),
            ShapeError::Items(_, span) | ShapeError::Setting(_, span) => {
                let hint = if let ShapeError::Items(error, _) = error { error.hint() } else { None };
                let fault = Fault::at(*span, error.to_string()).within(within);
                hint.into_iter().fold(fault, Fault::hint)
            }
        };
        self.prepared.secrets.mask(&mut fault.message);
        self.fault = Some(Faults::one(source.clone(), fault));
    }
}

/// A step that can be worked on.
struct Ready<'a> {
    ledger: &'a mut StepLedger,
    scope: Arc<Scope>,
    plan: StepPlan,
    sorted_out: Option<SortedOut>,
}

pub(super) fn items_span(step: &Step) -> crate::model::Span {
    match &step.kind {
        StepKind::Batch(batch) => batch.items_span,
        StepKind::Single(_) => step.span,
    }
}
