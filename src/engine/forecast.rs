//! What a run would do if it went on now: the same comparison that a resume makes, with nothing run and nothing written.

use super::history::{changes, print_of, seen_by};
use super::plan::plan_step;
use super::prepare::Prepared;
use super::resume::{ItemSelection, sort_out};
use super::shape::ShapeError;
use super::values::{remember, step_scope};
use super::workflow::items_span;
use crate::ledger::{LedgerError, Reader};
use crate::model::StepName;
use crate::sources::SourceHost;
use crate::spec::StepKind;
use crate::template::ItemScope;
use crossbeam_channel::never;
use std::process::Command;
use std::sync::Arc;

/// What would become of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forecast {
    /// It has not been started: all of it runs.
    New,
    /// All of it runs again, for these reasons.
    Everything(Vec<String>),
    /// Of so many items these run: how many for each reason.
    Some {
        /// All items of now.
        total: u64,
        /// Reasons and numbers.
        reasons: Vec<(String, u64)>,
    },
    /// That depends on what this earlier step gives, which will run.
    Waits(StepName),
}

/// Why there is no forecast.
#[derive(Debug, thiserror::Error)]
pub enum ForecastError {
    /// A step cannot start.
    #[error("step `{0}`: {1}")]
    Shape(StepName, #[source] ShapeError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What each step would do if the run of this ledger went on.
///
/// # Errors
/// Where the ledger or a step's items cannot be read.
pub fn forecast(prepared: &Prepared, reader: &Reader) -> Result<Vec<Forecast>, ForecastError> {
    let mut scope = step_scope(prepared, &reader.folder().run);
    let mut forecasts: Vec<Forecast> = Vec::new();
    for (step, (program, _)) in prepared.workflow.steps.iter().zip(&prepared.programs) {
        let runs = |name: &StepName| {
            let at = prepared.workflow.steps.iter().position(|step| step.name == *name);
            !at.and_then(|at| forecasts.get(at)).is_some_and(Forecast::is_done)
        };
        let unsettled = seen_by(step, prepared).map(|step| &step.name).find(|name| runs(name));
        let names = Arc::new(ItemScope::of_step(Arc::new(scope.clone())));
        let recorded = reader.step(&step.name)?;
        let forecast = match (&recorded, unsettled) {
            (None, _) => Forecast::New,
            (Some(_), Some(earlier)) => Forecast::Waits(earlier.clone()),
            (Some(recorded), None) => {
                let wrong = |error| ForecastError::Shape(step.name.clone(), error);
                let run = |command: &mut Command| command.output();
                let never = never();
                let host = SourceHost { run: &run, stop: &never };
                let mut plan = plan_step(step, program, prepared, &names, host).map_err(wrong)?;
                let past = recorded.history()?;
                let print = print_of(step, plan.batched, prepared, |earlier| reader.revision(earlier))?;
                let everything = changes(&past, &print);
                if !everything.is_empty() {
                    Forecast::Everything(everything)
                } else if past.is_empty() {
                    Forecast::New
                } else {
                    let sorted_out = sort_out(&mut *plan.source, &past, plan.most_items, &ItemSelection::Left);
                    let sorted_out = sorted_out.map_err(|error| wrong(ShapeError::Items(error, items_span(step))))?;
                    let reasons = sorted_out.reasons.into_iter().map(|(why, count)| (why.to_owned(), count)).collect();
                    Forecast::Some { total: sorted_out.total, reasons }
                }
            }
        };
        if let Some(recorded) = recorded {
            let is_batch = matches!(step.kind, StepKind::Batch(_));
            remember(&mut scope, reader.folder(), step, is_batch.then_some(recorded.record.stats));
        }
        forecasts.push(forecast);
    }
    Ok(forecasts)
}

impl Forecast {
    /// Whether nothing of the step runs.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Some { reasons, .. } if reasons.is_empty())
    }
}
