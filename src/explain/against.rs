//! A run compared with an earlier one of the same workflow.

use super::figures::Figures;
use super::step::StepFigures;
use serde::Serialize;
use std::collections::HashSet;

/// What differs from an earlier run.
#[derive(Debug, Clone, Serialize)]
pub struct Against {
    /// The earlier run.
    pub run: String,
    /// When it started.
    pub started: String,
    /// The steps that both runs have.
    pub steps: Vec<StepDifference>,
}

/// A step in both runs.
#[derive(Debug, Clone, Serialize)]
pub struct StepDifference {
    /// Its name.
    pub name: String,
    /// Items that were done: before, now.
    pub items: [u64; 2],
    /// Items that failed: before, now.
    pub failed: [u64; 2],
    /// How long it ran, in seconds: before, now.
    pub seconds: [f64; 2],
    /// Items per second: before, now.
    pub items_per_second: [f64; 2],
    /// The median time of an item, in seconds: before, now.
    pub p50: [Option<f64>; 2],
    /// The time within which 99% of the items ended, in seconds: before, now.
    pub p99: [Option<f64>; 2],
    /// Indexes of items that failed now and not before, told by their keys.
    pub newly_failed: Vec<u64>,
    /// How many items failed before and do not now.
    pub no_longer_failed: u64,
    /// How many failed both times.
    pub failed_again: u64,
}

impl Against {
    /// Compares a run with an earlier one.
    pub fn of(now: &Figures, before: &Figures) -> Self {
        let earlier = |name: &str| before.steps.iter().find(|step| step.name == name);
        let steps = now.steps.iter().filter_map(|step| Some(difference(earlier(&step.name)?, step)));
        Self { run: before.run.clone(), started: before.started.clone(), steps: steps.collect() }
    }
}

/// How many items are named.
const MOST_NAMED: usize = 100;

fn difference(before: &StepFigures, now: &StepFigures) -> StepDifference {
    let keys = |step: &StepFigures| step.failed_keys.iter().map(|(_, key)| key.clone()).collect::<HashSet<_>>();
    let (old, new) = (keys(before), keys(now));
    let newly = now.failed_keys.iter().filter(|(_, key)| !old.contains(key)).map(|(index, _)| *index);
    let quantile =
        |value: fn(&super::step::ItemFigures) -> f64| [before, now].map(|step| step.items.as_ref().map(value));
    StepDifference {
        name: now.name.clone(),
        items: [before, now].map(|step| step.counts.succeeded + step.counts.failed),
        failed: [before, now].map(|step| step.counts.failed),
        seconds: [before, now].map(|step| step.seconds),
        items_per_second: [before, now].map(|step| step.items_per_second),
        p50: quantile(|items| items.p50),
        p99: quantile(|items| items.p99),
        newly_failed: newly.take(MOST_NAMED).collect(),
        no_longer_failed: old.difference(&new).count() as u64,
        failed_again: old.intersection(&new).count() as u64,
    }
}
