//! Cuts items into batches, and packs quick batches into frames.

use super::event::FrameBatches;
use super::job::StepJob;
use crate::model::{Batch, Indexes};
use crate::resume::UnfinishedItems;
use crate::sources::{Chunk, Source, SourceError};

/// A frame that has come to so many bytes takes no further batch: what was learnt from small items must not pile up large
/// ones.
const MOST_BYTES: usize = 4 << 20;

/// Where a step's items come from.
pub enum Feed<'a> {
    /// The source.
    Fresh(&'a mut dyn Source),
    /// What an earlier execution of the run has left of the source; the number of items that there are in all.
    Rest(&'a mut dyn Source, Box<UnfinishedItems>, u64),
}

/// How far reading has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ReadSoFar {
    /// How many items were read.
    pub(super) items: u64,
    /// Whether the source has ended.
    pub(super) exhausted: bool,
}

/// Cuts the items of one step.
pub(super) struct FrameCutter<'feed, 'a> {
    feed: Feed<'feed>,
    job: &'a StepJob<'a>,
    so_far: ReadSoFar,
    number: u64,
    held: Option<Batch>,
    /// Whether the next item may take any time to come. Asked once: a source of many files looks at each.
    may_wait: bool,
}

impl<'feed, 'a> FrameCutter<'feed, 'a> {
    pub(super) fn new(feed: Feed<'feed>, job: &'a StepJob<'a>) -> Self {
        let may_wait = match &feed {
            Feed::Fresh(source) | Feed::Rest(source, ..) => source.may_wait(),
        };
        Self { feed, job, so_far: ReadSoFar::default(), number: 0, held: None, may_wait }
    }

    /// How far reading has come.
    pub(super) fn so_far(&self) -> ReadSoFar {
        self.so_far
    }

    /// Whether the next item may take any time to come.
    pub(super) fn may_wait(&self) -> bool {
        self.may_wait
    }

    /// The next frame; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<FrameBatches>, SourceError> {
        let mut frame = Vec::new();
        let (mut bytes, mut batches) = (0, 0);
        // Read once: a slot that learns meanwhile may lower it.
        let most = self.job.pace.frame(self.left());
        while batches < most && bytes < MOST_BYTES {
            let next = match self.held.take() {
                Some(batch) => Some(batch),
                None if self.so_far.exhausted => None,
                // Batches that are here do not wait for others.
                None if !frame.is_empty() && self.at_hand(1) == 0 => break,
                None => self.cut(most - batches)?,
            };
            let Some(batch) = next else {
                self.so_far.exhausted = true;
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

    /// How many batches are left, if that is known.
    fn left(&self) -> Option<u64> {
        let Feed::Fresh(_) = self.feed else { return None };
        let left = self.job.settings.total?.saturating_sub(self.so_far.items);
        Some(left.div_ceil(self.job.pace.items() as u64))
    }

    /// How many whole batches there are without a wait, up to `most`.
    fn at_hand(&mut self, most: usize) -> usize {
        let size = self.job.pace.items();
        match &mut self.feed {
            Feed::Fresh(source) if self.may_wait => source.at_hand(size.saturating_mul(most)) / size,
            _ => most,
        }
    }

    /// The next new batch; up to `most` of them as one, if the task takes items one by one.
    fn cut(&mut self, most: usize) -> Result<Option<Batch>, SourceError> {
        let size = self.job.pace.items();
        let most = if self.job.settings.lane.batched { 1 } else { self.at_hand(most).max(1) };
        let most = size.saturating_mul(most);
        let number = self.number + 1;
        let batch = match &mut self.feed {
            Feed::Rest(source, rest, total) => {
                self.so_far.items = *total;
                rest.cut(&mut **source, most, number)?
            }
            Feed::Fresh(source) => {
                let Some(Chunk { items, keys, indexes, form, origin, bytes, file_error }) = source.next(most)? else {
                    return Ok(None);
                };
                let read = self.so_far.items;
                let in_order = Indexes::Range(read..read + items.len() as u64);
                let indexes = indexes.map_or(in_order, Indexes::from_rising);
                self.so_far.items += items.len() as u64;
                Some(Batch { number, size: 0, attempt: 1, indexes, items, keys, form, origin, bytes, file_error })
            }
        };
        let batch = batch.map(|batch| Batch { size: size.min(batch.items.len()), ..batch });
        self.number += batch.as_ref().map_or(0, Batch::batches) as u64;
        Ok(batch)
    }
}

/// Whether two batches may share a frame. A frame has one attempt: whether a failure in it is the last one holds for all of
/// it. What stands for a file that cannot be read travels alone: no lane runs it.
fn travels_with(first: &Batch, next: &Batch) -> bool {
    first.attempt == next.attempt && first.file_error.is_none() && next.file_error.is_none()
}
