//! What is known of a step while it runs.

use super::pace::{Eta, Pace};
use crate::model::{BatchReport, Event, Indexes, Stats, StepLoad, StepName};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// What the progress of a step is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Measure {
    /// Items, of this number.
    Items(u64),
    /// Bytes of files of rows; the number of rows is not known.
    Bytes(u64),
    /// Items, of a number that is not known.
    Counter,
}

/// An item that has been running for long.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SlowItem {
    /// Its index.
    pub(super) index: u64,
    /// The item as text, if it is known.
    pub(super) item: Option<String>,
    began: Duration,
}

/// A step that runs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StepProgress {
    /// Its name.
    pub(super) name: StepName,
    /// What its progress is measured in.
    pub(super) measure: Measure,
    /// How far it is; it never goes back.
    pub(super) position: u64,
    /// Its counts.
    pub(super) stats: Stats,
    /// How many slots work on it.
    pub(super) slots: usize,
    /// What it is busy with, if that is known.
    pub(super) load: Option<StepLoad>,
    pace: Pace,
    /// The size of its files and how fast they are done, if its items are counted and their sizes are known.
    sizes: Option<(u64, Pace)>,
    slow: Vec<SlowItem>,
    /// By the clock of this process; another one that reads it knows the time from elsewhere.
    #[serde(skip, default = "Instant::now")]
    started: Instant,
}

impl StepProgress {
    /// A step that starts now, if this is the event that says so.
    pub(super) fn started(event: &Event) -> Option<Self> {
        let Event::StepStarted { name, total, done, bytes, bytes_done, slots } = event else { return None };
        let (measure, position) = match (total, bytes) {
            (Some(total), _) => (Measure::Items(*total), *done),
            (None, Some(bytes)) => (Measure::Bytes(*bytes), *bytes_done),
            (None, None) => (Measure::Counter, *done),
        };
        Some(Self {
            name: name.clone(),
            measure,
            position,
            stats: Stats { succeeded: *done, kept: *done, bytes_done: *bytes_done, ..Stats::default() },
            slots: *slots,
            load: None,
            pace: Pace::from(position),
            sizes: total.and(*bytes).filter(|bytes| *bytes > 0).map(|bytes| (bytes, Pace::from(*bytes_done))),
            slow: Vec::new(),
            started: Instant::now(),
        })
    }

    /// How long it has been running.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Follows what happens to the step. `now` is since its start.
    pub(super) fn follow(&mut self, event: &Event, now: Duration) {
        match event {
            Event::BatchFinished { report, stats, .. } => {
                self.count(*stats);
                if !self.slow.is_empty() {
                    self.slow.retain(|item| !is_in(report, item.index));
                }
            }
            Event::StepLoad { load, .. } => {
                self.load = Some(*load);
                self.slots = load.width;
            }
            Event::ItemSlow { index, item, running, .. } => {
                self.slow.retain(|item| item.index != *index);
                let began = now.saturating_sub(*running);
                self.slow.push(SlowItem { index: *index, item: item.clone(), began });
            }
            _ => {}
        }
        self.note(now);
    }

    /// Its counts are these now.
    pub(super) fn count(&mut self, stats: Stats) {
        self.stats = stats;
        let position = match self.measure {
            Measure::Items(total) => stats.settled().min(total),
            Measure::Bytes(all) => stats.bytes_done.min(all),
            Measure::Counter => stats.settled(),
        };
        self.position = self.position.max(position);
    }

    /// Time passes.
    pub(super) fn note(&mut self, now: Duration) {
        self.pace.note(now, self.position);
        if let Some((_, pace)) = &mut self.sizes {
            pace.note(now, self.stats.bytes_done);
        }
    }

    /// The slowest item that runs, and for how long it has been running.
    pub(super) fn slowest(&self, now: Duration) -> Option<(&SlowItem, Duration)> {
        let slowest = self.slow.iter().min_by_key(|item| item.began)?;
        Some((slowest, now.saturating_sub(slowest.began)))
    }

    /// The percentage of what is done, rounded down; nothing if that is not known.
    pub(super) fn percent(&self) -> Option<u64> {
        let all = self.all()?;
        Some(if all == 0 { 100 } else { (u128::from(self.position) * 100 / u128::from(all)) as u64 })
    }

    fn all(&self) -> Option<u64> {
        match self.measure {
            Measure::Items(all) | Measure::Bytes(all) => Some(all),
            Measure::Counter => None,
        }
    }

    /// Items per second: lately, or since the start if bytes are measured.
    pub(super) fn items_per_second(&self) -> Option<f64> {
        match self.measure {
            Measure::Bytes(_) => Some(self.stats.items_per_second()).filter(|rate| *rate > 0.0),
            Measure::Items(_) | Measure::Counter => self.pace.per_second(),
        }
    }

    /// How long it will take from now: by what goes at a steadier rate, the items or their bytes.
    pub(super) fn eta(&self) -> Option<Eta> {
        let left = self.all()?.saturating_sub(self.position);
        match &self.sizes {
            Some((bytes, pace)) if pace.is_steadier_than(&self.pace) && left > 0 => {
                pace.eta(bytes.saturating_sub(self.stats.bytes_done))
            }
            _ => self.pace.eta(left),
        }
    }
}

/// Whether the batch is over for this item, or will be tried again.
fn is_in(report: &BatchReport, index: u64) -> bool {
    let holds = |indexes: &Indexes| indexes.position(index).is_some();
    holds(&report.succeeded)
        || report.failed.iter().any(|failed| failed.index == index)
        || report.retries.iter().any(|(batch, _, _)| holds(&batch.indexes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The estimate of a step after items of these sizes, one per second. There are as many bytes again in 10 more items.
    fn estimate(sizes: &[u64]) -> String {
        let name = StepName::new("load").unwrap();
        let (total, bytes) = (sizes.len() as u64 + 10, 2 * sizes.iter().sum::<u64>());
        let event =
            Event::StepStarted { name, total: Some(total), done: 0, bytes: Some(bytes), bytes_done: 0, slots: 1 };
        let mut step = StepProgress::started(&event).unwrap();
        for (second, size) in (1..).zip(sizes) {
            step.position += 1;
            step.stats.bytes_done += size;
            step.note(Duration::from_secs(second));
        }
        step.eta().map_or("none".to_owned(), Eta::text)
    }

    #[test]
    fn an_estimate_is_made_of_items_or_of_their_sizes_whichever_is_steadier() {
        assert_eq!(estimate(&[100; 30]), "eta 10s", "as many items in each second");
        assert_eq!(estimate(&[900, 10, 800, 20, 950, 5, 870, 30]), "eta 10s", "their sizes do not matter");
    }

    #[test]
    fn where_time_goes_by_size_the_size_of_what_is_left_counts() {
        let name = StepName::new("load").unwrap();
        let event = Event::StepStarted { name, total: Some(40), done: 0, bytes: Some(4000), bytes_done: 0, slots: 1 };
        let mut step = StepProgress::started(&event).unwrap();
        // 100 bytes in each second, whether that is one item or ten.
        for (second, items) in (1..=20).zip([1, 1, 4, 1].into_iter().cycle()) {
            step.position = (step.position + items).min(38);
            step.stats.bytes_done += 100;
            step.note(Duration::from_secs(second));
        }
        assert_eq!(step.eta().map(Eta::text), Some("eta 20s".to_owned()));
    }
}
