//! One slot: takes frames until there are none, and reports the outcome of each to the aggregator.
//!
//! Knows nothing of recorders, terminals or other slots. Every frame taken ends in exactly one event.

use super::event::{FrameBatches, SlotEvent};
use super::executor::FrameExecutor;
use super::job::StepJob;
use super::width::Width;
use crate::measure::{SlotClock, SlotState};
use crossbeam_channel::{Receiver, RecvError, Sender, TryRecvError, select};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a parked slot checks whether the work has run out.
const TICK: Duration = Duration::from_millis(100);

/// How long a slot that could not start anything waits.
const HOLD_OFF: Duration = Duration::from_millis(200);

/// After how long a parked slot ends its worker.
const IDLE: Duration = Duration::from_secs(10);

/// What a slot works with.
pub(super) struct Slot<'a> {
    pub(super) number: usize,
    pub(super) work: &'a Receiver<FrameBatches>,
    pub(super) events: &'a Sender<SlotEvent>,
    /// Disconnects when the feeder has nothing more to give.
    pub(super) feeding: &'a Receiver<Infallible>,
    pub(super) width: &'a Width,
    pub(super) job: &'a StepJob<'a>,
}

impl Slot<'_> {
    /// Works until the feeder hangs up. A send fails only when the aggregator is gone, which is a bug that its panic reports.
    pub(super) fn run(&self) {
        let _stops = StopOnPanic(self.job);
        let clock = self.job.context.clocks.of(self.number);
        let log = |entry| clock.during(SlotState::Blocked, || drop(self.events.send(SlotEvent::Log(entry))));
        let mut executor = FrameExecutor::new(self.job, self.number, &log);
        while self.park(clock, &mut executor)
            && let Ok(frame) = self.take(clock)
        {
            clock.enter(SlotState::Encode);
            let frame = Arc::new(frame);
            self.job.frames.set(self.number, Some(Arc::clone(&frame)));
            let result = executor.run(&frame);
            self.job.frames.set(self.number, None);
            clock.enter(SlotState::Blocked);
            self.job.in_flight.enter(result.bytes());
            let is_short = result.is_short;
            drop(self.events.send(SlotEvent::Frame(Box::new(result))));
            if is_short {
                self.hold_off(clock);
            }
        }
        clock.enter(SlotState::Receive);
        let warnings = executor.finish(&|word| self.tell(vec![word]));
        clock.stop();
        self.tell(warnings);
    }

    /// Leaves the work to slots that have what they need, and gives the system time to free what is missing.
    fn hold_off(&self, clock: SlotClock<'_>) {
        clock.enter(SlotState::Held);
        let _ = self.job.context.cancel.stop.channel().recv_timeout(HOLD_OFF);
    }

    fn take(&self, clock: SlotClock<'_>) -> Result<FrameBatches, RecvError> {
        clock.enter(SlotState::Idle);
        self.work.recv()
    }

    /// Waits while the slot is above the width of the run or the step. False if there is nothing left to do.
    fn park(&self, clock: SlotClock<'_>, executor: &mut FrameExecutor<'_>) -> bool {
        let stop = &self.job.context.cancel.stop;
        let parked = Instant::now();
        let mut rests = false;
        while let Err(changed) = self.width.admits(self.number).and_then(|()| self.job.width.admits(self.number)) {
            let is_held = self.width.is_paused() || self.width.is_held_back();
            clock.enter(if is_held { SlotState::Held } else { SlotState::Parked });
            if stop.is_fired() {
                return true;
            }
            if self.feeding.try_recv() == Err(TryRecvError::Disconnected) && self.work.is_empty() {
                return false;
            }
            if !rests && parked.elapsed() >= IDLE && !self.width.is_paused() {
                // Its worker holds memory that others may need. The next frame starts another one.
                self.tell(executor.rest(&|word| self.tell(vec![word])));
                rests = true;
            }
            select! {
                recv(changed) -> _ => {}
                recv(stop.channel()) -> _ => {}
                default(TICK) => {}
            }
        }
        true
    }

    fn tell(&self, warnings: Vec<String>) {
        if !warnings.is_empty() {
            drop(self.events.send(SlotEvent::ShutDown(warnings)));
        }
    }
}

/// A panic is a bug; it is passed on when the pool is joined, which needs the others to stop.
struct StopOnPanic<'a>(&'a StepJob<'a>);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.context.cancel.stop.fire();
        }
    }
}
