//! The lane of a `python` task: runs frames in a worker, and replaces the worker when it is lost.
//!
//! Decides when a worker is started, replaced and stopped. [`FrameRun`] selects the units to run and collects their outcomes;
//! [`Attempt`] handles the events of a running worker.
//!
//! If a worker dies, or is killed because of a timeout, the item it was running has failed. The results it has sent stand, and
//! the rest of the frame runs in a fresh worker. Items that were finished but not sent, which is at most 10 ms of work, run
//! again.

use super::attempt::{Attempt, Watch};
use super::attempt_end::AttemptEnd;
use super::frame_run::FrameRun;
use super::isolation::Selection;
use super::memory_limit::MemoryLimit;
use super::payload::Packer;
use super::peer::PeerHost;
use super::task::{PythonTask, Role};
use super::warm::WarmKey;
use super::work_unit::UnitKind;
use super::worker::{Worker, WorkerStop};
use crate::measure::SlotState;
use crate::model::{Failure, FailureKind};
use crate::task::context::StepContext;
use crate::task::lane::{Frame, FrameOutcome, Lane, LogLine, ShutdownReport};
use crate::wire::Log;
use std::sync::Arc;
use std::time::Instant;

/// How often to start a worker that dies during setup. Whatever killed it may not do so again.
const MOST_STARTS: u32 = 3;

/// The lane of one slot. It starts its worker with its first frame.
pub(super) struct PythonLane {
    step: Arc<Step>,
    slot: usize,
    host: Box<dyn PeerHost>,
    worker: Option<Worker>,
    /// The first error of a worker that was replaced.
    worker_error: Option<String>,
}

/// What the lane runs.
struct Step {
    task: Arc<PythonTask>,
    context: StepContext,
}

impl PythonLane {
    pub(super) fn new(task: Arc<PythonTask>, context: StepContext, slot: usize, host: Box<dyn PeerHost>) -> Self {
        Self { step: Arc::new(Step { task, context }), slot, host, worker: None, worker_error: None }
    }

    /// Runs as much of a frame as one attempt can.
    ///
    /// # Errors
    /// If the step cannot go on.
    fn attempt(&mut self, run: &mut FrameRun<'_>) -> Result<(), Failure> {
        let selection = run.select();
        if selection == Selection::Alone || self.items_left() == Some(0) {
            self.replace_worker(run);
        }
        let count = selection.count().min(self.most_units(run.packer.kind));
        let end = self.run_units(run, count);
        self.step.context.current_items.off(self.slot);
        let end = end?;
        if end.loses_worker() {
            self.worker = None;
        }
        let limit = self.memory_limit();
        if self.worker.as_ref().is_some_and(|worker| limit.exceeded_by(&*worker.peer).is_some()) {
            self.replace_worker(run);
        }
        run.settle(end)
    }

    fn run_units(&mut self, run: &mut FrameRun<'_>, count: usize) -> Result<AttemptEnd, Failure> {
        run.packer.make_item_dirs(run.units(count))?;
        let watch = Watch { memory_limit: self.memory_limit(), slot: self.slot };
        let batch_timeout = self.step.context.settings.batch_timeout;
        let mut printed = Vec::new();
        let ready = self.ready_worker(Role::of(run.packer.frame), &mut printed);
        let apart = |log: Log| run.log_apart(LogLine { position: None, stream: log.stream, text: log.text });
        printed.into_iter().for_each(apart);
        let worker = ready?;
        run.deadline = run.deadline.or_else(|| batch_timeout.map(|timeout| Instant::now() + timeout));
        Attempt::new(run, worker, count, watch).finish()
    }

    /// Returns the worker, and starts one if there is none.
    fn ready_worker(&mut self, role: Role, printed: &mut Vec<Log>) -> Result<&mut Worker, Failure> {
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => self.start_worker(role, printed)?,
        };
        Ok(self.worker.insert(worker))
    }

    fn start_worker(&self, role: Role, printed: &mut Vec<Log>) -> Result<Worker, Failure> {
        let Step { task, context } = &*self.step;
        let mut tries = 1..=MOST_STARTS;
        let worker = loop {
            let start = task.start(context, role)?;
            let kill = &context.cancel.kill;
            let begin = || {
                // What an earlier call has left in a worker must not hinder this one: a fresh worker tells for sure.
                let warm = self.take_warm().and_then(|warm| warm.begin(start.clone(), kill, &mut Vec::new()).ok());
                warm.map_or_else(|| Worker::start(&*self.host, start, kill, printed), Ok)
            };
            match context.clocks.of(self.slot).during(SlotState::Start, begin) {
                Err(failure) if failure.kind == FailureKind::Crash && tries.next() != Some(MOST_STARTS) => {}
                Err(failure) => {
                    // No item has it, and a traceback must be somewhere.
                    let text = failure.detail.clone().filter(|_| failure.kind == FailureKind::Exception);
                    printed.extend(text.map(|text| Log { position: None, stream: "stderr".to_owned(), text }));
                    return Err(failure);
                }
                Ok(worker) => break worker,
            }
        };
        match self.memory_limit().exceeded_by(&*worker.peer) {
            Some(failure) => Err(failure.with_detail("before the first item; raise `max_memory`")),
            None => Ok(worker),
        }
    }

    /// Stops the worker in the middle of a frame. The next unit gets a fresh one.
    fn replace_worker(&mut self, run: &mut FrameRun<'_>) {
        let ShutdownReport { logs, error } = self.stop_worker(&|_| {});
        logs.into_iter().for_each(|log| run.log_apart(log));
        self.worker_error = self.worker_error.take().or(error);
    }

    fn take_warm(&self) -> Option<Worker> {
        let context = &self.step.context;
        let warm = context.host.warm.as_ref()?;
        warm.take(&WarmKey::of(context)?)
    }

    /// Keeps the worker for the next call, and returns what its `teardown` printed. `None` if the lane has no worker, or if
    /// workers are not kept.
    fn leave_warm(&mut self) -> Option<ShutdownReport> {
        let context = &self.step.context;
        let warm = context.host.warm.as_ref()?;
        let key = WarmKey::of(context)?;
        let mut worker = self.worker.take_if(|worker| worker.peer.is_alive())?;
        let logs = worker.rest(&context.cancel.kill)?;
        warm.leave(key, worker);
        let logs = logs.into_iter().map(|log| LogLine { position: None, stream: log.stream, text: log.text });
        Some(ShutdownReport { logs: logs.collect(), error: None })
    }

    fn stop_worker(&mut self, tell: &dyn Fn(String)) -> ShutdownReport {
        let Some(worker) = self.worker.take() else { return ShutdownReport::default() };
        let WorkerStop { logs, exit } = worker.stop(&self.step.context.cancel.kill, tell);
        let last = logs.iter().rev().find_map(|log| log.text.trim().lines().next_back().map(str::to_owned));
        let error = exit.filter(|exit| !exit.success).map(|exit| {
            let last = last.map_or(String::new(), |last| format!(": {last}"));
            format!("Python worker {} after its last item{last}", exit.description)
        });
        let logs = logs.into_iter().map(|log| LogLine { position: None, stream: log.stream, text: log.text });
        ShutdownReport { logs: logs.collect(), error }
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit(self.step.task.max_memory())
    }

    /// The number of items that the worker may still run before it is replaced, if there is a limit.
    fn items_left(&self) -> Option<usize> {
        let sent = self.worker.as_ref().map_or(0, |worker| worker.items_sent);
        self.step.task.max_items_per_worker().map(|most| most.get().saturating_sub(sent))
    }

    /// The maximum number of units to send now. A batch stays together, whatever its size.
    fn most_units(&self, kind: UnitKind) -> usize {
        match (self.items_left(), kind) {
            (None, _) => usize::MAX,
            (Some(_), UnitKind::Batch) => 1,
            (Some(left), UnitKind::Item) => left,
        }
    }
}

impl Lane for PythonLane {
    fn run(&mut self, frame: &Frame<'_>) -> FrameOutcome {
        let step = Arc::clone(&self.step);
        let mut run = FrameRun::new(Packer::new(&step.task, &step.context, frame));
        let mut fatal = None;
        while run.has_work() && (frame.is_for_handler() || !step.context.cancel.stop.is_fired()) {
            run.leave_out_withdrawn();
            if !run.has_work() {
                break;
            }
            if let Err(failure) = self.attempt(&mut run) {
                if failure.kind == FailureKind::Shortage {
                    run.fall_short(&failure);
                    break;
                }
                fatal = Some(failure).filter(|failure| failure.kind != FailureKind::Interrupted);
                break;
            }
        }
        FrameOutcome { fatal, ..run.finish() }
    }

    fn finish(&mut self, tell: &dyn Fn(String)) -> ShutdownReport {
        let ShutdownReport { logs, error } = self.leave_warm().unwrap_or_else(|| self.stop_worker(tell));
        ShutdownReport { logs, error: self.worker_error.take().or(error) }
    }
}
