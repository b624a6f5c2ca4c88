//! What earlier executions of a run mean for this one.

use super::fingerprint::{changed, fingerprint, looks_at};
use super::plan::StepPlan;
use super::resume::{SortedOut, Which, sort_out};
use super::workflow::{EngineError, Run};
use crate::ledger::{Past, StepKey};
use crate::model::Event;
use crate::plan::SourceError;
use crate::spec::Step;

impl Run<'_> {
    /// What of an earlier execution still holds: nothing, where the step or what it looks at has changed.
    pub(super) fn past(
        &mut self,
        step: &Step,
        batched: bool,
        (key, past): (StepKey, Past),
    ) -> Result<Past, EngineError> {
        let print = fingerprint(step, batched, self.prepared);
        let mut reasons: Vec<String> = Vec::new();
        if !past.is_empty() {
            reasons.extend(changed(&past.fingerprint, &print).iter().map(|name| format!("`{name}` changed")));
            for earlier in self.prepared.workflow.steps.iter().filter(|earlier| self.gave_new.contains(&earlier.name)) {
                let output = earlier.outputs.as_ref().map(|text| text.raw.as_str());
                if looks_at(step, earlier.name.as_str(), output) {
                    reasons.push(format!("step `{}` gave new results", earlier.name));
                }
            }
        }
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
        past: &Past,
    ) -> Result<Result<Option<SortedOut>, SourceError>, EngineError> {
        if past.is_empty() && matches!(self.which, Which::Left) {
            return Ok(Ok(None));
        }
        let sorted_out = match sort_out(&mut *plan.source, past, plan.most_items, &self.which) {
            Ok(sorted_out) => sorted_out,
            Err(error) => return Ok(Err(error)),
        };
        self.ledger.move_past(&sorted_out.changes)?;
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
        Ok(Ok(Some(sorted_out)))
    }
}
