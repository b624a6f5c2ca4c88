//! One slot: takes frames until there are none, and tells the aggregator what came of each.
//!
//! Knows nothing of recorders, terminals or other slots. Every frame taken ends in exactly one event.

use super::event::{FrameBatches, SlotEvent};
use super::executor::FrameExecutor;
use super::job::StepJob;
use super::width::Width;
use crossbeam_channel::{Receiver, Sender, TryRecvError, select};
use std::convert::Infallible;
use std::time::Duration;

/// Time between two looks of a parked slot whether the work has run out meanwhile.
const TICK: Duration = Duration::from_millis(100);

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
        let log = |entry| drop(self.events.send(SlotEvent::Log(entry)));
        let mut executor = FrameExecutor::new(self.job, self.number, &log);
        while self.park()
            && let Ok(frame) = self.work.recv()
        {
            drop(self.events.send(SlotEvent::Frame(executor.run(&frame))));
        }
        let warnings = executor.finish();
        if !warnings.is_empty() {
            drop(self.events.send(SlotEvent::ShutDown(warnings)));
        }
    }

    /// Waits while the slot is above the step's width. False when nothing is left to do.
    fn park(&self) -> bool {
        let stop = &self.job.context.cancel.stop;
        while let Err(changed) = self.width.admits(self.number) {
            if stop.is_fired() {
                return true;
            }
            if self.feeding.try_recv() == Err(TryRecvError::Disconnected) && self.work.is_empty() {
                return false;
            }
            select! {
                recv(changed) -> _ => {}
                recv(stop.channel()) -> _ => {}
                default(TICK) => {}
            }
        }
        true
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
