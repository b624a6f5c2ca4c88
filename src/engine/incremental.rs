//! `--incremental`: a run of what is new since the last good run of its workflow.

use super::history::RESULTS_OF;
use super::workflow::{EngineError, Run};
use crate::ledger::{Baseline, BaselineKeys, BaselineStep, KeyRuns, LedgerError, Reader};
use crate::model::{Event, Fingerprint, Status, StepName};
use crate::spec::{Step, StepKind};
use std::collections::BTreeMap;

/// By what files are told from changed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// By size and time of change.
    Time,
    /// By what is in them.
    Content,
}

impl Compare {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Content => "content",
        }
    }

    /// From the word that the ledger keeps.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Time, Self::Content].into_iter().find(|compare| compare.word() == word)
    }
}

/// What an incremental run has found of its steps so far.
pub(super) struct Incremental {
    known: Baseline,
    /// Fingerprint of each batch step of now, and the items that were passed over.
    steps: BTreeMap<StepName, BaselineStep>,
}

impl Incremental {
    pub(super) fn new(known: Baseline) -> Self {
        Self { known, steps: BTreeMap::new() }
    }
}

impl Run<'_> {
    /// The items of a step that need not run, and what is new in the step itself.
    pub(super) fn known(&mut self, step: &Step, print: &Fingerprint) -> Result<BaselineKeys, EngineError> {
        let (Some(incremental), StepKind::Batch(_)) = (&mut self.incremental, &step.kind) else {
            return Ok(BaselineKeys::default());
        };
        // What earlier steps gave is new in each run, and says nothing.
        let own = |print: &Fingerprint| -> Fingerprint {
            let mut own = print.clone();
            own.parts.retain(|name, _| !name.starts_with(RESULTS_OF));
            own
        };
        let print = own(print);
        let known = incremental.known.step(&step.name)?;
        let fingerprint = Some(print.clone());
        incremental.steps.insert(step.name.clone(), BaselineStep { fingerprint, keys: KeyRuns::default() });
        let Some(known) = known else { return Ok(BaselineKeys::default()) };
        let changes: Vec<String> = match known.fingerprint.map(|old| old.changed_parts(&print)) {
            Some(changes) if changes.is_empty() => return Ok(known.keys.into_set()),
            Some(changes) => changes.iter().map(|name| format!("`{name}` changed")).collect(),
            None => vec!["another version of batchmill made the last good run".to_owned()],
        };
        let text = format!("everything runs, because {}", changes.join(", "));
        self.tell(&Event::Notice { name: step.name.clone(), text });
        Ok(BaselineKeys::default())
    }

    /// Takes note of the items that a step passed over.
    pub(super) fn passed_over(&mut self, step: &StepName, keys: KeyRuns) {
        let known = self.incremental.as_mut().and_then(|incremental| incremental.steps.get_mut(step));
        if let Some(known) = known {
            known.keys = keys;
        }
    }

    /// After a good run all of its items are known.
    pub(super) fn note_known(&mut self, status: Status) -> Result<(), LedgerError> {
        let (Some(mut incremental), Status::Succeeded) = (self.incremental.take(), status) else { return Ok(()) };
        let reader = Reader::open(self.ledger.folder().clone())?;
        for record in reader.steps()? {
            let Some(known) = incremental.steps.get_mut(&record.name) else { continue };
            let past = reader.open_step(record).history()?;
            past.batches.iter().flat_map(|batch| batch.keys.iter()).for_each(|key| known.keys.push(key));
            past.left_out.iter().for_each(|key| known.keys.push(*key));
        }
        let steps: Vec<_> = incremental.steps.into_iter().collect();
        incremental.known.replace(&steps)
    }
}
