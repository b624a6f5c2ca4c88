//! The run: its steps one after another, each with what the earlier ones gave.

use super::feeder::Feed;
use super::fingerprint::{changed, fingerprint, looks_at};
use super::prepare::{Prepared, template_fault, template_params};
use super::resume::{SortedOut, Which, sort_out};
use super::shape::{ShapeError, shape, single_timeout};
use super::slot::message;
use super::step::{Job, StepEnd, StepRun, execute, pace};
use crate::ledger::{Ledger, LedgerError, Past, Reader, RunFolder, RunMeta, StepKey};
use crate::model::{
    Event, Failure, FailureKind, Items, RunId, RunStatus, RunSummary, Sink, Stats, StepName, StepReport, StepStatus,
};
use crate::plan::{Source, SourceError};
use crate::spec::{Fault, Faults, RetryPolicy, Step, StepKind};
use crate::task::guard::Guard;
use crate::task::{Cancel, Context, Program};
use crate::template::{ItemScope, Lazy, Scope, StepValue, json_to_value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

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
    Again(RunFolder, Which),
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
    sinks: &mut [Box<dyn Sink>],
) -> Result<RunEnd, EngineError> {
    let workflow = &prepared.workflow;
    let (mut ledger, which) = match start {
        Start::New => {
            let folder = prepared.options.state.create_run(&workflow.name).map_err(EngineError::Start)?;
            let params = prepared.secrets.masked(serde_json::to_string(&prepared.params).unwrap_or_default());
            let meta = RunMeta { workflow: workflow.name.clone(), path: workflow.source.path.clone(), params };
            (Ledger::create(folder, &meta).map_err(EngineError::Start)?, Which::Left)
        }
        Start::Again(folder, which) => (Ledger::reopen(folder).map_err(EngineError::Start)?, which),
    };
    let folder = ledger.folder().clone();
    let id = folder.run.clone();
    let event = Event::RunStarted { run: id.clone(), workflow: workflow.name.clone(), steps: workflow.steps.len() };
    sinks.iter_mut().for_each(|sink| sink.event(&event));
    let programs = prepared.programs.iter().flat_map(|(program, handler)| [Some(program), handler.as_ref()]);
    let has_children = programs.flatten().any(Program::has_children);
    let mut run = Run {
        prepared,
        cancel,
        guard: has_children.then(Guard::start).transpose()?,
        scope: step_scope(prepared, &id),
        summary: RunSummary { run: id, status: RunStatus::Succeeded, steps: Vec::new() },
        fault: None,
        which,
        gave_new: BTreeSet::new(),
    };
    for (step, programs) in workflow.steps.iter().zip(&prepared.programs) {
        let report = run.step(step, programs, &mut ledger, sinks)?;
        sinks.iter_mut().for_each(|sink| sink.event(&Event::StepFinished(report.clone())));
        let status = report.status;
        run.summary.steps.push(report);
        match status {
            StepStatus::Succeeded => {}
            StepStatus::Partial => run.summary.status = RunStatus::Partial,
            other => {
                run.summary.status = other.into();
                break;
            }
        }
    }
    ledger.finish_run(run.summary.status)?;
    let event = Event::RunFinished(run.summary.clone());
    sinks.iter_mut().for_each(|sink| sink.event(&event));
    Ok(RunEnd { summary: run.summary, fault: run.fault, folder })
}

/// The names that hold before the first step.
pub fn step_scope(prepared: &Prepared, run: &RunId) -> Scope {
    let env = prepared.env.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let run = [("id", run.0.clone()), ("name", prepared.workflow.name.clone()), ("started", started)];
    let run = run.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    Scope { params: template_params(&prepared.params), env, run, steps: BTreeMap::new(), outputs: BTreeMap::new() }
}

struct Run<'a> {
    prepared: &'a Prepared,
    cancel: &'a Cancel,
    guard: Option<Arc<Guard>>,
    scope: Scope,
    summary: RunSummary,
    fault: Option<Faults>,
    which: Which,
    /// Steps that ran an item in this execution.
    gave_new: BTreeSet<StepName>,
}

/// The one "item" of a plain step.
struct Once(bool);

impl Source for Once {
    fn total(&self) -> Option<u64> {
        Some(1)
    }

    fn fill(&mut self, items: &mut Items, most: usize) -> Result<(), SourceError> {
        if most > 0 && std::mem::take(&mut self.0) {
            items.push(b"null");
        }
        Ok(())
    }
}

/// What a step needs to be run, whatever its kind.
struct Plan<'a> {
    source: Box<dyn Source + 'a>,
    total: Option<u64>,
    batch_size: usize,
    batches: Option<u64>,
    slots: usize,
    queue_size: Option<usize>,
    continue_on_error: bool,
    timeout: Option<Duration>,
    retry: RetryPolicy,
    batched: bool,
    is_batch: bool,
}

impl Run<'_> {
    fn plan(&self, step: &Step, program: &Program, scope: &Arc<ItemScope>) -> Result<Plan<'static>, ShapeError> {
        match &step.kind {
            StepKind::Single(single) => Ok(Plan {
                source: Box::new(Once(true)),
                total: Some(1),
                batch_size: 1,
                batches: Some(1),
                slots: 1,
                queue_size: None,
                continue_on_error: false,
                timeout: single_timeout(single, scope)?,
                retry: single.retry,
                batched: false,
                is_batch: false,
            }),
            StepKind::Batch(batch) => {
                let shape = shape(batch, program, self.prepared, scope)?;
                Ok(Plan {
                    total: shape.total,
                    batch_size: shape.batch_size,
                    batches: shape.batches(),
                    slots: shape.slots,
                    queue_size: shape.queue_size,
                    continue_on_error: shape.continue_on_error,
                    timeout: shape.timeout,
                    retry: shape.retry,
                    batched: shape.batched.batched,
                    is_batch: true,
                    source: Box::new(shape.items),
                })
            }
        }
    }

    fn step(
        &mut self,
        step: &Step,
        (program, handler): &(Program, Option<Program>),
        ledger: &mut Ledger,
        sinks: &mut [Box<dyn Sink>],
    ) -> Result<StepReport, EngineError> {
        let scope = Arc::new(self.scope.clone());
        let (key, past) = ledger.begin_step(&step.name, matches!(step.kind, StepKind::Batch(_)))?;
        let plan = match self.plan(step, program, &Arc::new(ItemScope::of_step(Arc::clone(&scope)))) {
            Ok(plan) => plan,
            Err(error) => {
                let report = self.cannot_start(step, &error);
                ledger.finish_step(key, &report)?;
                return Ok(report);
            }
        };
        let Plan { mut source, is_batch, .. } = plan;
        let most_items = if is_batch { self.prepared.options.max_items.unwrap_or(u64::MAX) } else { 1 };
        let past = self.past(step, plan.batched, (key, past), ledger, sinks)?;
        let sorted_out = if past.is_empty() && matches!(self.which, Which::Left) {
            None
        } else {
            match self.sort_out(step, &mut *source, &past, most_items, ledger, sinks)? {
                Ok(sorted_out) => Some(sorted_out),
                Err(report) => {
                    ledger.finish_step(key, &report)?;
                    return Ok(report);
                }
            }
        };
        let (total, done) = sorted_out.as_ref().map_or((plan.total, 0), |it| (Some(it.total), it.done));
        let failed = sorted_out.as_ref().map_or(0, |it| it.failed);
        let event = Event::StepStarted { name: step.name.clone(), total, done, slots: plan.slots };
        sinks.iter_mut().for_each(|sink| sink.event(&event));
        let context = Context {
            run: self.summary.run.clone(),
            step: step.name.clone(),
            scope,
            env: Arc::clone(&self.prepared.own_env),
            timeout: plan.timeout,
            has_item: is_batch,
            batched: plan.batched,
            batches: plan.batches,
            slots: plan.slots,
            // A step that stops because an item failed must not stop the run's cleaning up.
            cancel: Cancel { stop: Cancel::new()?.stop, kill: Arc::clone(&self.cancel.kill) },
            guard: self.guard.clone(),
            python: self.prepared.python.clone(),
            logs: ledger.folder().logs(),
        };
        let job = Job {
            program,
            handler: handler.as_ref(),
            context,
            retry: plan.retry,
            continue_on_error: plan.continue_on_error,
            pace: pace(plan.queue_size),
        };
        let run = StepRun {
            name: step.name.clone(),
            key,
            feed: match sorted_out {
                Some(SortedOut { remaining, total, .. }) => Feed::Rest(remaining, total),
                None => Feed::Fresh(&mut *source, most_items),
            },
            total,
            done,
            failed,
            batch_size: plan.batch_size,
            queue_size: plan.queue_size,
            outer: self.cancel,
        };
        let end = execute(run, &job, ledger, sinks, &self.prepared.secrets)?;
        let report = self.report(step, end);
        if report.stats.succeeded > done {
            self.gave_new.insert(step.name.clone());
        }
        ledger.finish_step(key, &report)?;
        self.remember(step, &report, is_batch, ledger.folder());
        if !is_batch && matches!(program, Program::Echo(_)) && report.stats.succeeded > done {
            self.say(step, ledger.folder(), sinks)?;
        }
        Ok(report)
    }

    /// What of an earlier execution still holds: nothing, where the step or what it looks at has changed.
    fn past(
        &self,
        step: &Step,
        batched: bool,
        (key, past): (StepKey, Past),
        ledger: &mut Ledger,
        sinks: &mut [Box<dyn Sink>],
    ) -> Result<Past, EngineError> {
        let print = fingerprint(step, batched, self.prepared);
        let mut reasons: Vec<String> = Vec::new();
        if !past.is_empty() {
            reasons.extend(changed(&past.fingerprint, &print).iter().map(|name| format!("`{name}` changed")));
            for earlier in self.prepared.workflow.steps.iter().filter(|earlier| self.gave_new.contains(&earlier.name)) {
                let output = earlier.outputs.as_ref().map(|text| text.raw.as_str());
                if looks_at(step, earlier.name.as_str(), output) {
                    reasons.push(format!("step `{}` gave new results", earlier.name));
                }
            }
        }
        let past = if reasons.is_empty() {
            past
        } else {
            ledger.forget(key)?;
            let text = format!("everything runs again, because {}", reasons.join(", "));
            let event = Event::Notice { name: step.name.clone(), text };
            sinks.iter_mut().for_each(|sink| sink.event(&event));
            Past::default()
        };
        ledger.note_fingerprint(key, &serde_json::to_string(&print).unwrap_or_default())?;
        Ok(past)
    }

    /// Compares the items of now with the past, and says what will run and why. The inner error is a source that cannot be read.
    fn sort_out(
        &mut self,
        step: &Step,
        source: &mut dyn Source,
        past: &Past,
        most_items: u64,
        ledger: &mut Ledger,
        sinks: &mut [Box<dyn Sink>],
    ) -> Result<Result<SortedOut, StepReport>, EngineError> {
        let sorted_out = match sort_out(source, past, most_items, &self.which) {
            Ok(sorted_out) => sorted_out,
            Err(error) => return Ok(Err(self.cannot_start(step, &ShapeError::Items(error, items_span(step))))),
        };
        ledger.move_past(&sorted_out.changes)?;
        let reasons = sorted_out.reasons.iter().map(|(reason, count)| format!("{count} {reason}"));
        let reasons: Vec<String> = reasons.collect();
        let colon = if reasons.is_empty() { "" } else { ": " };
        let text = format!(
            "{} of {} items will run{colon}{}",
            sorted_out.remaining.len(),
            sorted_out.total,
            reasons.join(", ")
        );
        let event = Event::Notice { name: step.name.clone(), text };
        sinks.iter_mut().for_each(|sink| sink.event(&event));
        Ok(Ok(sorted_out))
    }

    /// A plain `echo` step says its message.
    fn say(&self, step: &Step, folder: &RunFolder, sinks: &mut [Box<dyn Sink>]) -> Result<(), EngineError> {
        let line = read_results(folder, &step.name)?;
        let mut text = message(line.strip_suffix(b"\n").unwrap_or(&line));
        self.prepared.secrets.mask(&mut text);
        let event = Event::Notice { name: step.name.clone(), text };
        sinks.iter_mut().for_each(|sink| sink.event(&event));
        Ok(())
    }

    fn report(&mut self, step: &Step, end: StepEnd) -> StepReport {
        let StepEnd { stats, failure, broken, source_error } = end;
        let mut failure = failure;
        if let Some(error) = source_error {
            let message = error.to_string();
            self.fault(step, &ShapeError::Items(error, items_span(step)));
            failure = Some(Failure::new(FailureKind::Template, "ItemsError", message));
        }
        let status = if self.cancel.stop.is_fired() {
            StepStatus::Interrupted
        } else if broken || failure.is_some() {
            StepStatus::Failed
        } else if stats.skipped > 0 {
            // Only failed items were asked for, and others have never run.
            StepStatus::Failed
        } else if stats.total == 0 {
            StepStatus::Empty
        } else if stats.failed > 0 {
            StepStatus::Partial
        } else {
            StepStatus::Succeeded
        };
        StepReport { name: step.name.clone(), status, stats, failure }
    }

    fn cannot_start(&mut self, step: &Step, error: &ShapeError) -> StepReport {
        self.fault(step, error);
        let mut message = error.to_string();
        self.prepared.secrets.mask(&mut message);
        StepReport {
            name: step.name.clone(),
            status: StepStatus::Failed,
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
                Fault::at(*span, error.to_string()).within(within)
            }
        };
        self.prepared.secrets.mask(&mut fault.message);
        self.fault = Some(Faults::one(source.clone(), fault));
    }

    /// Puts what the step gave into the scope of the later ones. Results are read when a template first asks for them.
    fn remember(&mut self, step: &Step, report: &StepReport, is_batch: bool, folder: &RunFolder) {
        let (name, from) = (step.name.clone(), folder.clone());
        let result = Lazy::new(move || match read_results(&from, &name) {
            Ok(json) => json_to_value(&json),
            Err(error) => minijinja::Value::from(minijinja::Error::new(
                minijinja::ErrorKind::InvalidOperation,
                format!("the results of step `{name}` cannot be read: {error}"),
            )),
        });
        let (name, from) = (step.name.clone(), folder.clone());
        let failed = Lazy::new(move || {
            minijinja::Value::from(minijinja::value::Serde(failures_json(&from, &name).unwrap_or_default()))
        });
        let batch = is_batch
            .then(|| (Arc::new(failed), minijinja::Value::from(minijinja::value::Serde(report.stats.to_json()))));
        self.scope.steps.insert(step.name.to_string(), StepValue { result: Arc::new(result), batch });
        if let Some(outputs) = &step.outputs {
            self.scope.outputs.insert(outputs.raw.clone(), step.name.to_string());
        }
    }
}

fn items_span(step: &Step) -> crate::model::Span {
    match &step.kind {
        StepKind::Batch(batch) => batch.items_span,
        StepKind::Single(_) => step.span,
    }
}

/// The results of a step as JSON text: an array, or the one value of a plain step.
fn read_results(folder: &RunFolder, step: &StepName) -> Result<Vec<u8>, LedgerError> {
    let reader = Reader::open(folder.clone())?;
    let steps = reader.steps()?;
    let Some(record) = steps.iter().find(|record| record.name == *step) else { return Ok(b"null".to_vec()) };
    let mut results = reader.results(record)?;
    if record.is_batch {
        return results.to_json_array();
    }
    Ok(results.next_piece()?.map_or_else(|| b"null".to_vec(), |(_, _, line)| line))
}

/// `failed` of a batch step: `item`, `index`, `error`, `type`, `attempts` of each.
pub fn failures_json(folder: &RunFolder, step: &StepName) -> Result<Vec<serde_json::Value>, LedgerError> {
    let reader = Reader::open(folder.clone())?;
    let steps = reader.steps()?;
    let Some(record) = steps.iter().find(|record| record.name == *step) else { return Ok(Vec::new()) };
    let failure = |failure: crate::ledger::FailureRecord| {
        let item: serde_json::Value =
            serde_json::from_str(&failure.item).unwrap_or(serde_json::Value::String(failure.item));
        serde_json::json!({
            "item": item, "index": failure.index, "error": failure.message, "type": failure.class, "attempts": failure.attempts,
        })
    };
    Ok(reader.failures(record)?.into_iter().map(failure).collect())
}
