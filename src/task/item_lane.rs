//! The lane of every task that takes its items one by one.

use super::guard::{Cell, Guard};
use super::lane::{BatchOutcome, Context, Frame, Lane};
use crate::model::{Batch, Failure, FailureKind, Outcome};
use crate::template::{ItemScope, TemplateError};
use std::sync::{Arc, OnceLock};

/// A task that is run for one item.
pub(super) trait ItemTask: Send + Sync {
    /// Runs it; a child process is entered into `guard`.
    fn run(&self, scope: &Arc<ItemScope>, context: &Context, guard: Option<&Cell>) -> Outcome;
}

/// Runs the items of a batch one after another.
pub(super) struct ItemLane<T> {
    task: Arc<T>,
    context: Context,
    guard: Option<Cell>,
}

impl<T: ItemTask> ItemLane<T> {
    pub(super) fn new(task: Arc<T>, context: Context) -> Self {
        let guard = context.guard.as_ref().and_then(Guard::cell);
        Self { task, context, guard }
    }

    fn stopped(&self) -> bool {
        self.context.cancel.stop.is_fired()
    }

    fn run_batch(&self, batch: &Batch, frame: &Frame<'_>) -> BatchOutcome {
        let mut outcome = BatchOutcome::default();
        let mut halted = false;
        for position in 0..batch.items.len() {
            if halted || self.stopped() && frame.error.is_none() {
                outcome.unrun.push(position);
                continue;
            }
            let scope = Arc::new(item_scope(&self.context, batch, position, frame));
            match self.task.run(&scope, &self.context, self.guard.as_ref()) {
                Ok(json) => outcome.lines.take(json),
                Err(failure) if failure.kind == FailureKind::Cancelled => outcome.unrun.push(position),
                Err(failure) => outcome.failures.push((position, failure)),
            }
            halted = frame.halt_on_failure && !outcome.failures.is_empty();
        }
        outcome
    }
}

impl<T: ItemTask> Lane for ItemLane<T> {
    fn run(&mut self, frame: &Frame<'_>) -> (Vec<BatchOutcome>, Option<Failure>) {
        let mut halted = false;
        let mut run = |batch: &Batch| {
            if halted {
                return BatchOutcome { unrun: (0..batch.items.len()).collect(), ..BatchOutcome::default() };
            }
            let outcome = self.run_batch(batch, frame);
            halted = frame.halt_on_failure && !outcome.failures.is_empty();
            outcome
        };
        (frame.batches.iter().map(&mut run).collect(), None)
    }
}

/// The names in scope for the item at `position` of `batch`.
pub(super) fn item_scope(context: &Context, batch: &Batch, position: usize, frame: &Frame<'_>) -> ItemScope {
    ItemScope {
        step: Arc::clone(&context.scope),
        item: context.has_item.then(|| batch.items.get(position).to_vec()),
        index: batch.indexes.get(position),
        batch: (batch.number, context.batches, batch.items.len(), batch.attempt),
        error: frame.error.cloned(),
        parsed: OnceLock::new(),
    }
}

impl From<TemplateError> for Failure {
    fn from(error: TemplateError) -> Self {
        Failure::new(FailureKind::Template, "TemplateError", error.message)
    }
}
