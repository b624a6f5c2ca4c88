//! The lane of a `python` task: hands frames to its worker and settles what became of each item, whatever happens to the
//! worker.
//!
//! A worker that dies, or is killed for a timeout, is charged to the item it was on; what it had finished and sent stands,
//! and the rest of the frame goes on in a fresh worker. Items that were finished but not sent yet (10 ms of work at most)
//! are run again.

use super::task::PythonTask;
use super::worker::{Heard, Worker, broken, describe};
use crate::model::{Failure, FailureKind, Indexes, Items};
use crate::task::item_lane::item_scope;
use crate::task::lane::{BatchOutcome, Context, Farewell, Frame, Lane, LogLine};
use crate::template::ErrorValue;
use crate::wire::{self, Log, Results, Run, RunBatch};
use std::sync::Arc;

/// Workers that die so often in a row, between items and with no item done, end the step: it is not the items' doing.
const MOST_IDLE_DEATHS: u32 = 10;

/// Belongs to one slot; starts its worker with its first frame.
pub(in crate::task) struct PythonLane {
    task: Arc<PythonTask>,
    context: Context,
    slot: usize,
    worker: Option<Worker>,
}

impl PythonLane {
    pub(in crate::task) fn new(task: Arc<PythonTask>, context: Context, slot: usize) -> Self {
        Self { task, context, slot, worker: None }
    }

    fn worker(&mut self, handler: bool) -> Result<&mut Worker, Failure> {
        if self.worker.is_none() {
            let host = self.context.python.clone();
            let host = host.expect("the engine settles the interpreter before a step with a python task starts");
            let start = self.task.start(&self.context, handler)?;
            self.worker = Some(Worker::start(&host, start, &self.context, self.slot)?);
        }
        Ok(self.worker.as_mut().expect("it was just started"))
    }

    /// Makes the `Run` for the places of the frame that are left.
    fn work(&self, frame: &Frame<'_>, places: &[Place], inputs: &[Vec<u8>]) -> Run {
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
            run.batches.push(RunBatch { number: batch.number, total, attempt: batch.attempt, indexes });
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
    fn all_inputs(
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

    /// The values of the inputs that differ by item, as a JSON array.
    fn inputs(&self, frame: &Frame<'_>, place: Place) -> Result<Vec<u8>, Failure> {
        let batch = &frame.batches[place.batch];
        let mut scope = item_scope(&self.context, batch, place.position, frame);
        if self.context.batched && frame.error.is_none() {
            scope.item = Some(list_of(&batch.items));
        }
        let scope = Arc::new(scope);
        let mut values = vec![b'['];
        for (position, (_, tree)) in self.task.by_item().iter().enumerate() {
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

    /// Runs the places once in the worker, as far as it gets. Gives the places that are left to run.
    fn attempt(
        &mut self,
        frame: &Frame<'_>,
        (places, inputs): (&[Place], &[Vec<u8>]),
        tally: &mut Tally,
    ) -> Result<Ran, Failure> {
        let run = self.work(frame, places, inputs);
        let (cancel, timeout) = (self.context.cancel.clone(), self.context.timeout);
        let worker = self.worker(frame.error.is_some())?;
        std::mem::take(&mut worker.setup_logs).into_iter().for_each(|log| tally.log(log, places));
        // A worker that died while it was idle takes nothing; how it died is found out by listening.
        drop(worker.send_run(run, frame.error.is_some()));
        let mut reported = 0;
        loop {
            match worker.hear(timeout, &cancel).map_err(|error| broken(&error.to_string()))? {
                Heard::Frame(wire::Frame::Results(results)) => {
                    reported = (results.first + results.count) as usize;
                    tally.take(results, places).ok_or_else(|| broken("its results do not fit what it was sent"))?;
                }
                Heard::Frame(wire::Frame::Log(log)) => tally.log(log, places),
                Heard::Frame(wire::Frame::Done(done)) => {
                    return Ok(Ran::Done { executed: done.executed as usize });
                }
                Heard::Frame(_) => return Err(broken("it sent a frame that does not belong here")),
                Heard::Dead(status) => {
                    let position = worker.position().filter(|position| (reported..places.len()).contains(position));
                    let failure = position.map(|position| {
                        let message = format!("Python worker {} while it was on this item", describe(status));
                        let failure = Failure::new(FailureKind::Crash, "Crash", message).with_detail(worker.said());
                        (position, failure)
                    });
                    let idle = format!("Python worker {} while it was on no item: {}", describe(status), worker.said());
                    worker.last_words().into_iter().for_each(|log| tally.log(log, places));
                    self.worker = None;
                    return Ok(match failure {
                        Some((position, failure)) => Ran::Lost { reported, position, failure },
                        None => Ran::Idle { reported, message: idle },
                    });
                }
                Heard::Garbled(error) => {
                    let position = worker.position().filter(|position| (reported..places.len()).contains(position));
                    self.worker = None;
                    let message = format!("this item disturbed the connection of its Python worker: {error}");
                    let Some(position) = position else { return Ok(Ran::Idle { reported, message }) };
                    return Ok(Ran::Lost {
                        reported,
                        position,
                        failure: Failure::new(FailureKind::Crash, "Crash", message),
                    });
                }
                Heard::Late => {
                    let position = worker.position().filter(|position| (reported..places.len()).contains(position));
                    // Its results came while its time was measured: it was not late.
                    let Some(position) = position else { continue };
                    self.worker = None;
                    let message = format!("took longer than {:?}", timeout.unwrap_or_default());
                    let failure = Failure::new(FailureKind::Timeout, "Timeout", message);
                    return Ok(Ran::Lost { reported, position, failure });
                }
                Heard::Cancelled => {
                    self.worker = None;
                    return Ok(Ran::Cancelled { reported });
                }
            }
        }
    }
}

/// How far a worker got.
enum Ran {
    /// To the end, or to where it was halted.
    Done { executed: usize },
    /// It died or was killed on an item: all before `reported` are settled, the one at `position` failed.
    Lost { reported: usize, position: usize, failure: Failure },
    /// It died between items.
    Idle { reported: usize, message: String },
    /// It was killed because the run was cancelled.
    Cancelled { reported: usize },
}

/// A place in a frame: one item, or one batch where the task is batched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    batch: usize,
    position: usize,
    /// Where its inputs are, if it has some.
    input: usize,
}

impl Lane for PythonLane {
    fn run(&mut self, frame: &Frame<'_>) -> (Vec<BatchOutcome>, Option<Failure>) {
        let batched = self.context.batched && frame.error.is_none();
        let mut places: Vec<Place> = (0..frame.batches.len())
            .flat_map(|batch| {
                let positions = if batched { 1 } else { frame.batches[batch].items.len() };
                (0..positions).map(move |position| Place { batch, position, input: 0 })
            })
            .collect();
        let mut tally = Tally::new(frame, batched);
        let (mut idle_deaths, mut careful, mut left, mut broken) = (0, false, Vec::new(), None);
        let inputs = self.all_inputs(frame, &mut places, &mut tally, &mut left);
        while !places.is_empty() && !self.context.cancel.stop.is_fired() | frame.error.is_some() {
            // After a death between items nobody knows whose doing it was: one by one tells.
            let now = if careful { 1 } else { places.len() };
            match self.attempt(frame, (&places[..now], &inputs), &mut tally) {
                Ok(Ran::Done { executed: settled }) if settled == now => {
                    idle_deaths = 0;
                    places.drain(..now);
                    if frame.halt_on_failure && tally.has_failed() {
                        left.append(&mut places);
                    }
                }
                Ok(Ran::Done { executed: settled } | Ran::Cancelled { reported: settled }) => {
                    left.extend(places.drain(..).skip(settled));
                }
                Ok(Ran::Lost { reported, position, failure }) => {
                    idle_deaths = 0;
                    tally.fail(places[position], failure);
                    // What came before the lost item still has to be run; where the lane halts, what follows does not.
                    let behind = places.split_off(position + 1);
                    places.pop();
                    places.drain(..reported);
                    if frame.halt_on_failure { left.extend(behind) } else { places.extend(behind) }
                }
                Ok(Ran::Idle { reported, message }) => {
                    idle_deaths = if reported > 0 { 1 } else { idle_deaths + 1 };
                    if idle_deaths >= MOST_IDLE_DEATHS {
                        broken = Some(Failure::new(FailureKind::Crash, "Crash", message));
                        break;
                    }
                    if careful && reported == 0 {
                        tally.fail(places.remove(0), Failure::new(FailureKind::Crash, "Crash", message));
                        if frame.halt_on_failure {
                            left.append(&mut places);
                        }
                    } else {
                        places.drain(..reported);
                    }
                    careful = true;
                }
                Err(failure) if failure.kind == FailureKind::Cancelled => break,
                Err(failure) => {
                    broken = Some(failure);
                    break;
                }
            }
        }
        left.extend(places);
        (tally.finish(&left), broken)
    }

    fn finish(&mut self) -> Farewell {
        let Some(worker) = self.worker.take() else { return Farewell::default() };
        let (logs, status) = worker.finish(&self.context.cancel);
        let said = logs.iter().rev().find_map(|log| log.text.trim().lines().next_back().map(str::to_owned));
        let trouble = status.filter(|status| !status.success()).map(|status| {
            let said = said.map_or(String::new(), |said| format!(": {said}"));
            format!("Python worker {} after its last item{said}", describe(status))
        });
        let logs = logs.into_iter().map(|log| LogLine { position: None, stream: log.stream, text: log.text });
        Farewell { logs: logs.collect(), trouble }
    }
}

fn list_of(items: &Items) -> Vec<u8> {
    let mut list = vec![b'['];
    for (position, item) in items.iter().enumerate() {
        list.extend_from_slice(if position == 0 { b"" } else { b"," });
        list.extend_from_slice(item);
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

/// Collects outcomes of a frame's batches as results come in.
struct Tally {
    outcomes: Vec<BatchOutcome>,
    sizes: Vec<usize>,
    batched: bool,
}

impl Tally {
    fn new(frame: &Frame<'_>, batched: bool) -> Self {
        let sizes = frame.batches.iter().map(|batch| batch.items.len()).collect();
        Self { outcomes: vec![BatchOutcome::default(); frame.batches.len()], sizes, batched }
    }

    /// Takes results for `places`; none if they do not fit.
    fn take(&mut self, results: Results, places: &[Place]) -> Option<()> {
        let first = results.first as usize;
        let places = places.get(first..first + results.count as usize)?;
        let (head, last) = (places.first()?, places.last()?);
        self.outcomes[head.batch].nulls += u64::from(results.nulls);
        let failed = |position: u32| (position as usize).checked_sub(first).and_then(|at| places.get(at)).copied();
        for (position, failure) in &results.failures {
            self.fail(failed(*position)?, failure.clone());
        }
        if head.batch == last.batch {
            let outcome = &mut self.outcomes[head.batch];
            outcome.list |= results.list;
            if outcome.lines.0.is_empty() {
                outcome.lines.0 = results.lines;
            } else {
                outcome.lines.0.extend_from_slice(&results.lines);
            }
            return Some(());
        }
        let mut failures = results.failures.iter().map(|(position, _)| *position as usize - first).peekable();
        let lines = crate::model::Lines(results.lines);
        let mut lines = lines.iter();
        for (at, place) in places.iter().enumerate() {
            if failures.next_if_eq(&at).is_some() {
                continue;
            }
            self.outcomes[place.batch].lines.push(lines.next()?);
        }
        Some(())
    }

    /// Records a failure; of a batched task it is the failure of every item of the batch.
    fn fail(&mut self, place: Place, failure: Failure) {
        let outcome = &mut self.outcomes[place.batch];
        let positions = if self.batched { 0..self.sizes[place.batch] } else { place.position..place.position + 1 };
        outcome.failures.extend(positions.map(|position| (position, failure.clone())));
    }

    fn has_failed(&self) -> bool {
        self.outcomes.iter().any(|outcome| !outcome.failures.is_empty())
    }

    fn log(&mut self, log: Log, places: &[Place]) {
        let place = log.position.and_then(|position| places.get(position as usize));
        let batch = place.or(places.first()).map_or(0, |place| place.batch);
        let position = place.map(|place| place.position);
        self.outcomes[batch].logs.push(LogLine { position, stream: log.stream, text: log.text });
    }

    fn finish(mut self, left: &[Place]) -> Vec<BatchOutcome> {
        for place in left {
            let positions = if self.batched { 0..self.sizes[place.batch] } else { place.position..place.position + 1 };
            self.outcomes[place.batch].unrun.extend(positions);
        }
        for outcome in &mut self.outcomes {
            outcome.failures.sort_by_key(|(position, _)| *position);
            outcome.unrun.sort_unstable();
        }
        self.outcomes
    }
}
