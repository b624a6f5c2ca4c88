//! The feeder: cuts items into batches, packs quick batches into frames, and brings back what is to be tried again.

use super::pace::Pace;
use super::remaining::UnfinishedItems;
use super::step::Work;
use crate::model::{Batch, Indexes};
use crate::sources::{Chunk, Source, SourceError};
use crate::task::Cancel;
use crossbeam_channel::{Receiver, Sender, at, never, select};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// What the aggregator tells the feeder about batches that ended.
pub(super) struct Settled {
    /// How many ended.
    pub(super) batches: usize,
    /// What of them is to be tried again, and after what time.
    pub(super) retries: Vec<(Batch, Duration)>,
}

/// A frame that has come to so many bytes takes no further batch: what was learnt from small items must not pile up large
/// ones.
const MOST_BYTES: usize = 4 << 20;

/// Where a step's items come from.
pub(super) enum Feed<'a> {
    /// The source, up to so many items.
    Fresh(&'a mut dyn Source, u64),
    /// What an earlier execution of the run has left of the source; the number of items that there are in all.
    Rest(&'a mut dyn Source, UnfinishedItems, u64),
}

/// How feeding ended.
pub(super) struct Fed {
    /// How many items were read.
    pub(super) read: Result<u64, SourceError>,
    /// Whether the source has no more of them, whatever it promised.
    pub(super) exhausted: bool,
    /// Whether the step's time was up.
    pub(super) late: bool,
}

/// Feeds one step.
pub(super) struct Feeder<'feed, 'a> {
    feed: Feed<'feed>,
    pace: &'a Pace,
    /// Whether the task takes items one by one.
    one_by_one: bool,
    cancel: &'a Cancel,
    deadline: Option<Instant>,
    late: bool,
    read: u64,
    number: u64,
    exhausted: bool,
    held: Option<Batch>,
    in_flight: usize,
    waiting: BinaryHeap<Reverse<Waiting>>,
}

/// A batch in the delay queue: ordered by when it is due, then by number.
struct Waiting {
    due: Instant,
    batch: Batch,
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.batch.number).cmp(&(other.due, other.batch.number))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}

impl<'feed, 'a> Feeder<'feed, 'a> {
    /// Feeds until `deadline`, where there is one; then it ends the step.
    pub(super) fn new(
        feed: Feed<'feed>,
        (pace, one_by_one): (&'a Pace, bool),
        cancel: &'a Cancel,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            feed,
            pace,
            one_by_one,
            cancel,
            deadline,
            late: false,
            read: 0,
            number: 0,
            exhausted: false,
            held: None,
            in_flight: 0,
            waiting: BinaryHeap::new(),
        }
    }

    /// Feeds until nothing is left, under way or waiting, or until the step stops; then waits for the slots where they have
    /// a deadline to keep.
    pub(super) fn feed(mut self, work: Sender<Work>, settled: &Receiver<Settled>) -> Fed {
        let late = self.deadline.map_or_else(never, at);
        let failed = self.feed_until(&work, settled, &late).err();
        // The slots end when nothing can come any more, the aggregator after them, and `settled` with it.
        drop(work);
        while self.deadline.is_some() && !self.late {
            select! {
                recv(settled) -> message => if message.is_err() { break },
                recv(late) -> _ => self.end_late(),
            }
        }
        Fed { read: failed.map_or(Ok(self.read), Err), exhausted: self.exhausted, late: self.late }
    }

    fn feed_until(
        &mut self,
        work: &Sender<Work>,
        settled: &Receiver<Settled>,
        late: &Receiver<Instant>,
    ) -> Result<(), SourceError> {
        let stop = &self.cancel.stop;
        let mut next: Option<Work> = None;
        while !stop.is_fired() && !self.late {
            if next.is_none() {
                next = self.next()?;
            }
            let Some(frame) = next.take() else {
                if self.in_flight == 0 && self.waiting.is_empty() {
                    break;
                }
                let due = self.waiting.peek().map_or_else(never, |Reverse(first)| at(first.due));
                select! {
                    recv(settled) -> message => if !self.settle(message.ok()) { break },
                    recv(due) -> _ => {}
                    recv(late) -> _ => self.end_late(),
                    recv(stop.channel()) -> _ => break,
                }
                continue;
            };
            let batches = frame.len();
            // A frame that could not be handed over yet is kept: `select!` would drop it.
            select! {
                recv(settled) -> message => {
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

    /// The step's time is up: nothing begins any more, and what is under way ends.
    fn end_late(&mut self) {
        self.late = true;
        self.cancel.stop.fire();
        self.cancel.kill.fire();
    }

    /// Takes note of batches that ended; false when the aggregator is gone.
    fn settle(&mut self, message: Option<Settled>) -> bool {
        let Some(Settled { batches, retries }) = message else { return false };
        self.in_flight -= batches;
        let now = Instant::now();
        self.waiting.extend(retries.into_iter().map(|(batch, delay)| Reverse(Waiting { due: now + delay, batch })));
        true
    }

    /// A batch that is due again, else new batches.
    fn next(&mut self) -> Result<Option<Work>, SourceError> {
        if self.waiting.peek().is_some_and(|Reverse(first)| first.due <= Instant::now()) {
            return Ok(self.waiting.pop().map(|Reverse(waiting)| vec![waiting.batch]));
        }
        let mut frame = Vec::new();
        let (mut bytes, mut batches) = (0, 0);
        while batches < self.pace.batches() && bytes < MOST_BYTES {
            let next = match self.held.take() {
                Some(batch) => Some(batch),
                None if self.exhausted => None,
                None => self.cut(self.pace.batches() - batches)?,
            };
            let Some(batch) = next else {
                self.exhausted = true;
                break;
            };
            // A frame has one attempt: whether a failure in it is the last one holds for all of it.
            // What stands for a bad file travels alone: no lane runs it.
            let apart = |first: &Batch| {
                first.attempt != batch.attempt || first.file_error.is_some() || batch.file_error.is_some()
            };
            if frame.first().is_some_and(apart) {
                self.held = Some(batch);
                break;
            }
            bytes += batch.items.as_parts().0.len();
            batches += batch.batches();
            frame.push(batch);
        }
        Ok((!frame.is_empty()).then_some(frame))
    }

    /// The next new batch; up to `most` of them as one, where the task takes items one by one.
    fn cut(&mut self, most: usize) -> Result<Option<Batch>, SourceError> {
        let size = self.pace.items();
        let most = if self.one_by_one { size.saturating_mul(most) } else { size };
        let number = self.number + 1;
        let batch = match &mut self.feed {
            Feed::Rest(source, rest, total) => {
                self.read = *total;
                rest.cut(&mut **source, most, number)?
            }
            Feed::Fresh(source, most_items) => {
                let most = usize::try_from(*most_items - self.read).unwrap_or(usize::MAX).min(most);
                let chunk = if most == 0 { None } else { source.next(most)? };
                let Some(Chunk { items, keys, indexes, form, origin, bytes, file_error }) = chunk else {
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
