//! `--incremental`: a run of what is new since the last successful run of its workflow.

use crate::compile::{changes, without_upstream};
use crate::ledger::{Baseline, BaselineKeys, BaselineStep, KeyRuns, LedgerError, Reader};
use crate::model::{Fingerprint, StepName};
use std::collections::BTreeMap;

/// What an incremental run has found of its steps so far.
pub(super) struct Incremental {
    baseline: Baseline,
    /// Fingerprint of each batch step of now, and the items that were skipped as unchanged.
    steps: BTreeMap<StepName, BaselineStep>,
}

impl Incremental {
    pub(super) fn new(baseline: Baseline) -> Self {
        Self { baseline, steps: BTreeMap::new() }
    }

    /// The items of a step that need not run, and a notice if the step itself has changed.
    pub(super) fn unchanged_items(
        &mut self,
        step: &StepName,
        fingerprint: &Fingerprint,
    ) -> Result<(BaselineKeys, Option<String>), LedgerError> {
        // What earlier steps gave is new in each run, and says nothing.
        let own = without_upstream(fingerprint);
        let baseline = self.baseline.step(step)?;
        self.steps.insert(step.clone(), BaselineStep { fingerprint: Some(own.clone()), keys: KeyRuns::default() });
        let Some(baseline) = baseline else { return Ok((BaselineKeys::default(), None)) };
        let reasons = match &baseline.fingerprint {
            Some(old) => changes([old], &own),
            None => vec!["another version of batchmill made the last successful run".to_owned()],
        };
        if reasons.is_empty() {
            return Ok((baseline.keys.into_set(), None));
        }
        let notice = format!("everything runs, because {}", reasons.join(", "));
        Ok((BaselineKeys::default(), Some(notice)))
    }

    /// Takes note of the items of a step that were skipped as unchanged.
    pub(super) fn note_unchanged(&mut self, step: &StepName, keys: KeyRuns) {
        if let Some(step) = self.steps.get_mut(step) {
            step.keys = keys;
        }
    }

    /// After a successful run, all of its items are the baseline of the next one.
    pub(super) fn save(mut self, reader: &Reader) -> Result<(), LedgerError> {
        for record in reader.steps()? {
            let Some(step) = self.steps.get_mut(&record.name) else { continue };
            let history = reader.open_step(record).history()?;
            history.batches.iter().flat_map(|batch| batch.keys.iter()).for_each(|key| step.keys.push(key));
            history.left_out.iter().for_each(|key| step.keys.push(*key));
        }
        let steps: Vec<_> = self.steps.into_iter().collect();
        self.baseline.replace(&steps)
    }
}
