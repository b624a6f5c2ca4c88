//! What a listener keeps of a run for the summary at its end.

use super::failures::FirstFailures;
use crate::causes::FailureGroups;
use crate::model::{Event, StepName};
use crate::text::Printable;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How many samples, a second each, tell how busy a step was.
const FEWEST_SAMPLES: u32 = 2;

/// What the summary tells besides the counts of steps.
#[derive(Debug, Default)]
pub struct Highlights {
    /// The failures by cause.
    pub failures: FailureGroups,
    /// How long this execution of the run took.
    pub took: Duration,
    slots: HashMap<StepName, SlotUse>,
}

/// How busy the slots of a step were.
#[derive(Debug, Default, Clone, Copy)]
struct SlotUse {
    slots: usize,
    busy: f64,
    samples: u32,
}

impl Highlights {
    /// What the ledger tells of a run that is over.
    pub fn of(failures: FailureGroups, took: Duration) -> Self {
        Self { failures, took, slots: HashMap::new() }
    }

    /// Adds how busy the slots of a step were: so many of them, on average over so many seconds.
    pub fn add_busy(&mut self, step: StepName, (slots, busy): (usize, f64), seconds: u32) {
        self.slots.insert(step, SlotUse { slots, busy: busy * f64::from(seconds), samples: seconds });
    }

    /// How busy the slots of a step were, from 0 to 1; nothing if it was over too soon to tell.
    pub fn busy(&self, step: &StepName) -> Option<f64> {
        let SlotUse { slots, busy, samples } = *self.slots.get(step)?;
        (samples >= FEWEST_SAMPLES && slots > 0).then(|| (busy / f64::from(samples) / slots as f64).min(1.0))
    }

    /// Keeps what an event tells. Failures are added where they are shown.
    pub(super) fn keep(&mut self, event: &Event) {
        match event {
            Event::StepStarted { name, slots, .. } => {
                self.slots.insert(name.clone(), SlotUse { slots: *slots, ..SlotUse::default() });
            }
            Event::StepLoad { name, load } => {
                let used = self.slots.entry(name.clone()).or_default();
                // The width of a step may change: each sample counts as a share of that of its time.
                used.busy += load.busy_slots * used.slots.max(1) as f64 / load.width.max(1) as f64;
                used.samples += 1;
            }
            _ => {}
        }
    }
}

/// Where a listener leaves the highlights when the run ends.
pub type LeftHighlights = Arc<OnceLock<Highlights>>;

/// Collects highlights, and leaves them at the end of the run.
pub(super) struct Collector {
    highlights: Highlights,
    /// The failures of the running step that are shown as they happen.
    first: FirstFailures,
    started: Instant,
    left: LeftHighlights,
}

impl Collector {
    pub(super) fn new(left: LeftHighlights) -> Self {
        Self { highlights: Highlights::default(), first: FirstFailures::default(), started: Instant::now(), left }
    }

    /// Follows the run. Returns lines about failures to show now.
    pub(super) fn follow(&mut self, event: &Event) -> Vec<Printable> {
        self.highlights.keep(event);
        match event {
            Event::StepStarted { .. } => self.first = FirstFailures::default(),
            Event::BatchFinished { name, report, .. } if !report.failed.is_empty() => {
                return self.first.show(name, &report.failed, &mut self.highlights.failures);
            }
            Event::RunFinished(_) => {
                self.highlights.took = self.started.elapsed();
                // A run ends once.
                drop(self.left.set(std::mem::take(&mut self.highlights)));
            }
            _ => {}
        }
        Vec::new()
    }
}
