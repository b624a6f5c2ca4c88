//! What is left of a step: compares the items of now with those that are done.

use super::remaining::{Portion, UnfinishedItems, UnfinishedSet};
use crate::ledger::{BaselineKeys, DoneBatch, KeyRuns, LossReason, LostItems, RowChange, StepHistory};
use crate::model::{ItemKey, Keys};
use crate::sources::{Source, SourceError};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// ItemSelection items an execution of a run is about.
#[derive(Debug, Clone, Default)]
pub enum ItemSelection {
    /// All that have no result yet.
    #[default]
    Left,
    /// Those that failed.
    Failed,
    /// Those that failed and are named: by index, or by the beginning of their key.
    Only(Vec<String>),
}

impl ItemSelection {
    fn takes(&self, failed: bool, index: u64, key: ItemKey) -> bool {
        match self {
            Self::Left => true,
            Self::Failed => failed,
            Self::Only(names) => {
                let named =
                    |name: &String| name.parse() == Ok(index) || name.len() >= 4 && key.to_string().starts_with(name);
                failed && names.iter().any(named)
            }
        }
    }
}

/// A step's items, sorted out.
pub(super) struct SortedOut {
    /// What is to be run.
    pub(super) remaining: UnfinishedItems,
    /// All items of now.
    pub(super) total: u64,
    /// Those that are done.
    pub(super) done: u64,
    /// Those that failed and are left at that.
    pub(super) failed: u64,
    /// Those that the last good run of the workflow has done.
    pub(super) unchanged: u64,
    /// What they are known by.
    pub(super) known: KeyRuns,
    /// Bad rows that are left out.
    pub(super) bad_rows: u64,
    /// Those whose results are gone, and that are left at that.
    pub(super) lost: u64,
    /// Where done items stand now, for batches of which that changed.
    pub(super) changes: Vec<RowChange>,
    /// Failed items that are not there any more.
    pub(super) gone: Vec<ItemKey>,
    /// Why items are to be run, and how many for each reason.
    pub(super) reasons: BTreeMap<&'static str, u64>,
}

impl SortedOut {
    /// How many of the source's bytes are behind items that do not run: each item is taken for an average one.
    pub(super) fn bytes_done(&self, bytes: Option<u64>) -> u64 {
        share(bytes.unwrap_or(0), self.settled(), self.total)
    }

    /// How many items do not run.
    fn settled(&self) -> u64 {
        self.total.saturating_sub(self.reasons.values().sum())
    }

    /// What is to be run of a source of so many bytes, and the number of all items.
    pub(super) fn into_rest(self, bytes: Option<u64>) -> (UnfinishedItems, u64) {
        let (settled, total) = (self.settled(), self.total);
        (self.remaining.sized(bytes.unwrap_or(0), total, settled), total)
    }
}

/// The share that `part` of the `whole` has in so many bytes.
pub(super) fn share(bytes: u64, part: u64, whole: u64) -> u64 {
    let share = u128::from(bytes) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(share).expect("a part is not more than the whole")
}

/// Reads all items, and finds those that have no result. Two items with the same content are done when two were.
pub(super) fn sort_out(
    source: &mut dyn Source,
    past: &StepHistory,
    most_items: u64,
    which: &ItemSelection,
) -> Result<SortedOut, SourceError> {
    // Before anything is read: what runs is read again afterwards.
    source.reread()?.required()?;
    let mut sorter = Sorter::new(past, which);
    let mut portion = Portion::new();
    while sorter.total < most_items {
        let most = usize::try_from(most_items - sorter.total).unwrap_or(usize::MAX).min(portion.items());
        let Some(chunk) = source.next(most)? else { break };
        chunk.keys.iter().for_each(|key| sorter.sort(key));
        portion.learn(&chunk.items);
    }
    source.reread()?.required()?;
    Ok(sorter.finish())
}

/// The items that are done, to be struck out one by one.
struct Done {
    listed: HashMap<ItemKey, VecDeque<(usize, usize)>>,
    /// Batches whose keys follow each other, by the first: the batch and how many.
    runs: BTreeMap<ItemKey, (usize, usize)>,
}

impl Done {
    fn new(batches: &[DoneBatch]) -> Self {
        let mut done = Self { listed: HashMap::new(), runs: BTreeMap::new() };
        for (number, batch) in batches.iter().enumerate() {
            match &batch.keys {
                Keys::Run(first, count) => drop(done.runs.insert(*first, (number, *count))),
                Keys::List(keys) => keys.iter().enumerate().for_each(|(position, key)| {
                    done.listed.entry(*key).or_default().push_back((number, position));
                }),
            }
        }
        done
    }

    /// The batch, and the position in it, of a done item with this key.
    fn take(&mut self, key: ItemKey) -> Option<(usize, usize)> {
        if let Some((first, (batch, count))) = self.runs.range(..=key).next_back()
            && let Some(position) = key.within(*first, *count)
        {
            return Some((*batch, position));
        }
        self.listed.get_mut(&key).and_then(VecDeque::pop_front)
    }
}

/// Sorts items out, one after another.
struct Sorter<'a> {
    past: &'a StepHistory,
    which: &'a ItemSelection,
    done: Done,
    failures: HashMap<ItemKey, Vec<u32>>,
    waiting: HashMap<ItemKey, Vec<u32>>,
    lost: LostItems,
    /// Where the items of each batch stand now.
    places: Vec<Vec<Option<u64>>>,
    todo: UnfinishedSet,
    reasons: BTreeMap<&'static str, u64>,
    total: u64,
    still_failed: u64,
    still_lost: u64,
    bad_rows: u64,
    known: BaselineKeys,
    unchanged: u64,
    passed_over: KeyRuns,
}

impl<'a> Sorter<'a> {
    fn new(past: &'a StepHistory, which: &'a ItemSelection) -> Self {
        Self {
            past,
            which,
            done: Done::new(&past.batches),
            failures: past.failed.clone(),
            waiting: past.attempts.clone(),
            lost: past.lost.clone(),
            places: past.batches.iter().map(|batch| vec![None; batch.keys.len()]).collect(),
            todo: UnfinishedSet::default(),
            reasons: BTreeMap::new(),
            total: 0,
            still_failed: 0,
            still_lost: 0,
            bad_rows: 0,
            known: past.known.clone(),
            unchanged: 0,
            passed_over: KeyRuns::default(),
        }
    }

    fn sort(&mut self, key: ItemKey) {
        let index = self.total;
        self.total += 1;
        self.todo.note(key);
        if let Some((batch, position)) = self.done.take(key) {
            self.places[batch][position] = Some(index);
            return;
        }
        if self.known.take(key) {
            self.unchanged += 1;
            self.passed_over.push(key);
            return;
        }
        if self.past.left_out.contains(&key) {
            self.bad_rows += 1;
            return;
        }
        let failed = self.failures.get_mut(&key).and_then(Vec::pop).is_some();
        let waited = self.waiting.get_mut(&key).and_then(Vec::pop);
        let loss = if failed || waited.is_some() { None } else { self.lost.take(index, key) };
        if !self.which.takes(failed, index, key) {
            self.still_lost += u64::from(loss.is_some());
            self.still_failed += u64::from(failed);
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
        self.todo.add(index, waited.map_or(1, |attempts| attempts.saturating_add(1)));
    }

    fn finish(mut self) -> SortedOut {
        // What a batched task made of a whole batch stands only as long as the whole batch does. Where only failed items
        // are asked for, it is left as it is.
        let broken = |(batch, places): (&DoneBatch, &Vec<Option<u64>>)| batch.list && places.contains(&None);
        let broken: Vec<bool> = self.past.batches.iter().zip(&self.places).map(broken).collect();
        let all = matches!(self.which, ItemSelection::Left);
        if all {
            for (places, _) in self.places.iter_mut().zip(&broken).filter(|(_, broken)| **broken) {
                for index in places.iter_mut().filter_map(Option::take) {
                    *self.reasons.entry("part of a batch that changed").or_insert(0) += 1;
                    self.todo.add(index, 1);
                }
            }
        }
        let done = self.places.iter().flatten().filter(|place| place.is_some()).count() as u64;
        let moved = |((batch, places), broken): ((&DoneBatch, Vec<Option<u64>>), bool)| {
            let stayed = batch.indexes.iter().copied().map(Some).eq(places.iter().copied());
            (!stayed && (all || !broken)).then(|| batch.moved(places))
        };
        let changes = self.past.batches.iter().zip(self.places).zip(broken).filter_map(moved).collect();
        let gone = self.failures.into_iter().flat_map(|(key, left)| left.into_iter().map(move |_| key)).collect();
        SortedOut {
            remaining: UnfinishedItems::new(self.todo),
            total: self.total,
            done,
            failed: self.still_failed,
            lost: self.still_lost,
            unchanged: self.unchanged,
            known: self.passed_over,
            bad_rows: self.bad_rows,
            changes,
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
        let error = sort_out(&mut Pushed, &StepHistory::default(), u64::MAX, &ItemSelection::Left).err().unwrap();
        assert!(matches!(error, SourceError::ReadOnce), "{error}");
        assert_eq!(error.hint().as_deref(), Some("start a new run"));
    }
}
