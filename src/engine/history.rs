//! What earlier executions of a run mean for this one.

use super::fingerprint::{changed, fingerprint, looks_at};
use super::plan::StepPlan;
use super::resume::{SortedOut, sort_out};
use super::workflow::{EngineError, Run};
use crate::ledger::{Past, StepKey};
use crate::model::Event;
use crate::plan::SourceError;
use crate::spec::Step;

/// In front of a step's name in a fingerprint.
const RESULTS_OF: &str = "results of ";

impl Run<'_> {
    /// What of an earlier execution still holds: nothing, where the step or what it looks at has changed.
    pub(super) fn past(
        &mut self,
        step: &Step,
        batched: bool,
        (key, past): (StepKey, Past),
    ) -> Result<Past, EngineError> {
        let mut print = fingerprint(step, batched, self.prepared);
        for earlier in self.prepared.workflow.steps.iter().take_while(|earlier| earlier.name != step.name) {
            let output = earlier.outputs.as_ref().map(|text| text.raw.as_str());
            if looks_at(step, earlier.name.as_str(), output) {
                print.insert(format!("{RESULTS_OF}{}", earlier.name), self.ledger.revision(&earlier.name)?);
            }
        }
        let reason = |name: &String| match name.strip_prefix(RESULTS_OF) {
            Some(earlier) => format!("step `{earlier}` gave new results"),
            None => format!("`{name}` changed"),
        };
        let changes = if past.is_empty() { Vec::new() } else { changed(&past.fingerprint, &print) };
        let reasons: Vec<String> = changes.iter().map(reason).collect();
        let past = if reasons.is_empty() {
            past
        } else {
            self.ledger.forget(key)?;
            let text = format!("everything runs again, because {}", reasons.join(", "));
            self.tell(&Event::Notice { name: step.name.clone(), text });
            Past::default()
        };
        self.ledger.note_fingerprint(key, &serde_json::to_string(&print).unwrap_or_default())?;
        Ok(past)
    }

    /// Compares the items of now with the past, and says what will run and why; none where there is no past. The inner error
    /// is a source that cannot be read.
    pub(super) fn left(
        &mut self,
        step: &Step,
        plan: &mut StepPlan,
        (key, past): (StepKey, &Past),
    ) -> Result<Result<Option<SortedOut>, SourceError>, EngineError> {
        // A step that was not started yet, or has to be done again, has no failed items to single out: all of it is to be run.
        if past.is_empty() {
            return Ok(Ok(None));
        }
        let sorted_out = match sort_out(&mut *plan.source, past, plan.most_items, &self.which) {
            Ok(sorted_out) => sorted_out,
            Err(error) => return Ok(Err(error)),
        };
        self.ledger.move_past(key, &sorted_out.changes, &sorted_out.gone)?;
        let reasons = sorted_out.reasons.iter().map(|(reason, count)| format!("{count} {reason}"));
        let reasons: Vec<String> = reasons.collect();
        let colon = if reasons.is_empty() { "" } else { ": " };
        let text = format!(
            "{} of {} items will run{colon}{}",
            sorted_out.remaining.len(),
            sorted_out.total,
            reasons.join(", ")
        );
        self.tell(&Event::Notice { name: step.name.clone(), text });
        if sorted_out.lost > 0 {
            let text =
                format!("warning: the results of {} items are gone; `batchmill resume` runs them", sorted_out.lost);
            self.tell(&Event::Notice { name: step.name.clone(), text });
        }
        Ok(Ok(Some(sorted_out)))
    }
}
