//! The feeder: cuts items into batches, packs quick batches into frames, and hands out batches that are due for a retry.

use super::delay_queue::DelayQueue;
use super::event::{BatchesDone, FrameBatches};
use super::job::StepJob;
use crate::model::{Batch, Indexes};
use crate::resume::UnfinishedItems;
use crate::sources::{Chunk, Source, SourceError};
use crate::task::Cancel;
use crossbeam_channel::{Receiver, Sender, at, never, select};
use std::convert::Infallible;
use std::time::Instant;

/// A frame of this many bytes takes no further batch, so that what was learned from small items doesn't pile up large
/// ones.
const MOST_BYTES: usize = 4 << 20;

/// Where a step's items come from.
pub enum Feed<'a> {
    /// The source.
    Fresh(&'a mut dyn Source),
    /// What earlier executions left to do, and the total number of items.
    Rest(&'a mut dyn Source, Box<UnfinishedItems>, u64),
}

/// How feeding ended.
pub(super) struct Fed {
    /// How many items were read.
    pub(super) read: Result<u64, SourceError>,
    /// Whether the source has ended, whatever number of items it promised.
    pub(super) exhausted: bool,
    /// Whether the step's time was up.
    pub(super) late: bool,
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
    feed: Feed<'feed>,
    job: &'a StepJob<'a>,
    deadline: Option<Instant>,
    late: bool,
    read: u64,
    number: u64,
    exhausted: bool,
    held: Option<Batch>,
    in_flight: usize,
    waiting: DelayQueue,
}

impl<'feed, 'a> Feeder<'feed, 'a> {
    /// Feeds until the step's time limit, if it has one; then it ends the step.
    pub(super) fn new(feed: Feed<'feed>, job: &'a StepJob<'a>) -> Self {
        Self {
            feed,
            job,
            deadline: job.settings.step_timeout.map(|timeout| job.started + timeout),
            late: false,
            read: 0,
            number: 0,
            exhausted: false,
            held: None,
            in_flight: 0,
            waiting: DelayQueue::default(),
        }
    }

    fn cancel(&self) -> &'a Cancel {
        &self.job.context.cancel
    }

    /// Feeds until the last batch has ended or the step stops. A step with a time limit then waits for its slots.
    pub(super) fn feed(mut self, queue: WorkQueue, done: &Receiver<BatchesDone>) -> Fed {
        let late = self.deadline.map_or_else(never, at);
        let failed = self.feed_until(&queue.work, done, &late).err();
        // The slots end when nothing more can come, then the aggregator, then `done`.
        drop(queue);
        while self.deadline.is_some() && !self.late {
            select! {
                recv(done) -> message => if message.is_err() { break },
                recv(late) -> _ => self.end_late(),
            }
        }
        Fed { read: failed.map_or(Ok(self.read), Err), exhausted: self.exhausted, late: self.late }
    }

    fn feed_until(
        &mut self,
        work: &Sender<FrameBatches>,
        done: &Receiver<BatchesDone>,
        late: &Receiver<Instant>,
    ) -> Result<(), SourceError> {
        let stop = &self.cancel().stop;
        let mut next: Option<FrameBatches> = None;
        while !stop.is_fired() && !self.late {
            if next.is_none() {
                next = self.next()?;
            }
            let Some(frame) = next.take() else {
                if self.in_flight == 0 && self.waiting.is_empty() {
                    break;
                }
                let due = self.waiting.next_due().map_or_else(never, at);
                select! {
                    recv(done) -> message => if !self.settle(message.ok()) { break },
                    recv(due) -> _ => {}
                    recv(late) -> _ => self.end_late(),
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
                recv(late) -> _ => self.end_late(),
                recv(stop.channel()) -> _ => break,
                send(work, frame) -> sent => {
                    if sent.is_err() { break }
                    self.in_flight += batches;
                }
            }
        }
        Ok(())
    }

    /// The step's time is up: nothing new starts, and what is running ends.
    fn end_late(&mut self) {
        self.late = true;
        self.cancel().stop.fire();
        self.cancel().kill.fire();
    }

    /// Notes which batches ended; false if the aggregator is gone.
    fn settle(&mut self, message: Option<BatchesDone>) -> bool {
        let Some(BatchesDone { batches, retries }) = message else { return false };
        self.in_flight -= batches;
        self.waiting.extend(retries);
        true
    }

    /// A batch that is due for a retry, otherwise new batches.
    fn next(&mut self) -> Result<Option<FrameBatches>, SourceError> {
        if let Some(batch) = self.waiting.pop_due() {
            return Ok(Some(vec![batch]));
        }
        let mut frame = Vec::new();
        let (mut bytes, mut batches) = (0, 0);
        let pace = &self.job.pace;
        while batches < pace.batches() && bytes < MOST_BYTES {
            let next = match self.held.take() {
                Some(batch) => Some(batch),
                None if self.exhausted => None,
                None => self.cut(pace.batches() - batches)?,
            };
            let Some(batch) = next else {
                self.exhausted = true;
                break;
            };
            if frame.first().is_some_and(|first| !travels_with(first, &batch)) {
                self.held = Some(batch);
                break;
            }
            bytes += batch.items.as_parts().0.len();
            batches += batch.batches();
            frame.push(batch);
        }
        Ok((!frame.is_empty()).then_some(frame))
    }

    /// The next new batch; up to `most` of them as one, if the task takes items one by one.
    fn cut(&mut self, most: usize) -> Result<Option<Batch>, SourceError> {
        let size = self.job.pace.items();
        let most = if self.job.settings.lane.batched { size } else { size.saturating_mul(most) };
        let number = self.number + 1;
        let batch = match &mut self.feed {
            Feed::Rest(source, rest, total) => {
                self.read = *total;
                rest.cut(&mut **source, most, number)?
            }
            Feed::Fresh(source) => {
                let Some(Chunk { items, keys, indexes, form, origin, bytes, file_error }) = source.next(most)? else {
                    return Ok(None);
                };
                let in_order = Indexes::Range(self.read..self.read + items.len() as u64);
                let indexes = indexes.map_or(in_order, Indexes::from_rising);
                self.read += items.len() as u64;
                Some(Batch { number, size: 0, attempt: 1, indexes, items, keys, form, origin, bytes, file_error })
            }
        };
        let batch = batch.map(|batch| Batch { size: size.min(batch.items.len()), ..batch });
        self.number += batch.as_ref().map_or(0, Batch::batches) as u64;
        Ok(batch)
    }
}

/// Whether two batches may share a frame. A frame has one attempt, because its failures must all be last ones or none. A
/// batch that stands for an unreadable file travels alone: no lane runs it.
fn travels_with(first: &Batch, next: &Batch) -> bool {
    first.attempt == next.attempt && first.file_error.is_none() && next.file_error.is_none()
}
