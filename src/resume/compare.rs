//! What is left of a step: compares the items of now with those that are done.

use super::byte_share::byte_share;
use super::done::DoneItems;
use super::selection::ItemSelection;
use super::unfinished::UnfinishedItems;
use super::unfinished_set::{Portion, UnfinishedSet};
use crate::ledger::{BaselineKeys, DoneBatch, KeyRuns, LossReason, LostItems, RowChange, StepHistory};
use crate::model::ItemKey;
use crate::sources::{Source, SourceError};
use std::collections::{BTreeMap, HashMap};

/// The items of a step as they are now, compared with what earlier executions did.
pub struct Comparison {
    /// The items to run.
    pub unfinished: UnfinishedItems,
    /// The number of all items of now.
    pub total: u64,
    /// Those that do not run.
    pub counts: Counts,
    /// Keys of the items that the last successful run of the workflow did.
    pub unchanged: KeyRuns,
    /// Where done items are now, for batches whose items moved.
    pub moves: Vec<RowChange>,
    /// Failed items that the source does not have any more.
    pub gone: Vec<ItemKey>,
    /// Why items are run, and how many for each reason.
    pub reasons: BTreeMap<&'static str, u64>,
}

/// Numbers of items that do not run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Done.
    pub done: u64,
    /// Failed, and not to be run again.
    pub failed: u64,
    /// Done by the last successful run of the workflow.
    pub unchanged: u64,
    /// Bad rows that are left out.
    pub bad_rows: u64,
    /// Done once, but their results are gone, and they are not to be run again.
    pub lost: u64,
}

impl Comparison {
    /// How many of the source's bytes are behind items that do not run: each item is taken for an average one.
    pub fn bytes_done(&self, bytes: Option<u64>) -> u64 {
        byte_share(bytes.unwrap_or(0), self.settled(), self.total)
    }

    /// How many items do not run.
    fn settled(&self) -> u64 {
        self.total.saturating_sub(self.reasons.values().sum())
    }

    /// What is to be run of a source of so many bytes, and the number of all items.
    pub fn into_unfinished(self, bytes: Option<u64>) -> (UnfinishedItems, u64) {
        let (settled, total) = (self.settled(), self.total);
        (self.unfinished.sized(bytes.unwrap_or(0), total, settled), total)
    }
}

/// Reads all items, and finds those that have no result. Two items with the same content are done when two were.
///
/// # Errors
/// If the source cannot be read.
pub fn compare_with_done(
    source: &mut dyn Source,
    history: &StepHistory,
    selection: &ItemSelection,
) -> Result<Comparison, SourceError> {
    let mut comparer = Comparer::new(history, selection);
    let mut portion = Portion::new();
    // Before anything is read: what runs is read again afterwards.
    source.reread()?.required()?;
    while let Some(chunk) = source.next(portion.items())? {
        chunk.keys.iter().for_each(|key| comparer.compare(key));
        portion.learn(&chunk.items);
    }
    source.reread()?.required()?;
    Ok(comparer.finish())
}

/// Compares items, one after another.
// More than 12 fields: each is another list that keys are looked up in, or counted by.
struct Comparer<'a> {
    history: &'a StepHistory,
    selection: &'a ItemSelection,
    done: DoneItems,
    failures: HashMap<ItemKey, Vec<u32>>,
    waiting: HashMap<ItemKey, Vec<u32>>,
    lost: LostItems,
    /// Where the items of each batch stand now.
    places: Vec<Vec<Option<u64>>>,
    baseline: BaselineKeys,
    unchanged: KeyRuns,
    unfinished: UnfinishedSet,
    reasons: BTreeMap<&'static str, u64>,
    total: u64,
    counts: Counts,
}

impl<'a> Comparer<'a> {
    fn new(history: &'a StepHistory, selection: &'a ItemSelection) -> Self {
        Self {
            history,
            selection,
            done: DoneItems::new(&history.batches),
            failures: history.failed.clone(),
            waiting: history.attempts.clone(),
            lost: history.lost(),
            places: history.batches.iter().map(|batch| vec![None; batch.keys.len()]).collect(),
            unfinished: UnfinishedSet::default(),
            reasons: BTreeMap::new(),
            baseline: history.known.clone(),
            unchanged: KeyRuns::default(),
            total: 0,
            counts: Counts::default(),
        }
    }

    fn compare(&mut self, key: ItemKey) {
        let index = self.total;
        self.total += 1;
        self.unfinished.note(key);
        if let Some((batch, position)) = self.done.take(key) {
            self.places[batch][position] = Some(index);
            return;
        }
        if self.baseline.take(key) {
            self.counts.unchanged += 1;
            self.unchanged.push(key);
            return;
        }
        if self.history.left_out.contains(&key) {
            self.counts.bad_rows += 1;
            return;
        }
        let failed = self.failures.get_mut(&key).and_then(Vec::pop).is_some();
        let waited = self.waiting.get_mut(&key).and_then(Vec::pop);
        let loss = if failed || waited.is_some() { None } else { self.lost.take(index, key) };
        if !self.selection.takes(failed, index, key) {
            self.counts.lost += u64::from(loss.is_some());
            self.counts.failed += u64::from(failed);
            return;
        }
        let reason = match (failed, waited, loss) {
            (true, _, _) => "failed before",
            (false, Some(_), _) => "waiting to be tried again",
            (false, None, Some(LossReason::Result)) => "whose results are gone",
            (false, None, Some(LossReason::Key)) => "whose keys are gone",
            (false, None, None) => "not run yet",
        };
        *self.reasons.entry(reason).or_insert(0) += 1;
        self.unfinished.add(index, waited.map_or(1, |attempts| attempts.saturating_add(1)));
    }

    fn finish(mut self) -> Comparison {
        // What a batched task made of a whole batch stands only as long as the whole batch does. Where only failed items
        // are asked for, it is left as it is.
        let broken = |(batch, places): (&DoneBatch, &Vec<Option<u64>>)| batch.list && places.contains(&None);
        let broken: Vec<bool> = self.history.batches.iter().zip(&self.places).map(broken).collect();
        let all = matches!(self.selection, ItemSelection::Left);
        if all {
            for (places, _) in self.places.iter_mut().zip(&broken).filter(|(_, broken)| **broken) {
                for index in places.iter_mut().filter_map(Option::take) {
                    *self.reasons.entry("part of a batch that changed").or_insert(0) += 1;
                    self.unfinished.add(index, 1);
                }
            }
        }
        self.counts.done = self.places.iter().flatten().filter(|place| place.is_some()).count() as u64;
        let moved = |((batch, places), broken): ((&DoneBatch, Vec<Option<u64>>), bool)| {
            let stayed = batch.indexes.iter().copied().map(Some).eq(places.iter().copied());
            (!stayed && (all || !broken)).then(|| batch.moved(places))
        };
        let moves = self.history.batches.iter().zip(self.places).zip(broken).filter_map(moved).collect();
        let gone = self.failures.into_iter().flat_map(|(key, left)| left.into_iter().map(move |_| key)).collect();
        Comparison {
            unfinished: UnfinishedItems::new(self.unfinished),
            total: self.total,
            counts: self.counts,
            unchanged: self.unchanged,
            moves,
            gone,
            reasons: self.reasons,
        }
    }
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
        let error = compare_with_done(&mut Pushed, &StepHistory::default(), &ItemSelection::Left).err().unwrap();
        assert!(matches!(error, SourceError::ReadOnce), "{error}");
        assert_eq!(error.hint().as_deref(), Some("start a new run"));
    }
}
