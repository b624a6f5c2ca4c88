//! A run compared with an earlier one of the same workflow.

use super::figures::Figures;
use super::step::{Noted, StepFigures};
use crate::ledger::{LedgerError, Reader};
use crate::measure::ItemUnit;
use crate::model::StepName;
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
    /// The slowest items of this run whose time in the earlier one is known, told by their keys.
    pub slowest: Vec<ItemDifference>,
}

/// An item that both runs have done.
#[derive(Debug, Clone, Serialize)]
pub struct ItemDifference {
    /// Its index in this run.
    pub index: u64,
    /// The beginning of its input.
    pub input: String,
    /// How long it took, in seconds: before, now.
    pub seconds: [f64; 2],
}

impl Against {
    /// Compares a run with an earlier one. The readers are of the two runs, in this order.
    ///
    /// # Errors
    /// If a ledger cannot be read.
    pub fn of(
        (now, of_now): (&Figures, &Reader),
        (before, of_before): (&Figures, &Reader),
    ) -> Result<Self, LedgerError> {
        let earlier = |name: &str| before.steps.iter().find(|step| step.name == name);
        let mut steps = Vec::new();
        for step in &now.steps {
            let Some(before) = earlier(&step.name) else { continue };
            let slowest = slowest((step, of_now), of_before)?;
            steps.push(StepDifference { slowest, ..difference(before, step) });
        }
        Ok(Self { run: before.run.clone(), started: before.started.clone(), steps })
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
        slowest: Vec::new(),
    }
}

/// The slowest items of a step, and how long they took before. Of a batched task, single items have no time.
fn slowest((step, now): (&StepFigures, &Reader), before: &Reader) -> Result<Vec<ItemDifference>, LedgerError> {
    let noted = match &step.items {
        Some(items) if items.unit == ItemUnit::Item => &items.slowest[..],
        _ => &[],
    };
    let Some(name) = StepName::new(&step.name).filter(|_| !noted.is_empty()) else { return Ok(Vec::new()) };
    let (Some(now), Some(before)) = (now.step(&name)?, before.step(&name)?) else { return Ok(Vec::new()) };
    let keys = now.keys_of(&noted.iter().map(|item| item.index).collect::<Vec<_>>())?;
    let times = before.times_of(&keys.values().copied().collect())?;
    let item = |item: &Noted| {
        let took = times.get(keys.get(&item.index)?)?;
        let (index, input) = (item.index, item.input.clone());
        Some(ItemDifference { index, input, seconds: [took.as_secs_f64(), item.seconds?] })
    };
    Ok(noted.iter().filter_map(item).collect())
}
