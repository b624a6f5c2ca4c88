//! What is known about each step before it runs.

use super::row_count::RowCount;
use crate::cli::error::CliError;
use crate::compile::{OpenBatch, Prepared, PreparedStep, StartError, open_batch};
use crate::measure::wall_clock;
use crate::model::{RunId, Text};
use crate::run::step_scope;
use crate::sources::{SourceHost, run_alone};
use crate::spec::{BatchSpec, Setting, StepKind};
use crate::template::{ItemScope, Template};
use std::sync::Arc;

/// Whether to read files of rows in order to count their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowCounts {
    /// They are.
    Count,
    /// They are not.
    Skip,
}

/// A step, and what would run.
pub struct PlannedStep<'a> {
    /// The step.
    pub step: &'a PreparedStep,
    /// Its items and settings, if it has items and they are known.
    pub open: Option<OpenBatch>,
    /// What its files hold, if its items are rows.
    pub rows: Option<RowCount>,
}

/// Plans the steps of a workflow, as far as they do not depend on each other.
pub fn plan_steps(prepared: &Prepared, rows: RowCounts) -> Result<Vec<PlannedStep<'_>>, CliError> {
    let scope = step_scope(prepared, &RunId("plan".to_owned()), wall_clock());
    let scope = Arc::new(ItemScope::of_step(Arc::new(scope)));
    let never = crossbeam_channel::never();
    let host = SourceHost { run: &run_alone, stop: &never };
    let mut steps = Vec::new();
    for step in &prepared.steps {
        let open = match &step.step.kind {
            StepKind::Single(_) => None,
            StepKind::Batch(batch) if depends_on_steps(step, batch, prepared) => None,
            StepKind::Batch(batch) => {
                Some(open_batch(step, batch, prepared, (&scope, host)).map_err(|error| at_step(&error, step))?)
            }
        };
        let counted = open.as_ref().filter(|_| rows == RowCounts::Count);
        let rows = counted.and_then(|open| RowCount::of(open, prepared));
        steps.push(PlannedStep { step, open, rows });
    }
    Ok(steps)
}

fn at_step(error: &StartError, step: &PreparedStep) -> CliError {
    let at = CliError::bad(format!("step `{}`: {error}", step.name()));
    match error {
        StartError::Items(error, _) => error.hint().into_iter().fold(at, CliError::help),
        StartError::Setting(..) | StartError::Busy(..) => at,
        StartError::Table(_, help, _) | StartError::Executor(_, help, _) => {
            help.iter().cloned().fold(at, CliError::help)
        }
    }
}

/// Whether its items or its settings come from an earlier step.
fn depends_on_steps(step: &PreparedStep, batch: &BatchSpec, prepared: &Prepared) -> bool {
    let outputs: Vec<&str> =
        prepared.workflow.steps.iter().filter_map(|step| Some(step.outputs.name.as_ref()?.raw.as_str())).collect();
    let root = |name: &String| name.split('.').next().unwrap_or_default().to_owned();
    let uses = |text: &Text| {
        let uses = Template::compile(text).map_or_else(|_| Vec::new(), |template| template.uses());
        uses.iter().map(root).any(|root| root == "steps" || outputs.contains(&root.as_str()))
    };
    let settings = [
        batch.batch_size.template(),
        batch.parallel.as_ref().and_then(Setting::template),
        batch.max_parallel.as_ref().and_then(Setting::template),
        batch.queue_size.as_ref().and_then(Setting::template),
        batch.continue_on_error.template(),
        batch.max_failures.as_ref().and_then(Setting::template),
        batch.timeout.as_ref().and_then(Setting::template),
        batch.batch_timeout.as_ref().and_then(Setting::template),
        step.step.timeout.as_ref().and_then(Setting::template),
    ];
    !step.items_upstream.is_empty() || settings.into_iter().flatten().any(uses)
}
