//! The failed items of a step, found in the current list. `retry` runs only these.
//!
//! A failed item is found by its key; if what it names has changed, by its text; if its text has changed, by its index.
//! It runs at the index that it had when it failed, so no other item has to move.

use super::comparison::{Comparison, Counts, Reasons, failed_before};
use super::done::DoneItems;
use super::selection::ItemSelection;
use super::unfinished::UnfinishedItems;
use super::unfinished_set::{Portion, UnfinishedSet};
use crate::ledger::{FailedItem, FailedItems, FailureChange, StepHistory};
use crate::model::ItemKey;
use crate::sources::{Source, SourceError};
use std::collections::{HashMap, VecDeque};

/// Finds the failed items that are selected. What is done stays as it is.
///
/// # Errors
/// If the source cannot be read.
pub fn compare_failed(
    source: &mut dyn Source,
    history: &StepHistory,
    selection: &ItemSelection,
) -> Result<Comparison, SourceError> {
    let mut finder = Finder::new(history, selection);
    let mut portion = Portion::new();
    // Before anything is read, because the source is read again afterwards.
    source.reread()?.required()?;
    while let Some(chunk) = source.next(portion.items())? {
        for (key, text) in chunk.keys.iter().zip(chunk.items.iter()) {
            finder.look_at(key, text);
        }
        portion.learn(&chunk.items);
    }
    source.reread()?.required()?;
    Ok(finder.finish())
}

/// An item of the current list.
#[derive(Clone, Copy)]
struct Candidate {
    index: u64,
    key: ItemKey,
}

/// Looks for failed items.
// More than 12 fields: one list for each way to recognize an item.
struct Finder<'a> {
    history: &'a StepHistory,
    selection: &'a ItemSelection,
    done: DoneItems<'a>,
    /// Those to find, by key, by text and by index.
    /// Equal items share a key, and are in the order of their indexes.
    wanted: HashMap<ItemKey, VecDeque<FailedItem>>,
    texts: HashMap<u64, VecDeque<Candidate>>,
    indexes: HashMap<u64, Option<Candidate>>,
    /// Items with the key of a failed one, at another index.
    equal: HashMap<ItemKey, Vec<u64>>,
    unfinished: UnfinishedSet,
    changes: Vec<FailureChange>,
    total: u64,
    found: u64,
    /// Why those that are as they were run.
    reasons: Reasons,
}

impl<'a> Finder<'a> {
    fn new(history: &'a StepHistory, selection: &'a ItemSelection) -> Self {
        let mut wanted: HashMap<ItemKey, VecDeque<FailedItem>> = HashMap::new();
        for (key, failed) in selection.among(history) {
            let taken = failed.iter().filter(|failed| selection.takes(failed.index, *key));
            wanted.entry(*key).or_default().extend(taken.copied());
        }
        wanted.retain(|_, failed| !failed.is_empty());
        let all = || wanted.values().flatten();
        Self {
            history,
            selection,
            done: DoneItems::new(&history.batches),
            texts: all().map(|failed| (failed.text, VecDeque::new())).collect(),
            indexes: all().map(|failed| (failed.index, None)).collect(),
            equal: HashMap::new(),
            wanted,
            unfinished: UnfinishedSet::default(),
            changes: Vec::new(),
            total: 0,
            found: 0,
            reasons: Reasons::new(),
        }
    }

    fn look_at(&mut self, key: ItemKey, text: &[u8]) {
        let index = self.total;
        self.total += 1;
        self.unfinished.note(key);
        if let Some(failed) = self.wanted.get_mut(&key) {
            let at = failed.binary_search_by_key(&index, |failed| failed.index);
            // The items come in this order too, so it is the first one, or moves few others.
            match at.ok().and_then(|at| failed.remove(at)) {
                Some(failed) => self.run(index, failed),
                None => self.equal.entry(key).or_default().push(index),
            }
            return;
        }
        if self.done.has(key, index) || self.selection.among(self.history).contains_key(&key) {
            return;
        }
        let candidate = Candidate { index, key };
        if let Some(same) = self.texts.get_mut(&FailedItem::hash_of(text)) {
            same.push_back(candidate);
        } else if let Some(same) = self.indexes.get_mut(&index) {
            *same = Some(candidate);
        }
    }

    /// Runs an item that is as it was.
    fn run(&mut self, index: u64, failed: FailedItem) {
        *self.reasons.entry(failed_before(failed.attempts)).or_insert(0) += 1;
        self.run_at(index, failed);
    }

    fn run_at(&mut self, index: u64, failed: FailedItem) {
        self.found += 1;
        self.unfinished.add_at(index, failed.index);
    }

    fn finish(mut self) -> Comparison {
        let mut left: Vec<(ItemKey, FailedItem)> = Vec::new();
        for (key, failed) in std::mem::take(&mut self.wanted) {
            let mut equal = self.equal.remove(&key).unwrap_or_default().into_iter();
            for failed in failed {
                match equal.next() {
                    Some(index) => self.run(index, failed),
                    None => left.push((key, failed)),
                }
            }
        }
        left.sort_by_key(|(_, failed)| failed.index);
        let (mut missing, mut changed) = (0, 0);
        for (_, failed) in left {
            let by_text = self.texts.get_mut(&failed.text).and_then(VecDeque::pop_front);
            let by_index = || self.indexes.get(&failed.index).copied().flatten();
            match by_text.or_else(by_index) {
                Some(Candidate { index, key }) => {
                    changed += 1;
                    self.changes.push(failed.renamed(key));
                    self.run_at(index, failed);
                }
                None => missing += 1,
            }
        }
        let count = |items: &FailedItems| items.values().map(|items| items.len() as u64).sum::<u64>();
        let selects_cancelled = matches!(self.selection, ItemSelection::Cancelled);
        let (found_failed, found_cancelled) = if selects_cancelled { (0, self.found) } else { (self.found, 0) };
        let unchanged = self.found - changed;
        let (mut reasons, changed_since) = if selects_cancelled {
            (Reasons::from([("cancelled before".into(), unchanged)]), "cancelled before and changed since")
        } else {
            (std::mem::take(&mut self.reasons), "failed before and changed since")
        };
        reasons.insert(changed_since.into(), changed);
        reasons.retain(|_, count| *count > 0);
        let ended = self.history.ended.as_ref().map(|ended| ended.stats);
        let done = self.history.batches.iter().map(|batch| (batch.done(), batch.carried()));
        let counts = Counts {
            done: done.clone().map(|(done, _)| done).sum(),
            unchanged: done.map(|(done, carried)| if carried { done } else { 0 }).sum(),
            failed: count(&self.history.failed) - found_failed,
            cancelled: count(&self.history.cancelled) - found_cancelled,
            bad_rows: count(&self.history.left_out),
            missing,
        };
        Comparison {
            unfinished: UnfinishedItems::new(self.unfinished),
            total: ended.map_or(self.total, |stats| stats.total),
            counts,
            moves: Vec::new(),
            failures: self.changes,
            reasons,
        }
    }
}
