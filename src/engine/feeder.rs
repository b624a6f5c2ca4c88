//! The feeder: cuts items into batches, packs quick batches into frames, and brings back what is to be tried again.

use super::remaining::Remaining;
use super::step::Work;
use crate::model::{Batch, Indexes};
use crate::plan::{Chunk, Source, SourceError};
use crate::task::Cancel;
use crossbeam_channel::{Receiver, Sender, at, never, select};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// How many batches travel together, learnt from how long they take.
#[derive(Debug)]
pub(super) struct Pace {
    batches: AtomicUsize,
    most: usize,
}

impl Pace {
    /// A frame that takes less is made larger, a frame that takes four times as long smaller. Long against the round trip
    /// of some 50 us, short against what a person or the end of the step notices.
    const AIM: Duration = Duration::from_millis(4);

    /// Starts with one batch a frame; `most` is the limit.
    pub(super) fn new(most: usize) -> Self {
        Self { batches: AtomicUsize::new(1), most: most.max(1) }
    }

    pub(super) fn batches(&self) -> usize {
        self.batches.load(Ordering::Relaxed)
    }

    /// Learns from a frame. Only full frames teach: the last one of a step, or a retry, is short for other reasons.
    pub(super) fn learn(&self, batches: usize, took: Duration) {
        let now = self.batches();
        if batches == now && took < Self::AIM / 2 {
            self.batches.store((now * 2).min(self.most), Ordering::Relaxed);
        } else if took > Self::AIM * 4 && batches >= now {
            self.batches.store((now / 2).max(1), Ordering::Relaxed);
        }
    }
}

/// Where a step's items come from.
pub(super) enum Feed<'a> {
    /// The source, up to so many items.
    Fresh(&'a mut dyn Source, u64),
    /// What an earlier execution of the run has left of the source; the number of items that there are in all.
    Rest(&'a mut dyn Source, Remaining, u64),
}

/// How feeding ended.
pub(super) struct Fed {
    /// How many items were read.
    pub(super) read: Result<u64, SourceError>,
    /// Whether the step's time was up.
    pub(super) late: bool,
}

/// Feeds one step.
pub(super) struct Feeder<'feed, 'a> {
    feed: Feed<'feed>,
    batch_size: usize,
    pace: &'a Pace,
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
        (batch_size, pace): (usize, &'a Pace),
        cancel: &'a Cancel,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            feed,
            batch_size,
            pace,
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
        Fed { read: failed.map_or(Ok(self.read), Err), late: self.late }
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
        let mut bytes = 0;
        while frame.len() < self.pace.batches() && bytes < MOST_BYTES {
            let next = match self.held.take() {
                Some(batch) => Some(batch),
                None if self.exhausted => None,
                None => self.cut()?,
            };
            let Some(batch) = next else {
                self.exhausted = true;
                break;
            };
            // A frame has one attempt: whether a failure in it is the last one holds for all of it.
            // What stands for a bad file travels alone: no lane runs it.
            let apart =
                |first: &Batch| first.attempt != batch.attempt || first.trouble.is_some() || batch.trouble.is_some();
            if frame.first().is_some_and(apart) {
                self.held = Some(batch);
                break;
            }
            bytes += batch.items.as_parts().0.len();
            frame.push(batch);
        }
        Ok((!frame.is_empty()).then_some(frame))
    }

    /// The next new batch.
    fn cut(&mut self) -> Result<Option<Batch>, SourceError> {
        self.number += 1;
        let number = self.number;
        match &mut self.feed {
            Feed::Rest(source, rest, total) => {
                self.read = *total;
                rest.cut(&mut **source, self.batch_size, number)
            }
            Feed::Fresh(source, most_items) => {
                let most = usize::try_from(*most_items - self.read).unwrap_or(usize::MAX).min(self.batch_size);
                let chunk = if most == 0 { None } else { source.next(most)? };
                let Some(Chunk { items, keys, form, origin, bytes, trouble }) = chunk else { return Ok(None) };
                let indexes = Indexes::Range(self.read..self.read + items.len() as u64);
                self.read += items.len() as u64;
                Ok(Some(Batch { number, attempt: 1, indexes, items, keys, form, origin, bytes, trouble }))
            }
        }
    }
}
