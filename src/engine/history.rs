//! What earlier executions of a run mean for this one.

use super::aggregate::{aggregate_of, how};
use super::fingerprint::{fingerprint, looks_at, looks_at_aggregates};
use super::plan::StepPlan;
use super::prepare::Prepared;
use super::resume::{SortedOut, sort_out};
use super::workflow::{EngineError, Run};
use crate::ledger::{LedgerError, StepHistory, StepLedger};
use crate::model::{Event, Fingerprint, StepName};
use crate::sources::SourceError;
use crate::spec::Step;
use std::collections::BTreeSet;

/// In front of a step's name in a fingerprint.
pub(super) const RESULTS_OF: &str = "results of ";

/// The fingerprint of a step, with the revisions of the earlier steps that it looks at.
pub(super) fn print_of(
    step: &Step,
    batched: bool,
    prepared: &Prepared,
    revision: impl Fn(&StepName) -> Result<String, LedgerError>,
) -> Result<Fingerprint, LedgerError> {
    let mut print = fingerprint(step, batched, prepared);
    for earlier in seen_by(step, prepared) {
        let mut given = revision(&earlier.name)?;
        if let Some(aggregate) = aggregate_of(earlier).filter(|_| looks_at_aggregates(step)) {
            given = format!("{given} {}", how(earlier, aggregate, prepared, &revision)?);
        }
        print.insert(format!("{RESULTS_OF}{}", earlier.name), given);
    }
    Ok(Fingerprint::new(print))
}

/// The earlier steps that a step's task looks at.
pub(super) fn seen_by<'a>(step: &'a Step, prepared: &'a Prepared) -> impl Iterator<Item = &'a Step> {
    earlier_steps(step, prepared).filter(|earlier| looks_at(step, earlier))
}

/// The steps before a step.
pub(super) fn earlier_steps<'a>(step: &'a Step, prepared: &'a Prepared) -> impl Iterator<Item = &'a Step> {
    prepared.workflow.steps.iter().take_while(|earlier| earlier.name != step.name)
}

/// Why all of a step runs again; empty where what was done of it stands.
pub(super) fn changes(past: &StepHistory, print: &Fingerprint) -> Vec<String> {
    let reason = |name: &String| match name.strip_prefix(RESULTS_OF) {
        Some(earlier) => format!("step `{earlier}` gave new results"),
        None => format!("`{name}` changed"),
    };
    let changed: BTreeSet<String> = past.fingerprints().flat_map(|old| old.changed_parts(print)).collect();
    changed.iter().map(reason).collect()
}

impl Run<'_> {
    /// What of an earlier execution still holds: nothing, where the step or what it looks at has changed.
    pub(super) fn past(
        &mut self,
        step: &Step,
        batched: bool,
        (ledger, mut past): (&mut StepLedger, StepHistory),
    ) -> Result<StepHistory, EngineError> {
        let print = print_of(step, batched, self.prepared, |earlier| self.ledger.revision(earlier))?;
        let reasons = changes(&past, &print);
        ledger.use_fingerprint(&print)?;
        if !reasons.is_empty() {
            ledger.forget_where_fingerprint_differs(&mut past)?;
            let text = format!("everything runs again, because {}", reasons.join(", "));
            self.tell(&Event::Notice { name: step.name.clone(), text });
        }
        past.known = self.known(step, &print)?;
        Ok(past)
    }

    /// Compares the items of now with the past, and says what will run and why; none where there is no past. The inner error
    /// is a source that cannot be read.
    pub(super) fn left(
        &mut self,
        step: &Step,
        plan: &mut StepPlan,
        (ledger, past): (&mut StepLedger, &StepHistory),
    ) -> Result<Result<Option<SortedOut>, SourceError>, EngineError> {
        // A step that was not started yet, or has to be done again, has no failed items to single out: all of it is to be run.
        if past.is_empty() {
            return Ok(Ok(None));
        }
        let sorted_out = match sort_out(&mut *plan.source, past, plan.most_items, &self.which) {
            Ok(sorted_out) => sorted_out,
            Err(error) => return Ok(Err(error)),
        };
        ledger.move_items(&sorted_out.changes, &sorted_out.gone)?;
        self.passed_over(&step.name, sorted_out.known.clone());
        let reasons = sorted_out.reasons.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect();
        self.tell(&Event::StepSortedOut { name: step.name.clone(), total: sorted_out.total, reasons });
        if sorted_out.lost > 0 {
            let text =
                format!("warning: the results of {} items are gone; `batchmill resume` runs them", sorted_out.lost);
            self.tell(&Event::Notice { name: step.name.clone(), text });
        }
        Ok(Ok(Some(sorted_out)))
    }
}
