//! What is left of a step: compares the items of now with those that are done.

use crate::ledger::{Loss, Past, PastBatch, RowChange};
use crate::model::{Batch, Indexes, ItemKey, Items};
use crate::plan::{Source, SourceError};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Which items an execution of a run is about.
#[derive(Debug, Clone, Default)]
pub enum Which {
    /// All that have no result yet.
    #[default]
    Left,
    /// Those that failed.
    Failed,
    /// Those that failed and are named: by index, or by the beginning of their key.
    Only(Vec<String>),
}

impl Which {
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

/// An item to run.
struct Pending {
    index: u64,
    key: ItemKey,
    attempt: u32,
    item: Vec<u8>,
}

/// The items to run, in order.
pub(super) struct Remaining(VecDeque<Pending>);

impl Remaining {
    /// Cuts the next batch: neighbours in this list that have had the same number of attempts.
    pub(super) fn cut(&mut self, most: usize, number: u64) -> Option<Batch> {
        let attempt = self.0.front()?.attempt;
        let (mut items, mut indexes, mut keys) = (Items::default(), Vec::new(), Vec::new());
        while indexes.len() < most && !items.is_full() && self.0.front().is_some_and(|next| next.attempt == attempt) {
            let Some(next) = self.0.pop_front() else { break };
            items.push(&next.item);
            indexes.push(next.index);
            keys.push(next.key);
        }
        Some(Batch { number, attempt, indexes: Indexes::from_rising(indexes), items, keys })
    }
}

/// A step's items, sorted out.
pub(super) struct SortedOut {
    /// What is to be run.
    pub(super) remaining: Remaining,
    /// All items of now.
    pub(super) total: u64,
    /// Those that are done.
    pub(super) done: u64,
    /// Those that failed and are left at that.
    pub(super) failed: u64,
    /// Those whose results are gone, and that are left at that.
    pub(super) lost: u64,
    /// Where done items stand now, for batches of which that changed.
    pub(super) changes: Vec<RowChange>,
    /// Failed items that are not there any more.
    pub(super) gone: Vec<ItemKey>,
    /// Why items are to be run, and how many for each reason.
    pub(super) reasons: BTreeMap<&'static str, u64>,
}

/// Reads all items, and finds those that have no result. Two items with the same content are done when two were.
pub(super) fn sort_out(
    source: &mut dyn Source,
    past: &Past,
    most_items: u64,
    which: &Which,
) -> Result<SortedOut, SourceError> {
    let mut done: HashMap<ItemKey, VecDeque<(usize, usize)>> = HashMap::new();
    for (number, batch) in past.batches.iter().enumerate() {
        for (position, key) in batch.keys.iter().enumerate() {
            done.entry(*key).or_default().push_back((number, position));
        }
    }
    let (mut failures, mut waiting, mut lost) = (past.failed.clone(), past.attempts.clone(), past.lost.clone());
    let mut places: Vec<Vec<Option<u64>>> = past.batches.iter().map(|batch| vec![None; batch.keys.len()]).collect();
    let mut held: Vec<(usize, Pending)> = Vec::new();
    let mut pending = Vec::new();
    let mut reasons = BTreeMap::new();
    let (mut total, mut still_failed, mut still_lost) = (0, 0, 0);
    while total < most_items {
        let mut items = Items::default();
        source.fill(&mut items, usize::try_from(most_items - total).unwrap_or(usize::MAX).min(1024))?;
        if items.is_empty() {
            break;
        }
        for item in items.iter() {
            let (index, key) = (total, source.key(item));
            total += 1;
            if let Some((batch, position)) = done.get_mut(&key).and_then(VecDeque::pop_front) {
                places[batch][position] = Some(index);
                if past.batches[batch].list {
                    held.push((batch, Pending { index, key, attempt: 1, item: item.to_vec() }));
                }
                continue;
            }
            let failed = failures.get_mut(&key).and_then(Vec::pop).is_some();
            let waited = waiting.get_mut(&key).and_then(Vec::pop);
            let loss = if failed || waited.is_some() { None } else { lost.take(index, key) };
            still_lost += u64::from(loss.is_some() && !which.takes(failed, index, key));
            still_failed += u64::from(failed && !which.takes(failed, index, key));
            if which.takes(failed, index, key) {
                let reason = match (failed, waited, loss) {
                    (true, _, _) => "failed before",
                    (false, Some(_), _) => "waiting to be tried again",
                    (false, None, Some(Loss::Result)) => "whose results are gone",
                    (false, None, Some(Loss::Key)) => "whose keys are gone",
                    (false, None, None) => "not run yet",
                };
                *reasons.entry(reason).or_insert(0) += 1;
                pending.push(Pending {
                    index,
                    key,
                    attempt: waited.map_or(1, |attempts| attempts.saturating_add(1)),
                    item: item.to_vec(),
                });
            }
        }
    }
    // What a batched task made of a whole batch stands only as long as the whole batch does. Where only failed items are
    // asked for, it is left as it is.
    let broken: Vec<bool> =
        (0..places.len()).map(|batch| past.batches[batch].list && places[batch].contains(&None)).collect();
    if matches!(which, Which::Left) {
        for (batch, item) in held {
            if broken[batch] {
                *reasons.entry("part of a batch that changed").or_insert(0) += 1;
                pending.push(item);
            }
        }
        for batch in (0..places.len()).filter(|batch| broken[*batch]) {
            places[batch].fill(None);
        }
    }
    pending.sort_by_key(|item| item.index);
    let done = places.iter().flatten().filter(|place| place.is_some()).count() as u64;
    let moved = |((batch, places), broken): ((&PastBatch, Vec<Option<u64>>), bool)| {
        let left_alone = broken && !matches!(which, Which::Left);
        let stayed = batch.indexes.iter().copied().map(Some).eq(places.iter().copied());
        (!stayed && !left_alone).then(|| batch.moved(places))
    };
    let changes = past.batches.iter().zip(places).zip(broken).filter_map(moved).collect();
    let gone = failures.into_iter().flat_map(|(key, left)| left.into_iter().map(move |_| key)).collect();
    let (remaining, failed, lost) = (Remaining(pending.into()), still_failed, still_lost);
    Ok(SortedOut { remaining, total, done, failed, lost, changes, gone, reasons })
}
