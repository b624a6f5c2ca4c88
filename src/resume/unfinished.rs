//! The items of a step that are left to run, read from its source once more. Memory holds one bit per item.

use super::byte_share::byte_share;
use super::unfinished_set::{Portion, UnfinishedSet};
use crate::model::{Batch, Failure, Indexes, ItemKey, Items, Keys, LineNumbers, Origin, line_breaks};
use crate::sources::{Chunk, Source, SourceError};
use std::collections::VecDeque;
use std::sync::Arc;

/// An item to run.
struct Pending {
    index: u64,
    key: ItemKey,
    attempt: u32,
    item: Vec<u8>,
    form: usize,
    /// File and line, if it is a row.
    origin: Option<(Arc<str>, u64)>,
    file_error: Option<Box<Failure>>,
}

impl Pending {
    /// Whether both can be in the same batch.
    fn goes_with(&self, other: &Self) -> bool {
        let file = |it: &Self| it.origin.as_ref().map(|(file, _)| Arc::clone(file));
        self.attempt == other.attempt
            && self.form == other.form
            && self.file_error.is_none()
            && other.file_error.is_none()
            && file(self) == file(other)
    }
}

/// The items to run, in order.
pub struct UnfinishedItems {
    unfinished: UnfinishedSet,
    /// Those already read.
    queue: VecDeque<Pending>,
    /// Index of the next item of the source.
    index: u64,
    exhausted: bool,
    /// The bytes and the number of all items, and how many were handed out.
    bytes: (u64, u64),
    given: u64,
    portion: Portion,
}

impl UnfinishedItems {
    pub(super) fn new(unfinished: UnfinishedSet) -> Self {
        Self {
            unfinished,
            queue: VecDeque::new(),
            index: 0,
            exhausted: false,
            bytes: (0, 0),
            given: 0,
            portion: Portion::new(),
        }
    }

    /// The same for a source whose items have this total size, `done` of which do not run: each item counts as an average
    /// one.
    pub(super) fn sized(self, bytes: u64, total: u64, done: u64) -> Self {
        Self { bytes: (bytes, total), given: done, ..self }
    }

    /// Cuts the next batch: neighbours in this list with the same number of attempts.
    pub(crate) fn cut(
        &mut self,
        source: &mut dyn Source,
        most: usize,
        number: u64,
    ) -> Result<Option<Batch>, SourceError> {
        while self.queue.len() < most && !self.exhausted {
            self.read(source)?;
        }
        let Some(first) = self.queue.pop_front() else { return Ok(None) };
        let mut taken = vec![first];
        let mut bytes = 0;
        while taken.len() < most && bytes < 1 << 30 {
            // Indexes of a batch rise.
            let last = taken.last().map_or(0, |last| last.index);
            if !self.queue.front().is_some_and(|next| taken[0].goes_with(next) && last < next.index) {
                break;
            }
            let Some(next) = self.queue.pop_front() else { break };
            bytes += next.item.len();
            taken.push(next);
        }
        let (bytes, total) = self.bytes;
        let before = byte_share(bytes, self.given, total);
        self.given = (self.given + taken.len() as u64).min(total);
        Ok(Some(Batch { bytes: byte_share(bytes, self.given, total) - before, ..batch(taken, number) }))
    }

    /// Reads some items, and keeps those that are left to run.
    fn read(&mut self, source: &mut dyn Source) -> Result<(), SourceError> {
        if self.unfinished.ends_before(self.index) {
            self.exhausted = true;
            return Ok(());
        }
        let Some(chunk) = source.next(self.portion.items())? else {
            return Err(SourceError::Changed(self.index));
        };
        // Only a new run reads the source in another order.
        let Chunk { items, keys, form, origin, file_error, .. } = chunk;
        self.portion.learn(&items);
        // The starts of rows are counted once per chunk, not from its start for each row.
        let mut line = match origin.as_ref().map(|origin| &origin.lines) {
            Some(LineNumbers::From(first)) => *first,
            _ => 0,
        };
        for (position, item) in items.iter().enumerate() {
            let index = self.index + position as u64;
            if self.unfinished.has(index) {
                if !self.unfinished.knows(index, keys.get(position)) {
                    return Err(SourceError::Changed(index));
                }
                self.queue.push_back(Pending {
                    index: self.unfinished.index(index),
                    key: keys.get(position),
                    attempt: self.unfinished.attempt(index),
                    item: item.to_vec(),
                    form,
                    origin: origin.as_ref().map(|origin| (Arc::clone(&origin.file), line)),
                    file_error: file_error.clone(),
                });
            }
            if origin.is_some() {
                line += line_breaks(item);
            }
        }
        self.index += items.len() as u64;
        Ok(())
    }
}

fn batch(taken: Vec<Pending>, number: u64) -> Batch {
    let (mut items, mut indexes, mut keys, mut lines) = (Items::default(), Vec::new(), Vec::new(), Vec::new());
    let (attempt, form, mut file, mut file_error) = (taken[0].attempt, taken[0].form, None, None);
    for next in taken {
        items.push(&next.item);
        indexes.push(next.index);
        keys.push(next.key);
        if let Some((of, line)) = next.origin {
            lines.push(line);
            file = Some(of);
        }
        file_error = next.file_error;
    }
    Batch {
        number,
        size: indexes.len(),
        attempt,
        indexes: Indexes::from_rising(indexes),
        items,
        keys: Keys::from_list(keys),
        form,
        origin: file.map(|file| Origin { file, lines: LineNumbers::Each(lines) }),
        bytes: 0,
        file_error,
    }
}
