//! The lane of a `python` task: hands frames to its worker and settles what became of each item, whatever happens to the
//! worker.
//!
//! A worker that dies, or is killed for a timeout, is charged to the item it was on; what it had finished and sent stands,
//! and the rest of the frame goes on in a fresh worker. Items that were finished but not sent yet (10 ms of work at most)
//! are run again. A worker that takes more memory than it may is killed too, but the item it was on may only have been
//! unlucky: it is run once more, alone in a fresh worker.

use super::outcome::{OutcomeBuilder, WorkUnit};
use super::task::PythonTask;
use super::worker::{Waits, Worker, WorkerEvent, broken, describe};
use crate::model::{Failure, FailureKind};
use crate::task::context::StepContext;
use crate::task::lane::{BatchOutcome, Frame, Lane, LogLine, ShutdownReport};
use crate::wire;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Workers that die so often in a row, between items and with no item done, end the step: it is not the items' doing.
const MOST_IDLE_DEATHS: u32 = 10;

/// A worker that dies while it is set up is started so often: who killed it may be somebody who does not do so again.
const MOST_STARTS: u32 = 3;

/// Time between two looks at which item the worker is on.
const LOOK: Duration = Duration::from_millis(500);

/// Time between two looks at the worker's memory, where it has a limit.
const LOOK_AT_MEMORY: Duration = Duration::from_millis(20);

/// Belongs to one slot; starts its worker with its first frame.
pub(in crate::task) struct PythonLane {
    pub(super) task: Arc<PythonTask>,
    pub(super) context: StepContext,
    slot: usize,
    worker: Option<Worker>,
    /// What went wrong when a worker was replaced.
    worker_error: Option<String>,
}

/// How far a worker got.
enum Ran {
    /// To the end, or to where it was halted.
    Done { executed: usize },
    /// It died or was killed on an item: all before `reported` are settled, the one at `position` failed.
    Lost { reported: usize, position: usize, failure: Failure },
    /// It was killed on an item for the memory it took.
    Large { reported: usize, position: usize, failure: Failure },
    /// It died between items.
    Idle { reported: usize, message: String },
    /// It was killed because the batch has used up its time.
    BatchLate { reported: usize, failure: Failure },
    /// It was killed because the run was cancelled.
    Cancelled { reported: usize },
}

/// A frame on its way through one or more workers.
struct FrameProgress<'f> {
    frame: &'f Frame<'f>,
    inputs: Vec<Vec<u8>>,
    outcome: OutcomeBuilder,
    /// What is still to be run, in order.
    units: Vec<WorkUnit>,
    /// What is not run any more.
    left: Vec<WorkUnit>,
    idle_deaths: u32,
    /// Run one by one: after a death between items nobody knows whose doing it was.
    careful: bool,
    /// The unit that is run alone in a fresh worker, because a worker grew too large on it.
    suspect: Option<WorkUnit>,
    /// When the batch has used up its time; known once a worker is ready.
    deadline: Option<Instant>,
}

impl PythonLane {
    pub(in crate::task) fn new(task: Arc<PythonTask>, context: StepContext, slot: usize) -> Self {
        Self { task, context, slot, worker: None, worker_error: None }
    }

    fn worker(&mut self, handler: bool) -> Result<&mut Worker, Failure> {
        if self.worker.is_none() {
            let host = self.context.host.python.clone();
            let host = host.expect("the engine settles the interpreter before a step with a python task starts");
            let mut tries = 1..=MOST_STARTS;
            let worker = loop {
                let start = self.task.start(&self.context, handler)?;
                match Worker::start(&host, start, &self.context, self.slot) {
                    Err(failure) if failure.kind == FailureKind::Crash && tries.next() != Some(MOST_STARTS) => {}
                    ended => break ended?,
                }
            };
            if let Some(failure) = self.too_large(&worker) {
                return Err(failure.with_detail("before its first item; raise `max_memory`"));
            }
            self.worker = Some(worker);
        }
        Ok(self.worker.as_mut().expect("it was just started"))
    }

    /// The failure of a worker that takes more memory than it may.
    fn too_large(&self, worker: &Worker) -> Option<Failure> {
        let most = self.task.max_memory()?;
        let takes = worker.memory().filter(|takes| *takes > most)?;
        let size = |bytes| bytesize::ByteSize::b(bytes).display().si();
        let message = format!("Python worker took {:.1}, and `max_memory` is {:.1}", size(takes), size(most));
        Some(Failure::new(FailureKind::Memory, "MemoryLimit", message).permanent())
    }

    /// How many more items the worker may run before it is replaced.
    fn items_left(&self) -> usize {
        let ran = self.worker.as_ref().map_or(0, |worker| worker.ran);
        self.task.max_items_per_worker().map_or(usize::MAX, |most| most.get().saturating_sub(ran))
    }

    /// Ends the worker in order; the next item gets a fresh one.
    fn retire(&mut self, progress: &mut FrameProgress<'_>) {
        let ShutdownReport { logs, error } = self.shut_down();
        logs.into_iter().for_each(|log| progress.outcome.log_apart(log));
        self.worker_error = self.worker_error.take().or(error);
    }

    fn shut_down(&mut self) -> ShutdownReport {
        let Some(worker) = self.worker.take() else { return ShutdownReport::default() };
        let (logs, status) = worker.finish(&self.context.cancel);
        let said = logs.iter().rev().find_map(|log| log.text.trim().lines().next_back().map(str::to_owned));
        let error = status.filter(|status| !status.success()).map(|status| {
            let said = said.map_or(String::new(), |said| format!(": {said}"));
            format!("Python worker {} after its last item{said}", describe(status))
        });
        let logs = logs.into_iter().map(|log| LogLine { position: None, stream: log.stream, text: log.text });
        ShutdownReport { logs: logs.collect(), error }
    }

    /// Runs the first `count` units in the worker, as far as it gets.
    fn attempt(&mut self, progress: &mut FrameProgress<'_>, count: usize) -> Result<Ran, Failure> {
        let frame = progress.frame;
        self.fresh_folders(frame, &progress.units[..count])?;
        let run = self.work(frame, &progress.units[..count], &progress.inputs);
        let items = run.items.len();
        let (cancel, timeout) = (self.context.cancel.clone(), self.context.settings.item_timeout);
        let look = if self.task.max_memory().is_some() { LOOK_AT_MEMORY } else { LOOK };
        let batch_timeout = self.context.settings.batch_timeout;
        let worker = self.worker(frame.error.is_some())?;
        worker.ran += items;
        progress.deadline = progress.deadline.or_else(|| batch_timeout.map(|timeout| Instant::now() + timeout));
        let waits = Waits { timeout, deadline: progress.deadline, look: Some(look) };
        let units = &progress.units[..count];
        let setup_logs = std::mem::take(&mut worker.setup_logs);
        setup_logs.into_iter().for_each(|log| progress.outcome.log(log, units));
        // A worker that died while it was idle takes nothing; how it died is found out by listening.
        drop(worker.send_run(run, frame.error.is_some()));
        let mut reported = 0;
        loop {
            let worker = self.worker.as_mut().expect("it is taken only on the way out");
            let event = worker.next_event(&waits, &cancel).map_err(|error| broken(&error.to_string()))?;
            let position = worker.position().filter(|position| (reported..count).contains(position));
            match event {
                WorkerEvent::Frame(wire::Frame::Results(results)) => {
                    reported = (results.first + results.count) as usize;
                    progress
                        .outcome
                        .take(results, units)
                        .ok_or_else(|| broken("its results do not fit what it was sent"))?;
                }
                WorkerEvent::Frame(wire::Frame::Log(log)) => progress.outcome.log(log, units),
                WorkerEvent::Frame(wire::Frame::Done(done)) => {
                    return Ok(Ran::Done { executed: done.executed as usize });
                }
                WorkerEvent::Frame(_) => return Err(broken("it sent a frame that does not belong here")),
                WorkerEvent::Look => {
                    let Some(position) = position else { continue };
                    let (unit, since) = (units[position], Instant::now() - worker.running());
                    self.context.current_items.on(
                        self.slot,
                        frame.batches[unit.batch].indexes.get(unit.position),
                        since,
                    );
                    let Some(failure) = self.worker.as_ref().and_then(|worker| self.too_large(worker)) else {
                        continue;
                    };
                    let took = self.worker.take().map_or(Duration::ZERO, |worker| worker.running());
                    return Ok(Ran::Large { reported, position, failure: failure.after(took) });
                }
                WorkerEvent::Dead(status) => {
                    let said = worker.stderr_tail();
                    worker.last_words().into_iter().for_each(|log| progress.outcome.log(log, units));
                    let how = format!("Python worker {} while it was on", describe(status));
                    return Ok(self.lost(reported, position, |on| match on {
                        true => Failure::new(FailureKind::Crash, "Crash", format!("{how} this item")).with_detail(said),
                        false => Failure::new(FailureKind::Crash, "Crash", format!("{how} no item: {said}")),
                    }));
                }
                WorkerEvent::Garbled(error) => {
                    let message = format!("this item disturbed the connection of its Python worker: {error}");
                    return Ok(self.lost(reported, position, |_| Failure::new(FailureKind::Crash, "Crash", message)));
                }
                WorkerEvent::Late => {
                    // Its results came while its time was measured: it was not late.
                    if position.is_none() {
                        continue;
                    }
                    let message = format!("took longer than {:?}", timeout.unwrap_or_default());
                    let late = |_| Failure::new(FailureKind::Timeout, "Timeout", message);
                    return Ok(self.lost(reported, position, late));
                }
                WorkerEvent::BatchLate => {
                    self.worker = None;
                    return Ok(Ran::BatchLate { reported, failure: self.context.settings.batch_timed_out() });
                }
                WorkerEvent::Cancelled => {
                    self.worker = None;
                    return Ok(Ran::Cancelled { reported });
                }
            }
        }
    }

    /// The end of a worker on the item at `position`, or between items; `failure` says how, for the one and the other.
    fn lost(&mut self, reported: usize, position: Option<usize>, failure: impl FnOnce(bool) -> Failure) -> Ran {
        let took = self.worker.take().map_or(Duration::ZERO, |worker| worker.running());
        match position {
            Some(position) => Ran::Lost { reported, position, failure: failure(true).after(took) },
            None => Ran::Idle { reported, message: failure(false).message },
        }
    }

    /// Runs what of an progress can be run at once; an error ends the step.
    fn go_on(&mut self, progress: &mut FrameProgress<'_>) -> Result<(), Failure> {
        if self.items_left() == 0 {
            self.retire(progress);
        }
        let suspect = progress.suspect.and_then(|suspect| progress.units.iter().position(|unit| *unit == suspect));
        let count = match suspect {
            Some(0) => {
                self.retire(progress);
                1
            }
            Some(before) => before,
            None if progress.careful => 1,
            None => progress.units.len(),
        };
        // A unit of a batched task is a batch, whose items stay together.
        let most = if progress.outcome.is_batched() { 1 } else { self.items_left() };
        let count = count.min(if self.task.max_items_per_worker().is_some() { most } else { usize::MAX });
        let ran = self.attempt(progress, count);
        self.context.current_items.off(self.slot);
        let ran = ran?;
        // What a lost worker had done before and not sent is still to be run, also where the lane halts.
        let halts = progress.frame.halt_on_failure && !matches!(ran, Ran::Lost { .. } | Ran::Large { .. });
        if suspect == Some(0) {
            progress.suspect = None;
        }
        if self.worker.as_ref().is_some_and(|worker| self.too_large(worker).is_some()) {
            self.retire(progress);
        }
        progress.settle(ran, count, suspect == Some(0))?;
        if halts && progress.outcome.has_failed(&self.context.settings) {
            progress.left.append(&mut progress.units);
        }
        Ok(())
    }
}

impl<'f> FrameProgress<'f> {
    fn new(lane: &PythonLane, frame: &'f Frame<'f>) -> Self {
        let batched = lane.context.settings.batched && frame.error.is_none();
        let mut units: Vec<WorkUnit> = (0..frame.batches.len())
            .flat_map(|batch| {
                let positions = if batched { 1 } else { frame.batches[batch].items.len() };
                (0..positions).map(move |position| WorkUnit { batch, position, input: 0 })
            })
            .collect();
        let (mut outcome, mut left) =
            (OutcomeBuilder::new(frame, batched, lane.context.item_files.clone()), Vec::new());
        let inputs = lane.all_inputs(frame, &mut units, &mut outcome, &mut left);
        let (idle_deaths, careful, suspect, deadline) = (0, false, None, None);
        Self { frame, inputs, outcome, units, left, idle_deaths, careful, suspect, deadline }
    }

    fn settle(&mut self, ran: Ran, count: usize, alone: bool) -> Result<(), Failure> {
        match ran {
            Ran::Done { executed } if executed == count => {
                self.idle_deaths = 0;
                self.units.drain(..count);
            }
            Ran::Done { executed: settled } | Ran::Cancelled { reported: settled } => {
                self.left.extend(self.units.drain(..).skip(settled));
            }
            Ran::Large { reported, position, failure } if alone => self.lose(reported, position, failure),
            Ran::Large { reported, position, .. } => {
                self.suspect = Some(self.units[position]);
                self.units.drain(..reported);
            }
            Ran::Lost { reported, position, failure } => self.lose(reported, position, failure),
            Ran::BatchLate { reported, failure } => {
                // Those that it was not on any more, or not yet, have no result either.
                self.units.drain(..reported);
                self.units.drain(..).for_each(|unit| self.outcome.fail(unit, failure.clone()));
            }
            Ran::Idle { reported, message } => {
                self.idle_deaths = if reported > 0 { 1 } else { self.idle_deaths + 1 };
                let failure = Failure::new(FailureKind::Crash, "Crash", message);
                if self.idle_deaths >= MOST_IDLE_DEATHS {
                    return Err(failure);
                }
                if self.careful && reported == 0 {
                    self.outcome.fail(self.units.remove(0), failure);
                } else {
                    self.units.drain(..reported);
                }
                self.careful = true;
            }
        }
        Ok(())
    }

    /// The item at `position` failed with its worker. What came before it and was not reported has to be run again.
    fn lose(&mut self, reported: usize, position: usize, failure: Failure) {
        self.idle_deaths = 0;
        self.outcome.fail(self.units[position], failure);
        let behind = self.units.split_off(position + 1);
        self.units.pop();
        self.units.drain(..reported);
        if self.frame.halt_on_failure { self.left.extend(behind) } else { self.units.extend(behind) }
    }
}

impl Lane for PythonLane {
    fn run(&mut self, frame: &Frame<'_>) -> (Vec<BatchOutcome>, Option<Failure>) {
        let mut progress = FrameProgress::new(self, frame);
        let mut broken = None;
        while !progress.units.is_empty() && !self.context.cancel.stop.is_fired() | frame.error.is_some() {
            match self.go_on(&mut progress) {
                Ok(()) => {}
                Err(failure) if failure.kind == FailureKind::Cancelled => break,
                Err(failure) => {
                    broken = Some(failure);
                    break;
                }
            }
        }
        progress.left.append(&mut progress.units);
        (progress.outcome.finish(&progress.left), broken)
    }

    fn finish(&mut self) -> ShutdownReport {
        let ShutdownReport { logs, error } = self.shut_down();
        ShutdownReport { logs, error: self.worker_error.take().or(error) }
    }
}
