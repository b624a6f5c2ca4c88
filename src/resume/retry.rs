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
use std::collections::{HashMap, HashSet, VecDeque};

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

/// The failed items that are selected, by key. Equal items share a key, and are in the order of their indexes.
fn wanted<'a>(
    history: &'a StepHistory,
    selection: &'a ItemSelection,
) -> impl Iterator<Item = (ItemKey, impl Iterator<Item = FailedItem>)> {
    selection.among(history).iter().map(|(key, failed)| {
        let failed = failed.iter().copied();
        (*key, failed.filter(|failed| selection.takes(failed.index, *key)))
    })
}

/// Looks for failed items.
// More than 12 fields: one list for each way to recognize an item.
struct Finder<'a> {
    history: &'a StepHistory,
    selection: &'a ItemSelection,
    done: DoneItems<'a>,
    /// The keys of those to find, if they are not all; their texts, and their indexes. There may be as many as there are items, so
    /// what else is known of them stays in the history.
    keys: Option<HashSet<ItemKey>>,
    texts: HashSet<u64>,
    indexes: HashSet<u64>,
    /// Those that were found by key and index, by their own index.
    ran: HashSet<u64>,
    /// Items with the key of a failed one, at another index.
    equal: HashMap<ItemKey, Vec<u64>>,
    /// Other items with the text of one to find, and those that are where one was.
    by_text: HashMap<u64, VecDeque<Candidate>>,
    by_index: HashMap<u64, Candidate>,
    unfinished: UnfinishedSet,
    changes: Vec<FailureChange>,
    total: u64,
    found: u64,
    /// Why those that are as they were run.
    reasons: Reasons,
}

impl<'a> Finder<'a> {
    fn new(history: &'a StepHistory, selection: &'a ItemSelection) -> Self {
        let all = || wanted(history, selection).flat_map(|(key, failed)| failed.map(move |failed| (key, failed)));
        Self {
            history,
            selection,
            done: DoneItems::new(&history.batches),
            keys: matches!(selection, ItemSelection::Only(_)).then(|| all().map(|(key, _)| key).collect()),
            texts: all().map(|(_, failed)| failed.text).collect(),
            indexes: all().map(|(_, failed)| failed.index).collect(),
            ran: HashSet::new(),
            equal: HashMap::new(),
            by_text: HashMap::new(),
            by_index: HashMap::new(),
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
        if let Some(failed) = self.selection.among(self.history).get(&key) {
            if self.keys.as_ref().is_some_and(|keys| !keys.contains(&key)) {
                return;
            }
            let at = failed.binary_search_by_key(&index, |failed| failed.index);
            match at.ok().filter(|_| self.selection.takes(index, key)) {
                Some(at) => {
                    self.ran.insert(index);
                    self.run(index, failed[at]);
                }
                None => self.equal.entry(key).or_default().push(index),
            }
            return;
        }
        if self.done.has(key, index) {
            return;
        }
        let (candidate, text) = (Candidate { index, key }, FailedItem::hash_of(text));
        if self.texts.contains(&text) {
            self.by_text.entry(text).or_default().push_back(candidate);
        } else if self.indexes.contains(&index) {
            self.by_index.insert(index, candidate);
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
        for (key, failed) in wanted(self.history, self.selection) {
            let mut equal = self.equal.remove(&key).unwrap_or_default().into_iter();
            for failed in failed {
                if self.ran.contains(&failed.index) {
                    continue;
                }
                match equal.next() {
                    Some(index) => self.run(index, failed),
                    None => left.push((key, failed)),
                }
            }
        }
        left.sort_by_key(|(_, failed)| failed.index);
        let (mut missing, mut changed) = (0, 0);
        for (_, failed) in left {
            let by_text = self.by_text.get_mut(&failed.text).and_then(VecDeque::pop_front);
            let by_index = || self.by_index.get(&failed.index).copied();
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
