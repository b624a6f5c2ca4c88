//! The failures of a step, by cause.

use crate::causes::{self, FailureGroups, FailureText};
use crate::ledger::FailureRecord;
use crate::model::StepName;
use serde::Serialize;
use std::collections::HashMap;

/// Failures with the same cause.
#[derive(Debug, Clone, Serialize)]
pub struct FailureGroup {
    /// How many items failed so.
    pub count: u64,
    /// The class of the exception or the like.
    pub class: String,
    /// The message; what varies is replaced by `…`.
    pub pattern: String,
    /// The first items.
    pub indexes: Vec<u64>,
    /// The first item, as far as it was kept.
    pub item: String,
    /// Its message.
    pub message: String,
    /// Its traceback or the like.
    pub detail: Option<String>,
    /// How many attempts it had.
    pub attempts: u32,
}

/// The groups of a step's failures; of those in too many groups only the number is known.
pub(super) fn causes(step: &StepName, failures: &[FailureRecord]) -> (Vec<FailureGroup>, u64) {
    let mut groups = FailureGroups::default();
    for failed in failures {
        groups.add(FailureText { step, index: failed.index, class: &failed.class, message: &failed.message });
    }
    let by_index: HashMap<u64, &FailureRecord> = failures.iter().map(|failed| (failed.index, failed)).collect();
    let group = |group: &causes::FailureGroup| {
        let first = by_index.get(group.samples.first()?)?;
        Some(FailureGroup {
            count: group.count,
            class: group.class.clone(),
            pattern: group.message(),
            indexes: group.samples.clone(),
            item: first.item.clone(),
            message: first.message.clone(),
            detail: first.detail.clone(),
            attempts: first.attempts,
        })
    };
    (groups.largest().into_iter().filter_map(group).collect(), groups.other())
}
