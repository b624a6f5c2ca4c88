//! What a run would do if it were resumed now: the comparison that a resumed run makes, without running or writing
//! anything.

use super::history::rules;
use super::scope::{remember, scope_of_run};
use crate::compile::{Prepared, PreparedStep, StartError, changes, fingerprint_with_upstream, open_step};
use crate::ledger::{LedgerError, Reader, StepReader};
use crate::model::StepName;
use crate::resume::compare_with_done;
use crate::sources::{SourceHost, run_alone};
use crate::template::{ItemScope, Scope};
use crossbeam_channel::never;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What would happen to a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forecast {
    /// It has not been started: all of it runs.
    New,
    /// All of it runs again, for these reasons.
    Everything(Vec<String>),
    /// Of this many items, these run: how many for each reason.
    Some {
        /// The current number of items.
        total: u64,
        /// Reasons and numbers.
        reasons: Vec<(String, u64)>,
    },
    /// That depends on the results of this earlier step, which will run.
    Waits(StepName),
}

/// Why there is no forecast.
#[derive(Debug, thiserror::Error)]
pub enum ForecastError {
    /// A step cannot start.
    #[error("step `{0}`: {1}")]
    Start(StepName, #[source] StartError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What each step would do if the run of this ledger were resumed.
///
/// # Errors
/// If the ledger or a step's items cannot be read.
pub fn forecast(prepared: &Prepared, reader: &Reader) -> Result<Vec<Forecast>, ForecastError> {
    let mut scope = Arc::new(scope_of_run(prepared, &reader.folder().run, reader.run()?.started));
    let mut forecasts = Vec::new();
    // Whether nothing of a step runs.
    let mut is_done: BTreeMap<&StepName, bool> = BTreeMap::new();
    for step in &prepared.steps {
        let recorded = reader.step(step.name())?;
        let upstream = step.upstream.iter().chain(&step.items_upstream).map(|upstream| &upstream.name);
        let unsettled = upstream.into_iter().find(|name| !is_done.get(name).copied().unwrap_or(false));
        let forecast = match (&recorded, unsettled) {
            (None, _) => Forecast::New,
            (Some(_), Some(earlier)) => Forecast::Waits(earlier.clone()),
            (Some(recorded), None) => forecast_step(step, prepared, &scope, (reader, recorded))?,
        };
        if let Some(recorded) = recorded {
            let stats = step.is_batch().then_some(recorded.record.stats);
            remember(Arc::make_mut(&mut scope), reader.folder(), &step.step, stats);
        }
        is_done.insert(step.name(), forecast.is_done());
        forecasts.push(forecast);
    }
    Ok(forecasts)
}

/// What a step would do if it has been started and the steps that it reads stay as they are.
fn forecast_step(
    step: &PreparedStep,
    prepared: &Prepared,
    scope: &Arc<Scope>,
    (reader, recorded): (&Reader, &StepReader<'_>),
) -> Result<Forecast, ForecastError> {
    let wrong = |error| ForecastError::Start(step.name().clone(), error);
    let names = Arc::new(ItemScope::of_step(Arc::clone(scope)));
    let host = SourceHost { run: &run_alone, stop: &never() };
    let mut open = open_step(step, prepared, &names, host).map_err(wrong)?;
    let history = recorded.history()?;
    let fingerprint = fingerprint_with_upstream(step, &open, prepared, &|earlier| reader.revision(earlier))?;
    if history.is_empty() {
        return Ok(Forecast::New);
    }
    let reasons = changes(history.fingerprints(), &fingerprint);
    if !reasons.is_empty() {
        return Ok(Forecast::Everything(reasons));
    }
    let compared = compare_with_done(&mut *open.source, &history, rules(step, prepared));
    let compared = compared.map_err(|error| wrong(StartError::Items(error, step.items_span())))?;
    let reasons = compared.reasons.into_iter().map(|(why, count)| (why.into_owned(), count)).collect();
    Ok(Forecast::Some { total: compared.total, reasons })
}

impl Forecast {
    /// Whether nothing of the step runs.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Some { reasons, .. } if reasons.is_empty())
    }
}
