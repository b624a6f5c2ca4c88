//! One failed item again, with what it saw when it failed.

use super::output::scratch;
use super::plan::plan_step;
use super::prepare::Prepared;
use super::values::{remember, step_scope};
use crate::ledger::{FailureRecord, Reader, RunFolder};
use crate::model::{Batch, Failure, Indexes, ItemKey, StepName};
use crate::sources::{Chunk, Source, SourceHost};
use crate::spec::StepKind;
use crate::task::{Cancel, Claims, Context, CurrentItems, ForegroundEnd, ItemFiles, foreground};
use crate::template::ItemScope;
use crossbeam_channel::never;
use std::process::Command;
use std::sync::Arc;

/// ItemSelection item to run again.
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
    /// Runs it in the foreground, with the results of earlier steps as they are in the ledger. Nothing is written there.
    /// The inner error is why the item failed.
    ///
    /// # Errors
    /// Where it cannot be run: the workflow has no such step any more, or the ledger cannot be read.
    pub fn run(&self, debugger: bool) -> Result<Result<ForegroundEnd, Failure>, String> {
        let Self { prepared, folder, step: name, failure } = self;
        let workflow = &prepared.workflow;
        let all = workflow.steps.iter().chain(&workflow.closing);
        let (step, (program, _)) = all
            .zip(&prepared.programs)
            .find(|(step, _)| step.name == **name)
            .ok_or_else(|| format!("the workflow has no step `{name}` any more"))?;
        let reader = Reader::open((*folder).clone()).map_err(|error| error.to_string())?;
        let mut scope = step_scope(prepared, &folder.run);
        for earlier in workflow.steps.iter().take_while(|earlier| earlier.name != **name) {
            if let Some(recorded) = reader.step(&earlier.name).map_err(|error| error.to_string())? {
                let is_batch = matches!(earlier.kind, StepKind::Batch(_));
                remember(&mut scope, folder, earlier, is_batch.then_some(recorded.record.stats));
            }
        }
        let scope = Arc::new(scope);
        let names = Arc::new(ItemScope::of_step(Arc::clone(&scope)));
        let run = |command: &mut Command| command.output();
        let mut plan = plan_step(step, program, prepared, &names, SourceHost { run: &run, stop: &never() })
            .map_err(|error| error.to_string())?;
        let row = row(&mut *plan.source, failure);
        let context = Context {
            run: folder.run.clone(),
            step: step.name.clone(),
            scope,
            env: Arc::clone(&prepared.own_env),
            forms: plan.source.forms(),
            skip_bad_rows: false,
            timeout: None,
            batch_timeout: None,
            has_item: plan.is_batch,
            batched: plan.batched,
            batch_format: plan.batch_format,
            batches: plan.batches,
            slots: 1,
            cancel: Cancel::new().map_err(|error| error.to_string())?,
            guard: None,
            python: prepared.python.clone(),
            logs: folder.logs(),
            // For a look at what it made; it stays in the run's folder.
            item_files: plan.item_files.map(|_| {
                let scratch = scratch(folder, name);
                Arc::new(ItemFiles::new(scratch.join("repro"), scratch.join("kept"), Claims::new()))
            }),
            current_items: Arc::new(CurrentItems::new(1)),
        };
        let batch = row.unwrap_or_else(|| kept(failure));
        Ok(foreground(program, &context, &batch, debugger))
    }
}

/// The item as it was kept. What was kept of a row is the JSON that was made of it.
fn kept(failure: &FailureRecord) -> Batch {
    let item = failure.item.as_bytes();
    Batch::of_one(failure.index, ItemKey::of(item), item)
}

/// A row as its file has it, if it is there still: its dates are dates then, as they were when it failed.
fn row(source: &mut dyn Source, failure: &FailureRecord) -> Option<Batch> {
    let mut index = 0;
    loop {
        let chunk = source.next(64).ok()??;
        let (from, size) = (index, chunk.items.len());
        index += size as u64;
        // A bad file among them has no rows, and what has none elsewhere is no source of rows.
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
