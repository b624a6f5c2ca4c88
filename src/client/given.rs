//! The items of a call, as they arrive.

use super::sender::Outgoing;
use crate::ledger::FoundResults;
use crate::model::{Failure, FailureKind, Form, Indexes, ItemKey, Items, Keys};
use crate::sources::{Chunk, Reread, Source, SourceError};
use crate::task::Cancel;
use crate::wire::{Given, Keyed, Returned, Segments};
use crossbeam_channel::{Receiver, select};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Results from the ledger are sent once they have so many bytes.
const MOST_SENT: usize = 16 << 20;

/// What a client has sent.
pub(super) enum Arrived {
    Given(Given),
    Keyed(Keyed),
}

/// A source of the bundles that a client sends.
pub(super) struct GivenItems {
    arriving: Receiver<Arrived>,
    cancel: Cancel,
    read: u64,
    /// What was cut off a bundle, and is still to be given.
    parts: VecDeque<Chunk>,
    kept: Option<KeptResults>,
    /// Why no more items are taken.
    pub(super) refusal: Option<Failure>,
}

/// What answers items without running them.
pub(super) struct KeptResults {
    pub(super) found: FoundResults,
    pub(super) outgoing: Outgoing,
    /// The index of the item with each key so far, if no two may have the same.
    pub(super) seen: Option<HashMap<ItemKey, u64>>,
}

impl GivenItems {
    /// The bundles that arrive here, until the sender is gone.
    pub(super) fn new(arriving: Receiver<Arrived>, cancel: Cancel, kept: Option<KeptResults>) -> Self {
        Self { arriving, cancel, read: 0, parts: VecDeque::new(), kept, refusal: None }
    }

    /// Sends what is in the ledger, and cuts the rest into batches.
    fn sort(&mut self, keyed: Keyed) -> Result<(), SourceError> {
        let Keyed { keys, size, pickle } = keyed;
        let first = self.read;
        self.read += keys.len() as u64;
        let mut missing: Vec<u32> = Vec::new();
        match &mut self.kept {
            Some(kept) => {
                if let Some((before, index)) = kept.twice(first, &keys) {
                    let message = format!("items {before} and {index} have the same key");
                    self.refusal = Some(Failure::new(FailureKind::Start, "SameKey", message).permanent());
                    self.cancel.stop.fire();
                    self.cancel.kill.fire();
                    return Err(SourceError::Stopped);
                }
                missing = kept.answer(first, &keys);
            }
            None => missing.extend((0..).take(keys.len())),
        }
        for part in missing.chunks((size as usize).max(1)) {
            self.parts.push_back(Chunk {
                items: Items::members(Arc::clone(&pickle), part.to_vec()).expect("they rise"),
                keys: Keys::List(part.iter().map(|member| keys[*member as usize]).collect()),
                indexes: Some(part.iter().map(|member| first + u64::from(*member)).collect()),
                form: 0,
                origin: None,
                bytes: 0,
                file_error: None,
            });
        }
        Ok(())
    }

    fn all_of(&mut self, given: Given) -> Chunk {
        let Given { count, pickle } = given;
        // Whoever calls knows its items by their index, and nothing is resumed.
        let keys = Keys::Run(ItemKey::from(u128::from(self.read)), count as usize);
        self.read += u64::from(count);
        let items = Items::bundle(pickle, count);
        Chunk { items, keys, indexes: None, form: 0, origin: None, bytes: 0, file_error: None }
    }
}

impl KeptResults {
    /// The indexes of two items with the same key, if that is a mistake.
    fn twice(&mut self, first: u64, keys: &[ItemKey]) -> Option<(u64, u64)> {
        let seen = self.seen.as_mut()?;
        (first..).zip(keys).find_map(|(index, key)| seen.insert(*key, index).map(|before| (before, index)))
    }

    /// Sends the results that are there, and returns which are not.
    fn answer(&mut self, first: u64, keys: &[ItemKey]) -> Vec<u32> {
        let mut missing = Vec::new();
        let (mut indexes, mut segments) = (Vec::new(), Segments::default());
        for (member, key) in (0..).zip(keys) {
            let Some(result) = self.found.take(*key) else {
                missing.push(member);
                continue;
            };
            indexes.push(first + u64::from(member));
            segments.push_pickle(&result);
            if segments.len() > MOST_SENT {
                self.send(std::mem::take(&mut indexes), segments.take());
            }
        }
        if !indexes.is_empty() {
            self.send(indexes, segments.take());
        }
        missing
    }

    fn send(&self, indexes: Vec<u64>, segments: Vec<u8>) {
        // No time, of no batch: it says nothing about how long items take.
        self.outgoing.results(Returned { indexes: Indexes::from_rising(indexes), took: 0, of: 0, segments });
    }
}

impl Source for GivenItems {
    fn total(&self) -> Option<u64> {
        None
    }

    fn next(&mut self, _most: usize) -> Result<Option<Chunk>, SourceError> {
        loop {
            if let Some(part) = self.parts.pop_front() {
                return Ok(Some(part));
            }
            let arrived = select! {
                recv(self.arriving) -> arrived => match arrived {
                    Ok(arrived) => arrived,
                    Err(_) => return Ok(None),
                },
                recv(self.cancel.stop.channel()) -> _ => return Err(SourceError::Stopped),
            };
            match arrived {
                Arrived::Given(given) => return Ok(Some(self.all_of(given))),
                Arrived::Keyed(keyed) => self.sort(keyed)?,
            }
        }
    }

    fn may_wait(&self) -> bool {
        true
    }

    fn at_hand(&mut self, most: usize) -> usize {
        if self.parts.is_empty() && self.arriving.is_empty() { 0 } else { most }
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        Ok(Reread::Once)
    }

    fn forms(&self) -> Arc<[Form]> {
        Arc::new([Form::Pickle])
    }
}
