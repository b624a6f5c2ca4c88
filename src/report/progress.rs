//! What is known of a step while it runs.

use super::pace::{Eta, Pace};
use crate::model::{BatchReport, Event, Indexes, Stats, StepLoad, StepName};
use std::time::{Duration, Instant};

/// What the progress of a step is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Items, of this number.
    Items(u64),
    /// Bytes of files of rows; the number of rows is not known.
    Bytes(u64),
    /// Items, of a number that is not known.
    Counter,
}

/// An item that has been running for long.
#[derive(Debug, Clone)]
pub(super) struct SlowItem {
    /// Its index.
    pub(super) index: u64,
    /// The item as text, if it is known.
    pub(super) item: Option<String>,
    began: Duration,
}

/// A step that runs.
#[derive(Debug)]
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
    slow: Vec<SlowItem>,
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
                self.stats = *stats;
                let position = match self.measure {
                    Measure::Items(total) => (stats.succeeded + stats.failed).min(total),
                    Measure::Bytes(all) => stats.bytes_done.min(all),
                    Measure::Counter => stats.succeeded + stats.failed,
                };
                self.position = self.position.max(position);
                if !self.slow.is_empty() {
                    self.slow.retain(|item| !is_in(report, item.index));
                }
            }
            Event::StepLoad { load, .. } => self.load = Some(*load),
            Event::ItemSlow { index, item, running, .. } => {
                self.slow.retain(|item| item.index != *index);
                let began = now.saturating_sub(*running);
                self.slow.push(SlowItem { index: *index, item: item.clone(), began });
            }
            _ => {}
        }
        self.note(now);
    }

    /// Time passes.
    pub(super) fn note(&mut self, now: Duration) {
        self.pace.note(now, self.position);
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

    /// How long it will take from now.
    pub(super) fn eta(&self) -> Option<Eta> {
        self.pace.eta(self.all()?.saturating_sub(self.position))
    }
}

/// Whether the batch is over for this item, or will be tried again.
fn is_in(report: &BatchReport, index: u64) -> bool {
    let holds = |indexes: &Indexes| indexes.position(index).is_some();
    holds(&report.succeeded)
        || report.failed.iter().any(|failed| failed.index == index)
        || report.retries.iter().any(|(batch, _, _)| holds(&batch.indexes))
}
