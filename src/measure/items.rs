//! How long items took: their distribution, the slowest and the largest.

use crate::model::ItemTime;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many of the slowest and of the largest items are kept.
const NOTED: usize = 20;

/// The histogram keeps two significant digits: a time is off by 1% at most.
const DIGITS: u8 = 2;

/// What the time of an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemUnit {
    /// Each item is run by itself.
    #[default]
    Item,
    /// The task takes a whole batch: each item has the mean of its batch.
    Batch,
}

/// An item that stands out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotedItem {
    /// Its index in the source; of a batch, that of its first item.
    pub index: u64,
    /// The attempt, from 1.
    pub attempt: u32,
    /// How many items it stands for: more than one if the task takes whole batches.
    pub items: u64,
    /// What it is noted for: nanoseconds or bytes.
    pub measure: u64,
    /// The beginning of its input, as JSON text.
    pub input: String,
}

/// What an item must exceed to be noted. Slots ask it before they copy an item; the aggregator raises it.
#[derive(Debug, Default)]
pub struct Threshold(AtomicU64);

impl Threshold {
    /// Whether an item with this measure would be noted.
    pub fn admits(&self, measure: u64) -> bool {
        measure > self.0.load(Ordering::Relaxed)
    }
}

/// The times of items, summed up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct ItemStats {
    /// What the time of an item is.
    pub unit: ItemUnit,
    histogram: Histogram<u64>,
    grouped: u64,
    sum: u128,
    slowest: Vec<NotedItem>,
    largest: Vec<NotedItem>,
}

impl Default for ItemStats {
    fn default() -> Self {
        let histogram = Histogram::new(DIGITS).expect("two digits are allowed");
        Self { unit: ItemUnit::Item, histogram, grouped: 0, sum: 0, slowest: Vec::new(), largest: Vec::new() }
    }
}

impl ItemStats {
    /// Counts items that were timed together.
    pub fn take(&mut self, time: ItemTime) {
        if time.count == 0 {
            return;
        }
        let count = u64::from(time.count);
        self.sum += u128::from(time.nanoseconds);
        if count > 1 {
            self.grouped += count;
        }
        // Fails only if it cannot grow, which it can.
        let _ = self.histogram.record_n(time.nanoseconds / count, count);
    }

    /// Notes an item if it is one of the slowest so far.
    pub fn note_slow(&mut self, item: NotedItem, threshold: &Threshold) {
        note(&mut self.slowest, item, threshold);
    }

    /// Notes an item if it is one of the largest so far.
    pub fn note_large(&mut self, item: NotedItem, threshold: &Threshold) {
        note(&mut self.largest, item, threshold);
    }

    /// The slowest items, the slowest first.
    pub fn slowest(&self) -> &[NotedItem] {
        &self.slowest
    }

    /// The largest items, the largest first.
    pub fn largest(&self) -> &[NotedItem] {
        &self.largest
    }

    /// How many times were counted: one for each attempt of each item.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// How many of them are means of items that were timed together, because they were too quick or ran as one batch.
    pub fn grouped(&self) -> u64 {
        self.grouped
    }

    /// The sum of all times, in nanoseconds.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The time that this share of the items did not exceed, in nanoseconds.
    pub fn quantile(&self, share: f64) -> u64 {
        self.histogram.value_at_quantile(share)
    }

    /// The times that occurred, in nanoseconds and rising, and how many items took each.
    pub fn times(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value()))
    }

    /// Adds the times of another execution.
    pub fn add(&mut self, other: &Self) {
        let _ = self.histogram.add(&other.histogram);
        self.unit = other.unit;
        self.grouped += other.grouped;
        self.sum += other.sum;
        let any = Threshold::default();
        other.slowest.iter().for_each(|item| note(&mut self.slowest, item.clone(), &any));
        other.largest.iter().for_each(|item| note(&mut self.largest, item.clone(), &any));
    }
}

fn note(noted: &mut Vec<NotedItem>, item: NotedItem, threshold: &Threshold) {
    let at = noted.partition_point(|other| other.measure >= item.measure);
    noted.insert(at, item);
    noted.truncate(NOTED);
    if let Some(least) = noted.get(NOTED - 1) {
        threshold.0.store(least.measure, Ordering::Relaxed);
    }
}

/// How the times are stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    unit: ItemUnit,
    times: Vec<(u64, u64)>,
    grouped: u64,
    /// As text, because it may exceed 64 bits.
    sum: String,
    slowest: Vec<NotedItem>,
    largest: Vec<NotedItem>,
}

impl From<ItemStats> for Stored {
    fn from(stats: ItemStats) -> Self {
        let times = stats.times().collect();
        let ItemStats { unit, grouped, sum, slowest, largest, .. } = stats;
        Self { unit, times, grouped, sum: sum.to_string(), slowest, largest }
    }
}

impl From<Stored> for ItemStats {
    fn from(stored: Stored) -> Self {
        let Stored { unit, times, grouped, sum, slowest, largest } = stored;
        let mut stats = Self { unit, grouped, sum: sum.parse().unwrap_or(0), slowest, largest, ..Self::default() };
        for (value, count) in times {
            let _ = stats.histogram.record_n(value, count);
        }
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(count: u32, nanoseconds: u64) -> ItemTime {
        ItemTime { first: 0, count, nanoseconds }
    }

    #[test]
    fn items_that_were_timed_together_count_with_their_mean() {
        let mut stats = ItemStats::default();
        stats.take(time(1, 1_000_000));
        stats.take(time(99, 99_000));
        assert_eq!((stats.count(), stats.grouped(), stats.sum()), (100, 99, 1_099_000));
        assert!((1000..=1010).contains(&stats.quantile(0.5)), "{}", stats.quantile(0.5));
        assert!((1_000_000..=1_010_000).contains(&stats.quantile(1.0)));
    }

    #[test]
    fn what_is_stored_comes_back() {
        let mut stats = ItemStats { unit: ItemUnit::Batch, ..ItemStats::default() };
        for nanoseconds in (0..100).map(|at| 1_u64 << (at % 40)) {
            stats.take(time(3, nanoseconds));
            let noted = NotedItem { index: 1, attempt: 1, items: 3, measure: nanoseconds, input: "[1]".to_owned() };
            stats.note_slow(noted, &Threshold::default());
        }
        let stored = serde_json::to_string(&stats).unwrap();
        let back: ItemStats = serde_json::from_str(&stored).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), stored);
        assert_eq!((back.count(), back.sum()), (stats.count(), stats.sum()));
    }

    #[test]
    fn only_the_items_that_stand_out_are_noted() {
        let (mut stats, threshold) = (ItemStats::default(), Threshold::default());
        for measure in (0..1000).map(|at| at * 7919 % 1000) {
            if threshold.admits(measure) {
                let item = NotedItem { index: measure, attempt: 1, items: 1, measure, input: String::new() };
                stats.note_slow(item, &threshold);
            }
        }
        let noted: Vec<u64> = stats.slowest().iter().map(|item| item.measure).collect();
        assert_eq!(noted, (980..1000).rev().collect::<Vec<_>>());
    }
}
