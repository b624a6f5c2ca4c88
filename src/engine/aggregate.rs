//! The aggregate of a batch step: what is made of all its results when they are there.
//!
//! It is kept beside the results, and stands as long as neither they nor what computes it have changed. A failing aggregate
//! fails its step, whose items stay done.

use super::fingerprint::{aggregate_print, hash, task_looks_at};
use super::history::earlier_steps;
use super::prepare::Prepared;
use super::reduce::Reducer;
use super::step::step_timeout;
use super::workflow::{EngineError, Run};
use crate::ledger::{AggregateFile, LedgerError, Printed, Reader, StepLedger, StepReader};
use crate::model::{Batch, BatchFormat, Event, Failure, FailureKind, Form, ItemKey, Status, StepName, StepReport};
use crate::spec::{Aggregate, Reductions, Step, StepKind};
use crate::task::{Context, CurrentItems, Frame, LogLine};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// The aggregate of a step, if it has one.
pub(super) fn aggregate_of(step: &Step) -> Option<&Aggregate> {
    match &step.kind {
        StepKind::Batch(batch) => batch.aggregate.as_ref(),
        StepKind::Single(_) => None,
    }
}

/// What differs whenever the aggregate of a step would be computed in another way, be its results the same.
pub(super) fn how(
    step: &Step,
    aggregate: &Aggregate,
    prepared: &Prepared,
    revision: &dyn Fn(&StepName) -> Result<String, LedgerError>,
) -> Result<String, LedgerError> {
    let mut print = aggregate_print(aggregate, prepared);
    if let Aggregate::Code(task) = aggregate {
        for earlier in earlier_steps(step, prepared).filter(|earlier| task_looks_at(task, earlier)) {
            print.insert(format!("results of {}", earlier.name), revision(&earlier.name)?);
        }
    }
    Ok(hash(&serde_json::to_string(&print).unwrap_or_default()))
}

impl Run<'_> {
    /// Computes the aggregate of a step that ended well, unless the one that is kept still stands; a failure of it becomes
    /// the step's. `limit` is the `timeout` of the step.
    pub(super) fn aggregate(
        &mut self,
        step: &Step,
        ledger: &mut StepLedger,
        report: &mut StepReport,
        limit: Option<Duration>,
    ) -> Result<(), EngineError> {
        let folder = self.ledger.folder().clone();
        let Some(aggregate) = aggregate_of(step) else { return Ok(folder.remove_aggregate(&step.name)?) };
        if !matches!(report.status, Status::Succeeded | Status::Partial) {
            return Ok(());
        }
        let how = how(step, aggregate, self.prepared, &|earlier| self.ledger.revision(earlier))?;
        let reader = Reader::open(folder.clone())?;
        let recorded = reader.step(&step.name)?.expect("a step under way is in the ledger");
        if recorded.aggregate(Some(&how))?.is_some() {
            return Ok(());
        }
        let computed = match aggregate {
            Aggregate::Reductions(reductions) => self.reduce(reductions, &recorded)?,
            Aggregate::Code(_) => {
                self.call(step, ledger, limit.map(|limit| limit.saturating_sub(report.stats.duration)))?
            }
        };
        match computed {
            Ok(aggregate) => {
                let revision = ledger.revision()?;
                folder.write_aggregate(&step.name, &AggregateFile { revision, fingerprint: how, aggregate })?;
            }
            Err(failure) if failure.kind == FailureKind::Cancelled => report.status = Status::Interrupted,
            Err(mut failure) => {
                if let Some(limit) = limit.filter(|_| failure.kind == FailureKind::Timeout) {
                    failure = step_timeout(limit);
                }
                folder.remove_aggregate(&step.name)?;
                self.prepared.secrets.mask_failure(&mut failure);
                report.status = Status::Failed;
                report.failure = Some(failure);
            }
        }
        Ok(())
    }

    fn reduce(
        &mut self,
        reductions: &Reductions,
        step: &StepReader<'_>,
    ) -> Result<Result<Box<RawValue>, Failure>, EngineError> {
        let wrong = |message| Failure::new(FailureKind::Exception, "AggregateError", message);
        let mut reducer = Reducer::new(reductions);
        let mut lines = step.results()?;
        while let Some(piece) = lines.next_block()? {
            if self.cancel.kill.is_fired() {
                return Ok(Err(Failure::new(FailureKind::Cancelled, "Cancelled", "the run was interrupted")));
            }
            let piece = piece.strip_suffix(b"\n").unwrap_or(&piece);
            if piece.is_empty() {
                continue;
            }
            for line in piece.split(|byte| *byte == b'\n') {
                if let Err(message) = reducer.add(line) {
                    return Ok(Err(wrong(message)));
                }
            }
        }
        for field in reducer.never_found() {
            self.notice(&step.record.name, format!("warning: no result has the field `{field}` of the aggregate"));
        }
        Ok(reducer.finish().map_err(wrong))
    }

    /// Runs the code of an aggregate, once, in a worker of its own.
    fn call(
        &mut self,
        step: &Step,
        ledger: &mut StepLedger,
        left: Option<Duration>,
    ) -> Result<Result<Box<RawValue>, Failure>, EngineError> {
        let prepared = self.prepared;
        let program = prepared.aggregates.get(&step.name).expect("`prepare` compiled the code of every aggregate");
        let context = self.context_of_aggregate(step, left)?;
        let batch = Batch::of_one(0, ItemKey::of(b"null"), b"null");
        let mut lane = program.lane(&context, 0);
        let (outcomes, broken) =
            lane.run(&Frame { batches: std::slice::from_ref(&batch), halt_on_failure: true, error: None });
        let report = lane.finish();
        let mut outcome = outcomes.into_iter().next().unwrap_or_default();
        for LogLine { stream, mut text, .. } in outcome.logs.drain(..).chain(report.logs) {
            prepared.secrets.mask(&mut text);
            // What is printed is not worth the results: the run goes on without it.
            if let Err(error) = ledger.log(&Printed { item: None, stream, text }) {
                self.notice(&step.name, format!("warning: {error}; what the aggregate prints is not kept"));
            }
        }
        if let Some(trouble) = report.trouble {
            self.notice(&step.name, format!("warning: {trouble}"));
        }
        if outcome.nulls > 0 {
            let count = outcome.nulls;
            self.notice(
                &step.name,
                format!("warning: {count} NaN or infinite numbers of the aggregate were written as null"),
            );
        }
        let failed = outcome.failures.into_iter().next().map(|(_, failure)| failure);
        if let Some(failure) = broken.or(failed) {
            return Ok(Err(failure));
        }
        let line = outcome.lines.iter().next().map(|line| String::from_utf8_lossy(line).into_owned());
        Ok(line
            .and_then(|line| RawValue::from_string(line).ok())
            .ok_or_else(|| Failure::new(FailureKind::Cancelled, "Cancelled", "the run was interrupted")))
    }

    fn context_of_aggregate(&self, step: &Step, left: Option<Duration>) -> Result<Context, EngineError> {
        Ok(Context {
            run: self.ledger.folder().run.clone(),
            step: step.name.clone(),
            scope: Arc::new(self.scope.clone()),
            env: Arc::clone(&self.prepared.own_env),
            forms: Arc::new([Form::Json]),
            skip_bad_rows: false,
            timeout: left,
            batch_timeout: None,
            has_item: false,
            batched: false,
            batch_format: BatchFormat::Records,
            batches: Some(1),
            slots: 1,
            cancel: self.cancel.inner()?,
            guard: self.guard.clone(),
            python: self.prepared.python.clone(),
            logs: self.ledger.folder().logs(),
            item_files: None,
            current_items: Arc::new(CurrentItems::new(1)),
        })
    }

    fn notice(&mut self, step: &StepName, text: String) {
        let text = self.prepared.secrets.masked(text);
        self.tell(&Event::Notice { name: step.clone(), text });
    }
}
