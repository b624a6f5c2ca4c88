//! What is sent to a worker: the items of some places, and the values of their inputs.

use super::lane::PythonLane;
use super::tally::{Place, Tally};
use super::task::{PythonTask, raw, unwritable};
use crate::model::{Batch, Failure, FailureKind, Indexes, Items};
use crate::rows;
use crate::task::item_lane::item_scope;
use crate::task::lane::{Context, Frame};
use crate::template::{ErrorValue, ItemScope};
use crate::wire::{Errand, Run, RunBatch};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::sync::Arc;

impl PythonLane {
    /// Makes the `Run` for the places of the frame that are left.
    pub(super) fn work(&self, frame: &Frame<'_>, places: &[Place], inputs: &[Vec<u8>]) -> Run {
        let batched = self.context.batched && frame.error.is_none();
        let mut run = Run {
            halt_on_failure: frame.halt_on_failure,
            batches: Vec::new(),
            items: Items::default(),
            inputs: Items::default(),
        };
        for places in places.chunk_by(|left, right| left.batch == right.batch) {
            let batch = &frame.batches[places[0].batch];
            let whole = places.len() == batch.items.len() || batched;
            let indexes = if whole {
                batch.indexes.clone()
            } else {
                Indexes::from_rising(places.iter().map(|place| batch.indexes.get(place.position)).collect())
            };
            let total = self.context.batches.unwrap_or(0);
            let origin = batch.origin.as_ref().map(|origin| {
                if whole { origin.clone() } else { part_of(batch, places).origin.unwrap_or_else(|| origin.clone()) }
            });
            let form = batch.form;
            run.batches.push(RunBatch { number: batch.number, total, attempt: batch.attempt, indexes, form, origin });
            if whole && frame.batches.len() == 1 {
                run.items = batch.items.clone();
            } else if whole {
                batch.items.iter().for_each(|item| run.items.push(item));
            } else {
                places.iter().for_each(|place| run.items.push(batch.items.get(place.position)));
            }
            places.iter().filter_map(|place| inputs.get(place.input)).for_each(|values| run.inputs.push(values));
        }
        run
    }

    /// The inputs of all places. One whose inputs fail is settled with that, and taken out; where the lane halts, so are those
    /// behind it.
    pub(super) fn all_inputs(
        &self,
        frame: &Frame<'_>,
        places: &mut Vec<Place>,
        tally: &mut Tally,
        left: &mut Vec<Place>,
    ) -> Vec<Vec<u8>> {
        let mut inputs = Vec::new();
        if self.task.by_item().is_empty() && frame.error.is_none() {
            return inputs;
        }
        let mut halted = false;
        places.retain_mut(|place| match self.inputs(frame, *place) {
            _ if halted => {
                left.push(*place);
                false
            }
            Ok(values) => {
                place.input = inputs.len();
                inputs.push(values);
                true
            }
            Err(failure) => {
                tally.fail(*place, failure);
                halted = frame.halt_on_failure;
                false
            }
        });
        inputs
    }

    fn inputs(&self, frame: &Frame<'_>, place: Place) -> Result<Vec<u8>, Failure> {
        self.task.item_inputs(&self.context, frame, place)
    }
}

impl PythonTask {
    /// The values of the inputs that differ by item, as a JSON array.
    fn item_inputs(&self, context: &Context, frame: &Frame<'_>, place: Place) -> Result<Vec<u8>, Failure> {
        let batch = &frame.batches[place.batch];
        let batched = context.batched && frame.error.is_none();
        let mut scope = match item_scope(context, batch, place.position, frame) {
            // Of a batch the rows count that can be read.
            Err(failure) if !batched || failure.kind != FailureKind::BadRow => return Err(failure),
            Err(_) => ItemScope::of_step(Arc::clone(&context.scope)),
            Ok(scope) => scope,
        };
        if batched {
            scope.item = Some(list_of(context, batch));
        }
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
        values.push(b']');
        Ok(values)
    }
}

impl PythonTask {
    /// The command that runs the one item of a frame in the foreground. What it is to do goes by a file that it deletes.
    pub(in crate::task) fn foreground(
        &self,
        context: &Context,
        frame: &Frame<'_>,
        debugger: bool,
    ) -> Result<Command, Failure> {
        let batch = &frame.batches[0];
        let (indexes, form, origin) = (batch.indexes.clone(), batch.form, batch.origin.clone());
        let errand = Errand {
            start: self.start(context, false)?,
            batch: RunBatch { number: batch.number, total: 0, attempt: batch.attempt, indexes, form, origin },
            item: batch.items.get(0).to_vec(),
            inputs: raw(self.item_inputs(context, frame, Place { batch: 0, position: 0, input: 0 })?)?,
            debugger,
        };
        let path = context.logs.join(format!("{}-foreground-{}", context.step, std::process::id()));
        let written = File::options().create_new(true).write(true).mode(0o600).open(&path);
        let json = serde_json::to_vec(&errand).map_err(|error| unwritable(&error.to_string()))?;
        written
            .and_then(|mut file| file.write_all(&json))
            .map_err(|error| unwritable(&format!("cannot write `{}`: {error}", path.display())))?;
        let host = context.python.as_ref().expect("the engine settles the interpreter before a python task starts");
        Ok(host.foreground_command(context, &path))
    }
}

/// The items of a batch at these places, as a batch.
fn part_of(batch: &Batch, places: &[Place]) -> Batch {
    let positions: Vec<usize> = places.iter().map(|place| place.position).collect();
    batch.part(&positions, batch.attempt)
}

/// The items of a batch that can be read, as a JSON array.
fn list_of(context: &Context, batch: &Batch) -> Vec<u8> {
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
