//! The feeder: hands out frames of new batches, and brings back what is to be tried again.

use super::delay_queue::DelayQueue;
use super::event::{FeederNote, FrameBatches};
use super::frames::Frames;
use super::job::StepJob;
use super::measures::Gauges;
use super::steered::OrderBook;
use crate::measure::FeederState;
use crate::sources::SourceError;
use crate::task::Cancel;
use crossbeam_channel::{Receiver, Sender, at, never, select};
use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How feeding ended.
pub(super) struct Fed {
    /// How many items were read.
    pub(super) read: Result<u64, SourceError>,
    /// Whether the source has ended, whatever number of items it promised.
    pub(super) exhausted: bool,
}

/// The feeder's ends of the channels; the slots end when these are dropped.
pub(super) struct WorkQueue {
    pub(super) work: Sender<FrameBatches>,
    /// Never sends anything: parked slots notice that it is dropped.
    #[expect(dead_code, reason = "held for its drop")]
    pub(super) feeding: Sender<Infallible>,
}

/// Feeds one step.
pub(super) struct Feeder<'feed, 'a> {
    frames: Frames<'feed, 'a>,
    cancel: &'a Cancel,
    gauges: &'a Gauges,
    orders: &'a OrderBook,
    in_flight: usize,
    waiting: DelayQueue,
}

impl<'feed, 'a> Feeder<'feed, 'a> {
    pub(super) fn new(frames: Frames<'feed, 'a>, job: &'a StepJob<'a>) -> Self {
        Self {
            frames,
            cancel: &job.context.cancel,
            gauges: &job.gauges,
            orders: &job.orders,
            in_flight: 0,
            waiting: DelayQueue::default(),
        }
    }

    /// Feeds until the last batch has ended or the step stops.
    pub(super) fn feed(mut self, queue: WorkQueue, done: &Receiver<FeederNote>) -> Fed {
        let failed = match self.feed_until(&queue.work, done) {
            // The source was told to stop with the step.
            Err(SourceError::Stopped) | Ok(()) => None,
            Err(error) => Some(error),
        };
        self.gauges.feeder.stop();
        let so_far = self.frames.so_far();
        Fed { read: failed.map_or(Ok(so_far.items), Err), exhausted: so_far.exhausted }
    }

    fn feed_until(&mut self, work: &Sender<FrameBatches>, done: &Receiver<FeederNote>) -> Result<(), SourceError> {
        let stop = &self.cancel.stop;
        let mut next: Option<FrameBatches> = None;
        while !stop.is_fired() {
            if next.is_none() {
                self.gauges.feeder.enter(FeederState::Read as usize);
                next = self.next()?;
            }
            self.gauges.feeder.enter(FeederState::Wait as usize);
            self.gauges.queued.store(work.len() as u64, Ordering::Relaxed);
            self.gauges.waiting.store(self.waiting.len() as u64, Ordering::Relaxed);
            let Some(frame) = next.take() else {
                let is_over = self.in_flight == 0 && self.waiting.is_empty() && self.frames.so_far().exhausted;
                if is_over && self.orders.close() {
                    break;
                }
                let due = self.waiting.next_due().map_or_else(never, at);
                let coming = self.frames.coming();
                select! {
                    recv(coming) -> frame => match frame {
                        Ok(frame) => next = self.frames.take(frame)?,
                        // Its thread has panicked, which is passed on where it is joined.
                        Err(_) => break,
                    },
                    recv(done) -> message => if !self.settle(message.ok()) { break },
                    recv(due) -> _ => {}
                    recv(stop.channel()) -> _ => break,
                }
                continue;
            };
            let batches = frame.len();
            // A frame that could not be handed over yet is kept: `select!` would drop it.
            select! {
                recv(done) -> message => {
                    next = Some(frame);
                    if !self.settle(message.ok()) { break }
                }
                recv(stop.channel()) -> _ => break,
                send(work, frame) -> sent => {
                    if sent.is_err() { break }
                    self.in_flight += batches;
                }
            }
        }
        Ok(())
    }

    /// Takes note of what the aggregator says; false when the aggregator is gone.
    fn settle(&mut self, message: Option<FeederNote>) -> bool {
        match message {
            None => return false,
            Some(FeederNote::Recorded(batches, retries)) => {
                self.in_flight -= batches;
                self.waiting.extend(retries);
            }
            Some(FeederNote::Again(batches)) => {
                self.waiting.extend(batches.into_iter().map(|batch| (batch, Duration::ZERO)).collect());
                self.orders.keep_promise();
            }
            Some(FeederNote::Withdrawn(index)) => self.waiting.hasten(index),
        }
        true
    }

    /// A batch that is due for a retry, otherwise new batches.
    fn next(&mut self) -> Result<Option<FrameBatches>, SourceError> {
        if let Some(batch) = self.waiting.pop_due() {
            return Ok(Some(vec![batch]));
        }
        self.frames.next()
    }
}
