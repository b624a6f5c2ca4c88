//! Runs one failed item again, with everything that it saw when it failed.

use super::env::task_host;
use super::output::scratch;
use super::scope::scope_before;
use super::summary::{ClosingReport, summary_value};
use crate::compile::{OpenStep, Prepared, PreparedStep, open_step};
use crate::ledger::{FailureRecord, Reader, RunFolder, StepRecord};
use crate::measure::SlotClocks;
use crate::model::{Batch, Failure, Indexes, ItemKey, LaneSettings, RunSummary, Status, StepName, StepReport};
use crate::sources::{Chunk, Source, SourceHost, run_alone};
use crate::task::{Cancel, Claims, CurrentItems, ForegroundEnd, ForegroundRun, ItemFiles, StepContext, Withdrawn};
use crate::template::{ItemScope, Scope};
use crossbeam_channel::never;
use std::sync::Arc;

/// Which item to run again.
#[derive(Debug)]
pub struct Repro<'a> {
    /// The workflow.
    pub prepared: &'a Prepared,
    /// The run in which it failed.
    pub folder: &'a RunFolder,
    /// The step.
    pub step: &'a StepName,
    /// The failed item.
    pub failure: &'a FailureRecord,
}

impl Repro<'_> {
    /// Runs it in the foreground, with the results of earlier steps from the ledger, to which nothing is written. The
    /// inner error is why the item failed.
    ///
    /// # Errors
    /// If it cannot be run, because the workflow no longer has the step or the ledger cannot be read.
    pub fn run(&self, debugger: bool) -> Result<Result<ForegroundEnd, Failure>, String> {
        let Self { prepared, step: name, failure, .. } = self;
        let step = prepared.step(name).ok_or_else(|| format!("the workflow no longer has a step `{name}`"))?;
        let scope = Arc::new(self.scope()?);
        let names = Arc::new(ItemScope::of_step(Arc::clone(&scope)));
        let mut open = open_step(step, prepared, &names, SourceHost { run: &run_alone, stop: &never() })
            .map_err(|error| error.to_string())?;
        let row = row(&mut *open.source, failure);
        let context = self.context(step, &open, scope)?;
        let batch = row.unwrap_or_else(|| kept(failure));
        Ok(step.program.foreground(&ForegroundRun { context: &context, batch: &batch, debugger }))
    }

    /// The names in scope of the step when it failed.
    fn scope(&self) -> Result<Scope, String> {
        let Self { prepared, folder, step: name, .. } = self;
        let reader = Reader::open((*folder).clone()).map_err(|error| error.to_string())?;
        let mut scope = scope_before(prepared, folder, name).map_err(|error| error.to_string())?;
        if prepared.closing.iter().any(|closing| closing.name() == *name) {
            let (summary, report) = (self.summary(&reader)?, ClosingReport::written(folder));
            scope.summary = Some(summary_value(&summary, &prepared.workflow.name, folder, &report));
        }
        Ok(scope)
    }

    /// How the steps have ended, before the first closing step.
    fn summary(&self, reader: &Reader) -> Result<RunSummary, String> {
        let is_closing = |name: &StepName| self.prepared.closing.iter().any(|closing| closing.name() == name);
        let records = reader.steps().map_err(|error| error.to_string())?;
        let reports = records.into_iter().filter(|record| !is_closing(&record.name)).map(|record| {
            let StepRecord { name, status, stats, failure, .. } = record;
            StepReport { name, status, stats, failure }
        });
        let steps: Vec<StepReport> = reports.collect();
        let worst = steps.iter().map(|step| step.status).rev().find(|status| *status != Status::Succeeded);
        Ok(RunSummary { run: self.folder.run.clone(), status: worst.unwrap_or(Status::Succeeded), steps })
    }

    fn context(&self, step: &PreparedStep, open: &OpenStep, scope: Arc<Scope>) -> Result<StepContext, String> {
        let lane = LaneSettings { item_timeout: None, batch_timeout: None, width: 1, ..*open.settings.lane };
        // So that the user can look at the files. They stay in the run's directory.
        let scratch = open.item_files.as_ref().map(|_| scratch(self.folder, step.name())).transpose();
        let item_files = scratch
            .map_err(|error| error.to_string())?
            .map(|scratch| Arc::new(ItemFiles::new(scratch.join("repro"), scratch.join("kept"), Claims::new())));
        Ok(StepContext {
            run: self.folder.run.clone(),
            step: step.name().clone(),
            scope,
            settings: Arc::new(LaneSettings { skip_bad_rows: false, ..lane }),
            forms: open.source.forms(),
            file_keys: None,
            host: Arc::new(task_host(self.prepared, self.folder)),
            cancel: Cancel::new().map_err(|error| error.to_string())?,
            item_files,
            withdrawn: Arc::new(Withdrawn::new().map_err(|error| error.to_string())?),
            current_items: Arc::new(CurrentItems::new(1)),
            clocks: Arc::new(SlotClocks::new(1)),
        })
    }
}

/// The item as it was saved. For a row, that is JSON made from it.
fn kept(failure: &FailureRecord) -> Batch {
    let item = failure.item.as_bytes();
    Batch::of_one(failure.index, ItemKey::of(item), item)
}

/// A row as it is in its file, if it is still there. Its dates are then dates, as they were when it failed.
fn row(source: &mut dyn Source, failure: &FailureRecord) -> Option<Batch> {
    let (mut index, mut most) = (0, 1);
    loop {
        let chunk = source.next(most).ok()??;
        let (from, size) = (index, chunk.items.len());
        index += size as u64;
        // More at a time, unless they are large.
        if chunk.items.as_parts().0.len() < 1 << 20 {
            most = (most * 2).min(4096);
        }
        // A bad file has no rows, and other sources without rows are not sources of rows.
        if chunk.origin.is_none() && chunk.file_error.is_none() {
            return None;
        }
        if failure.index < index {
            let Chunk { items, keys, form, origin, bytes, file_error, .. } = chunk;
            let position = usize::try_from(failure.index - from).ok()?;
            let same = file_error.is_none() && keys.get(position).to_string() == failure.key;
            let indexes = Indexes::Range(from..index);
            let batch = Batch { number: 1, size, attempt: 1, indexes, items, keys, form, origin, bytes, file_error };
            return same.then(|| batch.part(&[position], 1));
        }
    }
}
