//! What of a step's items is still to be run, read from its source once more: memory holds a bit for each item.

use super::resume::share;
use crate::model::{Batch, Failure, Indexes, ItemKey, Items, Keys, LineNumbers, Origin, line_breaks};
use crate::sources::{Chunk, Source, SourceError};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// ItemSelection items are to be run, by index.
#[derive(Debug, Default)]
pub(super) struct UnfinishedSet {
    bits: Vec<u64>,
    /// Of the key of each item, two bytes: whether what is read again is what was compared.
    marks: Vec<u16>,
    /// The next attempt of those that have had one.
    attempts: HashMap<u64, u32>,
}

impl UnfinishedSet {
    /// The item with this index is to be run, for the `attempt`th time.
    pub(super) fn add(&mut self, index: u64, attempt: u32) {
        let word = usize::try_from(index / 64).expect("a bit for each item fits into memory");
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << (index % 64);
        if attempt > 1 {
            self.attempts.insert(index, attempt);
        }
    }

    /// Takes note of the next item of the source.
    pub(super) fn note(&mut self, key: ItemKey) {
        self.marks.push(key.mark());
    }

    /// Whether the item with this index has this key, as far as its mark tells.
    fn knows(&self, index: u64, key: ItemKey) -> bool {
        let mark = usize::try_from(index).ok().and_then(|index| self.marks.get(index));
        mark == Some(&key.mark())
    }

    fn has(&self, index: u64) -> bool {
        let word = usize::try_from(index / 64).ok().and_then(|word| self.bits.get(word));
        word.is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Whether nothing is to be run from this index on.
    fn ends_before(&self, index: u64) -> bool {
        index >= self.marks.len() as u64 || index / 64 >= self.bits.len() as u64
    }
}

/// How many items to read at a time: many, but fewer where they are large, for what is read at a time is held.
pub(super) struct Portion(usize);

impl Portion {
    const MOST: usize = 4096;
    const BYTES: usize = 1 << 20;

    pub(super) fn new() -> Self {
        Self(16)
    }

    pub(super) fn items(&self) -> usize {
        self.0
    }

    /// Learns from what was read.
    pub(super) fn learn(&mut self, items: &Items) {
        let bytes = items.as_parts().0.len();
        if bytes > 4 * Self::BYTES {
            self.0 = (self.0 / 4).max(1);
        } else if bytes < Self::BYTES {
            self.0 = (self.0 * 2).min(Self::MOST);
        }
    }
}

/// An item to run.
struct Pending {
    index: u64,
    key: ItemKey,
    attempt: u32,
    item: Vec<u8>,
    form: usize,
    /// File and line, if it is a row.
    origin: Option<(Arc<str>, u64)>,
    file_error: Option<Failure>,
}

impl Pending {
    /// Whether both can be in one batch.
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
pub(super) struct UnfinishedItems {
    todo: UnfinishedSet,
    /// Those that were read already.
    queue: VecDeque<Pending>,
    /// Index of the next item of the source.
    index: u64,
    exhausted: bool,
    /// The bytes of all items, and their number; how many were given out.
    bytes: (u64, u64),
    given: u64,
    portion: Portion,
}

impl UnfinishedItems {
    pub(super) fn new(todo: UnfinishedSet) -> Self {
        Self {
            todo,
            queue: VecDeque::new(),
            index: 0,
            exhausted: false,
            bytes: (0, 0),
            given: 0,
            portion: Portion::new(),
        }
    }

    /// The same of a source whose items, so many, come to so many bytes, and of which `done` do not run: each counts as an
    /// average one.
    pub(super) fn sized(self, bytes: u64, total: u64, done: u64) -> Self {
        Self { bytes: (bytes, total), given: done, ..self }
    }

    /// Cuts the next batch: neighbours in this list that have had the same number of attempts.
    pub(super) fn cut(
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
            if !self.queue.front().is_some_and(|next| taken[0].goes_with(next)) {
                break;
            }
            let Some(next) = self.queue.pop_front() else { break };
            bytes += next.item.len();
            taken.push(next);
        }
        let (bytes, total) = self.bytes;
        let before = share(bytes, self.given, total);
        self.given = (self.given + taken.len() as u64).min(total);
        Ok(Some(Batch { bytes: share(bytes, self.given, total) - before, ..batch(taken, number) }))
    }

    /// Reads some items, and keeps those that are to be run.
    fn read(&mut self, source: &mut dyn Source) -> Result<(), SourceError> {
        if self.todo.ends_before(self.index) {
            self.exhausted = true;
            return Ok(());
        }
        let Some(chunk) = source.next(self.portion.items())? else {
            return Err(SourceError::Changed(self.index));
        };
        // What was put in another order was so for a fresh start alone.
        let Chunk { items, keys, form, origin, file_error, .. } = chunk;
        self.portion.learn(&items);
        // Where rows begin is counted once for the chunk, not from its start for each.
        let mut line = match origin.as_ref().map(|origin| &origin.lines) {
            Some(LineNumbers::From(first)) => *first,
            _ => 0,
        };
        for (position, item) in items.iter().enumerate() {
            let index = self.index + position as u64;
            if self.todo.has(index) {
                if !self.todo.knows(index, keys.get(position)) {
                    return Err(SourceError::Changed(index));
                }
                self.queue.push_back(Pending {
                    index,
                    key: keys.get(position),
                    attempt: self.todo.attempts.get(&index).copied().unwrap_or(1),
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
