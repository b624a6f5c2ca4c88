//! What is sent to a worker: the items of some units, and the values of their inputs.

use super::lane::PythonLane;
use super::outcome::{OutcomeBuilder, WorkUnit};
use super::task::{PythonTask, raw, unwritable};
use crate::model::{Batch, Failure, FailureKind, Items};
use crate::rows;
use crate::task::context::StepContext;
use crate::task::item_lane::item_scope;
use crate::task::lane::Frame;
use crate::template::{ErrorValue, ItemScope};
use crate::wire::{ForegroundJob, Run, RunBatch};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::sync::Arc;

impl PythonLane {
    /// Makes an empty folder for the files of each unit.
    pub(super) fn fresh_folders(&self, frame: &Frame<'_>, units: &[WorkUnit]) -> Result<(), Failure> {
        let Some(items) = self.context.item_files.as_ref().filter(|_| frame.error.is_none()) else { return Ok(()) };
        let index = |unit: &WorkUnit| frame.batches[unit.batch].indexes.get(unit.position);
        units.iter().try_for_each(|unit| items.fresh(index(unit)).map(drop))
    }

    /// Makes the `Run` for the units of the frame that are left.
    pub(super) fn work(&self, frame: &Frame<'_>, units: &[WorkUnit], inputs: &[Vec<u8>]) -> Run {
        let batched = self.context.settings.batched && frame.error.is_none();
        let mut run = Run {
            halt_on_failure: frame.halt_on_failure,
            batches: Vec::new(),
            items: Items::default(),
            inputs: Items::default(),
        };
        let total = self.context.settings.batches.unwrap_or(0);
        for units in units.chunk_by(|left, right| left.batch == right.batch) {
            let batch = &frame.batches[units[0].batch];
            let whole = units.len() == batch.items.len() || batched;
            let (attempt, form) = (batch.attempt, batch.form);
            if whole {
                let (number, size, indexes, origin) =
                    (batch.number, batch.size, batch.indexes.clone(), batch.origin.clone());
                run.batches.push(RunBatch { number, size, total, attempt, indexes, form, origin });
            } else {
                let number = |unit: &WorkUnit| batch.of_item(unit.position).0;
                for units in units.chunk_by(|left, right| number(left) == number(right)) {
                    let (number, size) = batch.of_item(units[0].position);
                    let part = part_of(batch, units);
                    let (indexes, origin) = (part.indexes, part.origin);
                    run.batches.push(RunBatch { number, size, total, attempt, indexes, form, origin });
                }
            }
            if whole && frame.batches.len() == 1 {
                run.items = batch.items.clone();
            } else if whole {
                batch.items.iter().for_each(|item| run.items.push(item));
            } else {
                units.iter().for_each(|unit| run.items.push(batch.items.get(unit.position)));
            }
            units.iter().filter_map(|unit| inputs.get(unit.input)).for_each(|values| run.inputs.push(values));
        }
        run
    }

    /// The inputs of all units. One whose inputs fail is settled with that, and taken out; where the lane halts, so are those
    /// behind it.
    pub(super) fn all_inputs(
        &self,
        frame: &Frame<'_>,
        units: &mut Vec<WorkUnit>,
        outcome: &mut OutcomeBuilder,
        left: &mut Vec<WorkUnit>,
    ) -> Vec<Vec<u8>> {
        let mut inputs = Vec::new();
        if self.task.by_item().is_empty() && frame.error.is_none() && !self.task.brings_item_dir(&self.context) {
            return inputs;
        }
        let mut halted = false;
        units.retain_mut(|unit| match self.inputs(frame, *unit) {
            _ if halted => {
                left.push(*unit);
                false
            }
            Ok(values) => {
                unit.input = inputs.len();
                inputs.push(values);
                true
            }
            Err(failure) => {
                outcome.fail(*unit, failure);
                halted = frame.halt_on_failure;
                false
            }
        });
        inputs
    }

    fn inputs(&self, frame: &Frame<'_>, unit: WorkUnit) -> Result<Vec<u8>, Failure> {
        self.task.item_inputs(&self.context, frame, unit)
    }
}

impl PythonTask {
    /// The values of the inputs that differ by item, as a JSON array.
    fn item_inputs(&self, context: &StepContext, frame: &Frame<'_>, unit: WorkUnit) -> Result<Vec<u8>, Failure> {
        let batch = &frame.batches[unit.batch];
        let batched = context.settings.batched && frame.error.is_none();
        let mut scope = match item_scope(context, batch, unit.position, frame) {
            // Of a batch the rows count that can be read.
            Err(failure) if !batched || failure.kind != FailureKind::BadRow => return Err(failure),
            Err(_) => ItemScope::of_step(Arc::clone(&context.scope)),
            Ok(scope) => scope,
        };
        if batched {
            scope.item = Some(list_of(context, batch));
        }
        let files = context.item_files.as_ref();
        scope.item_dir = files.map(|files| files.path(batch.indexes.get(unit.position)));
        let dir = scope.item_dir.clone().filter(|_| self.brings_item_dir(context));
        let scope = Arc::new(scope);
        let mut values = vec![b'['];
        for (position, (_, tree)) in self.by_item().iter().enumerate() {
            values.extend_from_slice(if position == 0 { b"" } else { b"," });
            tree.write_json(&scope, &mut values)?;
        }
        if let Some(error) = frame.error {
            values.extend_from_slice(if values.len() == 1 { b"" } else { b"," });
            values.extend(error_json(error));
        }
        if let Some(dir) = dir {
            values.extend_from_slice(if values.len() == 1 { b"" } else { b"," });
            values.extend(serde_json::Value::from(dir.display().to_string()).to_string().into_bytes());
        }
        values.push(b']');
        Ok(values)
    }
}

impl PythonTask {
    /// The command that runs the one item of a frame in the foreground. What it is to do goes by a file that it deletes.
    pub(in crate::task) fn foreground(
        &self,
        context: &StepContext,
        frame: &Frame<'_>,
        debugger: bool,
    ) -> Result<Command, Failure> {
        let batch = &frame.batches[0];
        let (indexes, form, origin) = (batch.indexes.clone(), batch.form, batch.origin.clone());
        let job = ForegroundJob {
            start: self.start(context, false)?,
            batch: RunBatch { number: batch.number, size: 1, total: 0, attempt: batch.attempt, indexes, form, origin },
            item: batch.items.get(0).to_vec(),
            inputs: raw(self.item_inputs(context, frame, WorkUnit { batch: 0, position: 0, input: 0 })?)?,
            debugger,
        };
        let path = context.host.logs.join(format!("{}-foreground-{}", context.step, std::process::id()));
        let written = File::options().create_new(true).write(true).mode(0o600).open(&path);
        let json = serde_json::to_vec(&job).map_err(|error| unwritable(&error.to_string()))?;
        written
            .and_then(|mut file| file.write_all(&json))
            .map_err(|error| unwritable(&format!("cannot write `{}`: {error}", path.display())))?;
        let host =
            context.host.python.as_ref().expect("the engine settles the interpreter before a python task starts");
        let mut command = host.foreground_command(&path);
        command.env("BATCHMILL_RUN_ID", &context.run.0);
        command.envs(context.host.env.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

/// The items of a batch at these units, as a batch.
fn part_of(batch: &Batch, units: &[WorkUnit]) -> Batch {
    let positions: Vec<usize> = units.iter().map(|unit| unit.position).collect();
    batch.part(&positions, batch.attempt)
}

/// The items of a batch that can be read, as a JSON array.
fn list_of(context: &StepContext, batch: &Batch) -> Vec<u8> {
    let mut list = vec![b'['];
    let form = &context.forms[batch.form];
    let items =
        (0..batch.items.len()).map(|position| rows::to_json(form, &batch.items, position, batch.origin.as_ref()));
    for item in items.flatten() {
        list.extend_from_slice(if list.len() == 1 { b"" } else { b"," });
        list.extend_from_slice(&item);
    }
    list.push(b']');
    list
}

fn error_json(error: &ErrorValue) -> Vec<u8> {
    let failure = &error.failure;
    let value = serde_json::json!({
        "message": failure.message, "type": failure.class, "detail": failure.detail, "attempts": error.attempts,
    });
    value.to_string().into_bytes()
}
