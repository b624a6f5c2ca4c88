//! Packs the items of units, and the values of their inputs, into a message for a worker.

use super::stored::unwritable;
use super::task::PythonTask;
use super::work_unit::{UnitKind, WorkUnit};
use crate::model::{Batch, Failure, FailureKind, Indexes, Items, Origin};
use crate::rows;
use crate::task::context::StepContext;
use crate::task::item_lane::item_scope;
use crate::task::lane::Frame;
use crate::template::{ErrorValue, ItemScope};
use crate::wire::{Run, RunBatch};
use std::path::PathBuf;
use std::sync::Arc;

/// Packs units of a frame for a worker.
#[derive(Clone, Copy)]
pub(super) struct Packer<'f> {
    pub(super) task: &'f PythonTask,
    pub(super) context: &'f StepContext,
    pub(super) frame: &'f Frame<'f>,
    pub(super) kind: UnitKind,
}

impl<'f> Packer<'f> {
    /// A packer for a frame of this task.
    pub(super) fn new(task: &'f PythonTask, context: &'f StepContext, frame: &'f Frame<'f>) -> Self {
        Self { task, context, frame, kind: UnitKind::of(&context.settings, frame) }
    }

    /// The indexes of a unit's items.
    pub(super) fn indexes(&self, unit: WorkUnit) -> impl Iterator<Item = u64> + 'f {
        let batch = &self.frame.batches[unit.batch];
        self.kind.positions(unit, batch.items.len()).map(|position| batch.indexes.get(position))
    }

    /// Creates an empty directory for the files of each unit, if the step has an output for them.
    pub(super) fn make_item_dirs(&self, units: &[WorkUnit]) -> Result<(), Failure> {
        let items = self.context.item_files.as_ref().filter(|_| !self.frame.is_for_handler());
        let Some(items) = items else { return Ok(()) };
        let index = |unit: &WorkUnit| self.frame.batches[unit.batch].indexes.get(unit.position);
        units.iter().try_for_each(|unit| items.fresh(index(unit)).map(drop))
    }

    /// The message with these units, in order. `inputs` are the inputs of the whole frame.
    pub(super) fn message(&self, units: &[WorkUnit], inputs: &Items) -> Run {
        let mut run = Run {
            halt_on_failure: self.frame.halt_on_failure,
            batches: Vec::new(),
            items: Items::default(),
            inputs: Items::default(),
        };
        for units in units.chunk_by(|left, right| left.batch == right.batch) {
            let batch = &self.frame.batches[units[0].batch];
            if units.len() == self.kind.units_in(batch) {
                self.pack_whole(&mut run, batch);
            } else {
                self.pack_part(&mut run, batch, units);
            }
            let values = units.iter().filter(|unit| unit.input < inputs.len()).map(|unit| inputs.get(unit.input));
            values.for_each(|values| run.inputs.push(values));
        }
        run
    }

    fn pack_whole(&self, run: &mut Run, batch: &Batch) {
        let head = self.head(batch, batch.number, batch.size);
        run.batches.push(RunBatch { indexes: batch.indexes.clone(), origin: batch.origin.clone(), ..head });
        if self.frame.batches.len() == 1 {
            run.items = batch.items.clone();
        } else {
            batch.items.iter().for_each(|item| run.items.push(item));
        }
    }

    /// A `Batch` may stand for several consecutive batches. Each of them gets its own number in the message.
    fn pack_part(&self, run: &mut Run, batch: &Batch, units: &[WorkUnit]) {
        if batch.items.as_bundle().is_some() {
            // A bundle travels alone, as its bytes cannot be joined with others.
            let positions: Vec<usize> = units.iter().map(|unit| unit.position).collect();
            let Batch { indexes, items, .. } = batch.part(&positions, batch.attempt);
            run.batches.push(RunBatch { indexes, ..self.head(batch, batch.number, units.len()) });
            run.items = items;
            return;
        }
        let number = |unit: &WorkUnit| batch.of_item(unit.position).0;
        for units in units.chunk_by(|left, right| number(left) == number(right)) {
            let (number, size) = batch.of_item(units[0].position);
            let positions: Vec<usize> = units.iter().map(|unit| unit.position).collect();
            let Batch { indexes, origin, .. } = batch.part(&positions, batch.attempt);
            run.batches.push(RunBatch { indexes, origin, ..self.head(batch, number, size) });
        }
        units.iter().for_each(|unit| run.items.push(batch.items.get(unit.position)));
    }

    fn head(&self, batch: &Batch, number: u64, size: usize) -> RunBatch {
        let (attempt, form) = (batch.attempt, batch.form);
        let total = self.context.settings.batches.unwrap_or(0);
        RunBatch { number, size, total, attempt, form, indexes: Indexes::Range(0..0), origin: None::<Origin> }
    }

    /// Whether units have their own inputs.
    pub(super) fn has_inputs(&self) -> bool {
        !self.task.by_item().is_empty() || self.frame.is_for_handler() || self.task.brings_item_dir(self.context)
    }

    /// The values of the inputs that differ between items, as a JSON array.
    pub(super) fn inputs(&self, unit: WorkUnit) -> Result<Vec<u8>, Failure> {
        let scope = Arc::new(self.scope(unit)?);
        let mut values = Array::new();
        for (_, tree) in self.task.by_item() {
            tree.write_json(&scope, values.next())?;
        }
        if let Some(error) = self.frame.error {
            values.next().extend(error_json(error));
        }
        if self.task.brings_item_dir(self.context)
            && let Some(directory) = &scope.item_dir
        {
            serde_json::to_writer(values.next(), &directory.display().to_string())
                .map_err(|error| unwritable(&error.to_string()))?;
        }
        Ok(values.end())
    }

    /// The names in scope of a unit.
    fn scope(&self, unit: WorkUnit) -> Result<ItemScope, Failure> {
        let batch = &self.frame.batches[unit.batch];
        let of_item = item_scope(self.context, batch, unit.position, self.frame);
        let mut scope = match (self.kind, of_item) {
            (_, Ok(scope)) => scope,
            // A batch leaves out its bad rows.
            (UnitKind::Batch, Err(failure)) if failure.kind == FailureKind::BadRow => {
                ItemScope::of_step(Arc::clone(&self.context.scope))
            }
            (_, Err(failure)) => return Err(failure),
        };
        if self.kind == UnitKind::Batch {
            scope.item = Some(list_of(self.context, batch));
        }
        scope.item_dir = self.item_dir(batch.indexes.get(unit.position));
        Ok(scope)
    }

    fn item_dir(&self, index: u64) -> Option<PathBuf> {
        self.context.item_files.as_ref().map(|files| files.path(index))
    }
}

/// The items of a batch without its bad rows, as a JSON array.
fn list_of(context: &StepContext, batch: &Batch) -> Vec<u8> {
    let mut list = Array::new();
    let form = &context.forms[batch.form];
    let items =
        (0..batch.items.len()).map(|position| rows::to_json(form, &batch.items, position, batch.origin.as_ref()));
    items.flatten().for_each(|item| list.next().extend_from_slice(&item));
    list.end()
}

fn error_json(error: &ErrorValue) -> Vec<u8> {
    let failure = &error.failure;
    let value = serde_json::json!({
        "message": failure.message, "type": failure.class, "detail": failure.detail, "attempts": error.attempts,
    });
    value.to_string().into_bytes()
}

/// A JSON array under construction.
struct Array(Vec<u8>);

impl Array {
    fn new() -> Self {
        Self(vec![b'['])
    }

    /// Starts the next element. Append it to the returned buffer.
    fn next(&mut self) -> &mut Vec<u8> {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        &mut self.0
    }

    fn end(mut self) -> Vec<u8> {
        self.0.push(b']');
        self.0
    }
}
