//! What is left of a step: compares the current items with those that are done.

use super::comparison::{Comparison, Counts, Reasons, failed_before};
use super::done::{DoneItems, Found, Place};
use super::places::Places;
use super::unfinished::UnfinishedItems;
use super::unfinished_set::{Portion, UnfinishedSet};
use crate::ledger::{DoneBatch, FailedItem, FailedItems, FailureChange, LossReason, LostItems, RowChange, StepHistory};
use crate::model::{ItemKey, Status};
use crate::sources::{RowHasher, Source, SourceError};
use std::borrow::Cow;
use std::collections::HashMap;

/// What decides which items run, apart from what is done.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// `--max-items`: no item from this index on runs. What is done there stays.
    pub limit: u64,
    /// Whether results may depend on the position of an item in the list.
    pub by_index: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { limit: u64::MAX, by_index: false }
    }
}

/// Reads all items, and finds those without a result. Two items with the same content are done if two were.
///
/// # Errors
/// If the source cannot be read.
pub fn compare_with_done(
    source: &mut dyn Source,
    history: &StepHistory,
    rules: Rules,
) -> Result<Comparison, SourceError> {
    let mut comparer = Comparer::new(history, rules);
    let mut portion = Portion::new();
    // Before anything is read, because the source is read again afterwards.
    source.reread()?.required()?;
    let (mut hasher, forms) = (RowHasher::default(), source.forms());
    while let Some(chunk) = source.next(portion.items())? {
        let hashes = if history.rows.is_empty() { None } else { hasher.hashes(&chunk, &forms) };
        for (position, key) in chunk.keys.iter().enumerate() {
            comparer.compare(key, hashes.as_ref().map(|hashes| hashes[position]));
        }
        portion.learn(&chunk.items);
    }
    source.reread()?.required()?;
    Ok(comparer.finish())
}

/// The reason of an item that was not in the list, or not like this.
const NEW_OR_CHANGED: &str = "new or changed";

/// Compares items one by one.
// More than 12 fields: each is a list of keys or a count.
struct Comparer<'a> {
    history: &'a StepHistory,
    rules: Rules,
    done: DoneItems<'a>,
    failed: FailedItems,
    left_out: FailedItems,
    cancelled: FailedItems,
    waiting: HashMap<ItemKey, Vec<u32>>,
    lost: LostItems,
    /// The current indexes of the items of each batch.
    places: Vec<Places<'a>>,
    /// Items for which several equal ones were done at other indexes.
    undecided: Vec<(u64, ItemKey)>,
    /// Rows with unknown keys, and their hashes: their files are new or have changed.
    rows: Vec<(u64, ItemKey, u64)>,
    unfinished: UnfinishedSet,
    reasons: Reasons,
    total: u64,
    /// Items that a limit keeps from running.
    beyond: u64,
    counts: Counts,
    changes: Vec<FailureChange>,
}

impl<'a> Comparer<'a> {
    fn new(history: &'a StepHistory, rules: Rules) -> Self {
        Self {
            history,
            rules,
            done: DoneItems::new(&history.batches),
            failed: history.failed.clone(),
            left_out: history.left_out.clone(),
            cancelled: history.cancelled.clone(),
            waiting: history.attempts.clone(),
            lost: history.lost(),
            places: history.batches.iter().map(Places::new).collect(),
            undecided: Vec::new(),
            rows: Vec::new(),
            unfinished: UnfinishedSet::default(),
            reasons: Reasons::new(),
            total: 0,
            beyond: 0,
            counts: Counts::default(),
            changes: Vec::new(),
        }
    }

    fn compare(&mut self, key: ItemKey, hash: Option<u64>) {
        let index = self.total;
        self.total += 1;
        self.unfinished.note(key);
        match self.done.find(key, index) {
            Found::Taken(place) => self.place(place, index),
            // An equal item may have failed at this very index.
            Found::Several if !has_index(&self.failed, key, index) => self.undecided.push((index, key)),
            Found::Nothing if hash.is_some() && !self.is_known(key) => {
                self.rows.extend(hash.map(|hash| (index, key, hash)));
            }
            Found::Several | Found::Nothing => self.not_done(key, index),
        }
    }

    /// Whether anything but a result is recorded for an item.
    fn is_known(&self, key: ItemKey) -> bool {
        let known = [&self.failed, &self.left_out, &self.cancelled];
        known.into_iter().any(|items| items.contains_key(&key)) || self.waiting.contains_key(&key)
    }

    fn place(&mut self, (batch, position): Place, index: u64) {
        self.places[batch].set(position, index);
    }

    /// An item without a result.
    fn not_done(&mut self, key: ItemKey, index: u64) {
        if let Some(row) = take(&mut self.left_out, key, index) {
            self.counts.bad_rows += 1;
            self.stays(row, index);
            return;
        }
        if let Some(item) = take(&mut self.cancelled, key, index) {
            self.counts.cancelled += 1;
            self.stays(item, index);
            return;
        }
        let failed = take(&mut self.failed, key, index);
        let waited = self.waiting.get_mut(&key).and_then(Vec::pop);
        let loss = if failed.is_some() || waited.is_some() { None } else { self.lost.take(index, key) };
        if index >= self.rules.limit {
            match failed {
                Some(failed) => {
                    self.counts.failed += 1;
                    self.stays(failed, index);
                }
                None => self.beyond += 1,
            }
            return;
        }
        let reason = match (failed, waited, loss) {
            (Some(failed), _, _) => failed_before(failed.attempts),
            (None, Some(_), _) => "waiting for a retry".into(),
            (None, None, Some(LossReason::Result)) => "with lost results".into(),
            (None, None, Some(LossReason::Key)) => "with lost keys".into(),
            (None, None, None) if self.was_whole() => NEW_OR_CHANGED.into(),
            (None, None, None) => "not run yet".into(),
        };
        self.run(index, reason, waited.map_or(1, |attempts| attempts.saturating_add(1)));
    }

    /// Whether every item had an outcome last time.
    fn was_whole(&self) -> bool {
        self.history.ended.as_ref().is_some_and(|ended| {
            ended.stats.skipped == 0 && matches!(ended.status, Status::Succeeded | Status::Partial)
        })
    }

    /// A failed item that does not run.
    fn stays(&mut self, failed: FailedItem, index: u64) {
        if failed.index != index {
            self.changes.push(failed.moved(index));
        }
    }

    fn run(&mut self, index: u64, reason: Cow<'static, str>, attempt: u32) {
        *self.reasons.entry(reason).or_insert(0) += 1;
        self.unfinished.add(index, attempt);
    }

    fn finish(mut self) -> Comparison {
        for (index, key) in std::mem::take(&mut self.undecided) {
            match self.done.take_any(key) {
                Some(place) => self.place(place, index),
                None => self.not_done(key, index),
            }
        }
        self.match_rows();
        self.name_new_items();
        self.break_batches();
        let gone = [&self.failed, &self.left_out, &self.cancelled].into_iter().flat_map(|left| left.values().flatten());
        let gone: Vec<_> = gone.map(|failed| failed.gone()).collect();
        self.changes.extend(gone);
        let moves = self.history.batches.iter().zip(&self.places).filter_map(moved).collect();
        for (batch, places) in self.history.batches.iter().zip(&self.places) {
            let done = places.found();
            self.counts.done += done;
            self.counts.unchanged += if batch.carried() { done } else { 0 };
        }
        Comparison {
            unfinished: UnfinishedItems::new(self.unfinished),
            total: self.total - self.beyond,
            counts: self.counts,
            moves,
            failures: self.changes,
            reasons: self.reasons,
        }
    }

    /// An item that has changed leaves the old one behind. If all old items are there, none has changed.
    fn name_new_items(&mut self) {
        let kept = |places: &Places<'_>, batch: &DoneBatch| places.found() == batch.keys.len() as u64;
        let all_kept = self.history.batches.iter().zip(&self.places).all(|(batch, places)| kept(places, batch));
        let mut others = [&self.failed, &self.left_out, &self.cancelled].into_iter().flat_map(|left| left.values());
        if all_kept
            && others.all(Vec::is_empty)
            && let Some(count) = self.reasons.remove(NEW_OR_CHANGED)
        {
            self.reasons.insert("new".into(), count);
        }
    }

    /// Gives rows of changed files the results of equal rows whose old keys are no longer in the list.
    fn match_rows(&mut self) {
        if self.rows.is_empty() {
            return;
        }
        // Both lists are sorted and read in parallel: maps would take ten times the memory.
        let mut vanished: Vec<(u64, u32, u32)> = Vec::new();
        for (number, batch) in self.history.batches.iter().enumerate() {
            for (position, key) in
                batch.keys.iter().enumerate().filter(|(at, _)| self.places[number].get(*at).is_none())
            {
                if let (Some(hash), Ok(number), Ok(position)) =
                    (self.history.rows.get(key), u32::try_from(number), u32::try_from(position))
                {
                    vanished.push((hash, number, position));
                }
            }
        }
        vanished.sort_unstable();
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_unstable_by_key(|(index, _, hash)| (*hash, *index));
        let mut vanished = vanished.into_iter().peekable();
        for (index, key, hash) in rows {
            while vanished.next_if(|(other, ..)| *other < hash).is_some() {}
            match vanished.next_if(|(other, ..)| *other == hash) {
                Some((_, number, position)) => self.place((number as usize, position as usize), index),
                None => self.not_done(key, index),
            }
        }
    }

    /// Runs items that are done but whose results are no longer valid.
    fn break_batches(&mut self) {
        for number in 0..self.places.len() {
            let batch = &self.history.batches[number];
            // The result of a batched task is valid only as long as its whole batch exists.
            let broken = batch.list && self.places[number].found() < batch.keys.len() as u64;
            for position in 0..batch.keys.len() {
                let Some(index) = self.places[number].get(position) else { continue };
                let moved = self.rules.by_index && batch.indexes.get(position) != index;
                let spoiled =
                    !self.history.spoiled.is_empty() && self.history.spoiled.contains(&batch.keys.get(position));
                if (broken || moved || spoiled) && index < self.rules.limit {
                    self.places[number].clear(position);
                    let reason = match (broken, spoiled) {
                        (true, _) => "part of a changed batch",
                        (false, true) => "with missing or edited files",
                        (false, false) => "moved to another index",
                    };
                    self.run(index, reason.into(), 1);
                }
            }
        }
    }
}

/// The new indexes of a batch whose items have moved.
fn moved((batch, places): (&DoneBatch, &Places<'_>)) -> Option<RowChange> {
    (!places.are_unchanged()).then(|| batch.moved(places.to_vec()))
}

fn has_index(failed: &FailedItems, key: ItemKey, index: u64) -> bool {
    failed.get(&key).is_some_and(|equal| equal.iter().any(|failed| failed.index == index))
}

/// Removes the failed item with this key: the one at this index, if there is one.
fn take(failed: &mut FailedItems, key: ItemKey, index: u64) -> Option<FailedItem> {
    let equal = failed.get_mut(&key)?;
    // They are in the order of their indexes.
    let at = equal.binary_search_by_key(&index, |failed| failed.index).unwrap_or(0);
    (!equal.is_empty()).then(|| equal.remove(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{Chunk, Reread};

    /// A source that can be read only once, such as one that is pushed over a socket.
    struct Pushed;

    impl Source for Pushed {
        fn total(&self) -> Option<u64> {
            None
        }

        fn next(&mut self, _: usize) -> Result<Option<Chunk>, SourceError> {
            panic!("it must not be read: its items could not be run afterwards");
        }

        fn reread(&mut self) -> Result<Reread, SourceError> {
            Ok(Reread::Once)
        }
    }

    #[test]
    fn a_source_that_can_be_read_once_is_refused_before_it_is_read() {
        let error = compare_with_done(&mut Pushed, &StepHistory::default(), Rules::default()).err().unwrap();
        assert!(matches!(error, SourceError::ReadOnce), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.starts_with("start a new run")));
    }
}
