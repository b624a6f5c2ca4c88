//! One attempt to run the first units of a frame: from sending them to a worker until it has reported them all or is lost.
//!
//! Handles one event after another. Each kind of event has its own function, which returns why the attempt ended, if it did.

use super::attempt_end::{AttemptEnd, EndCause};
use super::frame_run::FrameRun;
use super::memory_limit::MemoryLimit;
use super::peer::{Waits, WorkerEvent, WorkerExit};
use super::work_unit::WorkUnit;
use super::worker::{Worker, crash, unusable};
use crate::measure::{SlotClock, SlotState};
use crate::model::{Failure, FailureKind};
use crate::task::withdrawn::cancelled;
use crate::wire::{Done, Log, Results, WireError, WorkerMessage};
use std::time::{Duration, Instant};

/// A running attempt.
pub(super) struct Attempt<'a, 'f> {
    run: &'a mut FrameRun<'f>,
    worker: &'a mut Worker,
    /// The number of units to run.
    count: usize,
    watch: Watch,
    /// The number of units that the worker has reported.
    reported: usize,
    /// Whether the worker was told to halt because the user has taken a unit out.
    is_recalled: bool,
}

/// What to watch a worker for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch {
    pub(super) memory_limit: MemoryLimit,
    /// The slot, to show which item it is running.
    pub(super) slot: usize,
}

/// Why an attempt ended, if it did.
type Ended = Result<Option<EndCause>, Failure>;

impl<'a, 'f> Attempt<'a, 'f> {
    /// An attempt to run the first `count` units that are left of a frame.
    pub(super) fn new(run: &'a mut FrameRun<'f>, worker: &'a mut Worker, count: usize, watch: Watch) -> Self {
        Self { run, worker, count, watch, reported: 0, is_recalled: false }
    }

    /// Runs the attempt to its end.
    ///
    /// # Errors
    /// If the worker breaks the protocol: the step cannot go on.
    pub(super) fn finish(mut self) -> Result<AttemptEnd, Failure> {
        let context = self.run.packer.context;
        let mut waits = Waits {
            kill: &context.cancel.kill,
            // `on_item_error` runs even if the run has stopped.
            stop: if self.run.packer.frame.is_for_handler() { None } else { Some(&context.cancel.stop) },
            call: None,
            item_timeout: context.settings.item_timeout,
            deadline: self.run.deadline,
            // Kept from frame to frame, and whatever the worker sends: neither must put the next check off.
            check_at: Some(self.worker.next_check),
        };
        self.send();
        let clock = self.clock();
        loop {
            clock.enter(SlotState::Task);
            // Fetched before looking for what was taken out.
            let call = context.withdrawn.call();
            if let Some(cause) = self.recall()? {
                return Ok(AttemptEnd { sent: self.count, reported: self.reported, cause });
            }
            let waits_now = Waits { call: Some(&call), ..waits };
            let event = self.worker.peer.next_event(&waits_now).map_err(|error| unusable(&error.to_string()))?;
            clock.enter(SlotState::Receive);
            match event {
                WorkerEvent::Stop => waits.stop = None,
                WorkerEvent::CheckDue => {
                    self.worker.next_check = Instant::now() + self.watch.memory_limit.check_interval();
                    waits.check_at = Some(self.worker.next_check);
                }
                _ => {}
            }
            if let Some(cause) = self.on_event(event)? {
                return Ok(AttemptEnd { sent: self.count, reported: self.reported, cause });
            }
        }
    }

    fn clock(&self) -> SlotClock<'f> {
        self.run.packer.context.clocks.of(self.watch.slot)
    }

    fn send(&mut self) {
        let clock = self.clock();
        clock.enter(SlotState::Encode);
        let (units, outcome) = self.run.units_and_outcome(self.count);
        std::mem::take(&mut self.worker.setup_logs).into_iter().for_each(|log| outcome.log(log, units));
        let message = self.run.message(self.count);
        self.worker.items_sent += message.items.len();
        // This fails if the worker died while it was idle. The next event tells how it died.
        clock.enter(SlotState::Send);
        drop(self.worker.peer.send(&WorkerMessage::Run(message)));
    }

    fn on_event(&mut self, event: WorkerEvent) -> Ended {
        match event {
            WorkerEvent::Message(WorkerMessage::Results(results)) => self.on_results(results),
            WorkerEvent::Message(WorkerMessage::Log(log)) => Ok(self.on_log(log)),
            WorkerEvent::Message(WorkerMessage::Done(done)) => Ok(Some(self.on_done(&done))),
            WorkerEvent::Message(_) => Err(unusable("it sent an unexpected message")),
            WorkerEvent::CheckDue => Ok(self.on_check_due()),
            WorkerEvent::Dead(exit) => Ok(Some(self.on_death(&exit))),
            WorkerEvent::Garbled(error) => Ok(Some(self.on_garbled(&error))),
            WorkerEvent::ItemTimeout => Ok(self.on_item_timeout()),
            WorkerEvent::Deadline => Ok(Some(self.on_deadline())),
            WorkerEvent::Stop => self.on_stop(),
            // What was taken out is looked for before each wait.
            WorkerEvent::Call => Ok(None),
            WorkerEvent::Interrupted => Ok(Some(EndCause::Interrupted)),
        }
    }

    fn on_results(&mut self, results: Results) -> Ended {
        self.reported = results.first.saturating_add(results.count) as usize;
        let (units, outcome) = self.run.units_and_outcome(self.count);
        let taken = outcome.take(results, units);
        taken.map(|()| None).ok_or_else(|| unusable("its results do not match the items it was sent"))
    }

    fn on_done(&mut self, done: &Done) -> EndCause {
        let (units, outcome) = self.run.units_and_outcome(self.count);
        outcome.take_times(&done.times, units);
        outcome.take_worker_times(done.spent);
        let executed = done.executed as usize;
        if self.is_recalled { EndCause::Recalled { executed } } else { EndCause::Done { executed } }
    }

    /// Ends the attempt if the user has taken the running unit out, and has the worker halt if it was a later one.
    fn recall(&mut self) -> Ended {
        let withdrawn = &self.run.packer.context.withdrawn;
        if !withdrawn.any() || self.run.packer.frame.is_for_handler() {
            return Ok(None);
        }
        let (running, next) = (self.position(), self.position().map_or(self.reported, |position| position + 1));
        let units = self.run.units(self.count);
        if let Some(position) =
            running.filter(|position| self.run.packer.indexes(units[*position]).any(|it| withdrawn.ends(it)))
        {
            return Ok(Some(self.lost(position, cancelled())));
        }
        let is_waiting = |unit: &WorkUnit| self.run.packer.indexes(*unit).any(|index| withdrawn.has(index));
        if !self.is_recalled && units[next..].iter().any(is_waiting) {
            self.is_recalled = true;
            self.worker.peer.halt().map_err(|error| unusable(&error.to_string()))?;
        }
        Ok(None)
    }

    fn on_log(&mut self, log: Log) -> Option<EndCause> {
        let (units, outcome) = self.run.units_and_outcome(self.count);
        outcome.log(log, units);
        None
    }

    /// Shows which item the worker is running, and ends the attempt if the worker uses too much memory.
    fn on_check_due(&mut self) -> Option<EndCause> {
        let position = self.position()?;
        let (context, frame) = (self.run.packer.context, self.run.packer.frame);
        let WorkUnit { batch, position: item, .. } = self.run.units(self.count)[position];
        let since = Instant::now() - self.item_time();
        context.current_items.on(self.watch.slot, frame.batches[batch].indexes.get(item), since);
        let failure = self.watch.memory_limit.exceeded_by(&*self.worker.peer)?;
        Some(EndCause::OverMemory { position, failure: failure.after(self.item_time()) })
    }

    fn on_death(&mut self, exit: &WorkerExit) -> EndCause {
        let stderr = self.worker.peer.stderr_tail();
        self.worker.stderr_log().into_iter().for_each(|log| drop(self.on_log(log)));
        let how = &exit.description;
        match self.position() {
            Some(position) => {
                let failure = crash(format!("Python worker {how} while running this item"));
                self.lost(position, failure.with_detail(stderr))
            }
            None if stderr.is_empty() => EndCause::DiedIdle(crash(format!("Python worker {how} between items"))),
            None => EndCause::DiedIdle(crash(format!("Python worker {how} between items: {stderr}"))),
        }
    }

    fn on_garbled(&mut self, error: &WireError) -> EndCause {
        let failure = crash(format!("invalid data on the worker socket: {error}"));
        match self.position() {
            Some(position) => self.lost(position, failure),
            None => EndCause::DiedIdle(failure),
        }
    }

    fn on_item_timeout(&mut self) -> Option<EndCause> {
        // If the result arrived while the time was measured, the item was in time.
        let position = self.position()?;
        let timeout = self.run.packer.context.settings.item_timeout.unwrap_or_default();
        let failure = Failure::new(FailureKind::Timeout, "Timeout", format!("took longer than {timeout:?}"));
        Some(self.lost(position, failure))
    }

    fn on_deadline(&mut self) -> EndCause {
        EndCause::BatchTimeout(self.run.packer.context.settings.batch_timed_out())
    }

    /// Tells the worker to start no further item. The current one may finish.
    fn on_stop(&mut self) -> Ended {
        self.worker.peer.halt().map(|()| None).map_err(|error| unusable(&error.to_string()))
    }

    /// The unit that the worker is running, or was running when it died; `None` between units.
    fn position(&self) -> Option<usize> {
        let position = self.worker.peer.position();
        position.filter(|position| (self.reported..self.count).contains(position))
    }

    fn item_time(&self) -> Duration {
        self.worker.peer.item_time()
    }

    fn lost(&self, position: usize, failure: Failure) -> EndCause {
        EndCause::Lost { position, failure: failure.after(self.item_time()) }
    }
}
