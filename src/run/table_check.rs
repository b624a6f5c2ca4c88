//! What is checked of the tables of `outputs` before anything runs: whether they can be reached and written, and whether rows
//! that are appended already would still hold.

use super::env::StepEnv;
use super::scope::step_scope;
use crate::compile::{
    OpenStep, Prepared, PreparedStep, StartError, aggregate_target_of, saved_target_of, table_of, target_of,
};
use crate::database::Database;
use crate::export::{TableError, TableOutput, TableTarget, real_path};
use crate::ledger::{RowIds, StepHistory};
use crate::measure::wall_clock;
use crate::model::{RunId, Span};
use crate::resume::Comparison;
use crate::spec::{Diagnostic, Diagnostics};
use crate::template::ItemScope;
use std::collections::HashMap;
use std::sync::Arc;

/// Checks the tables of all steps, as far as they are known before the run. `run` is the one to be resumed.
///
/// # Errors
/// If one cannot be reached, may not be written, or is there and must not be.
pub fn check_tables(prepared: &Prepared, run: Option<&RunId>) -> Result<(), Diagnostics> {
    let run = run.cloned().unwrap_or_else(|| RunId("check".to_owned()));
    let scope = step_scope(prepared, &run, wall_clock());
    let scope = Arc::new(ItemScope::of_step(Arc::new(scope)));
    for step in prepared.steps.iter().chain(&prepared.closing) {
        let wrong = match table_of(&step.step, &scope) {
            Ok(Some(target)) => match not_a_file(prepared, &target, &scope).and_then(|()| check(&target, (&run, step)))
            {
                Ok(_) => continue,
                Err(error) => (error.to_string(), error.help, span_of(step)),
            },
            Err(StartError::Table(message, help, span)) => (message, help, span),
            // A template that waits for an earlier step is rendered when the step starts.
            Ok(None) | Err(_) => continue,
        };
        let (message, help, span) = wrong;
        let within = format!("steps.{}.outputs", step.name());
        let fault = Diagnostic::at(span, message).within(within);
        let fault = help.into_iter().fold(fault, Diagnostic::help);
        return Err(Diagnostics::one(prepared.workflow.source.clone(), fault).masked(&prepared.secrets));
    }
    Ok(())
}

/// Checks that no step writes a file in the place of the database.
fn not_a_file(prepared: &Prepared, target: &TableTarget, scope: &Arc<ItemScope>) -> Result<(), TableError> {
    let Database::Sqlite(database) = &target.database else { return Ok(()) };
    let database = real_path(database);
    for step in prepared.steps.iter().chain(&prepared.closing) {
        let step_of = &step.step;
        let files = [target_of(step_of, scope), aggregate_target_of(step_of, scope), saved_target_of(step_of, scope)];
        if files.into_iter().flatten().flatten().any(|file| real_path(&file.path) == database) {
            let message = format!("step `{}` writes a file of results there", step.name());
            return Err(
                TableError::new(target, message).with_help("choose another path for the database, or for the file")
            );
        }
    }
    Ok(())
}

/// Checks the table of a step that is about to start. Returns the rows of the ledger that are in it for good.
pub(super) fn check_table(env: &mut StepEnv<'_>, open: &OpenStep) -> Result<RowIds, StartError> {
    let Some(target) = &open.table else { return Ok(RowIds::default()) };
    let span = span_of(env.step);
    let failed = |error: TableError| StartError::Table(error.to_string(), error.help, span);
    let (run, step) = (&env.run.folder.run.0, env.step.name());
    let mut output = TableOutput::open(target, (run, step.as_str())).map_err(failed)?;
    let identity = output.identity().map_err(failed)?;
    let claimed = env.output_paths.claim_table((target, identity), step);
    claimed.map_err(|message| StartError::Table(message, None, span))?;
    let appended = written(&mut output).map_err(failed)?;
    Ok(if target.only_grows() { appended } else { RowIds::default() })
}

fn check(target: &TableTarget, (run, step): (&RunId, &PreparedStep)) -> Result<RowIds, TableError> {
    written(&mut TableOutput::open(target, (&run.0, step.name().as_str()))?)
}

/// The rows of the ledger that are in a table that may be written.
fn written(output: &mut TableOutput<'_>) -> Result<RowIds, TableError> {
    let mut all = RowIds::default();
    output.check()?.iter().for_each(|part| all.extend(&RowIds::parse(&part.ledger_rows)));
    Ok(all)
}

/// The place of `table` in the file.
fn span_of(step: &PreparedStep) -> Span {
    step.step.outputs.table.as_ref().map_or(step.step.span, |table| table.table.span)
}

/// Why results would be made again whose rows are appended already, if some would before anything is compared.
pub(super) fn lost(appended: &RowIds, history: &StepHistory) -> Option<String> {
    let kept = history.batches.iter().filter(|batch| appended.contains(batch.row)).count() as u64;
    (kept < appended.len()).then(|| "some of its results are lost".to_owned())
}

/// The same because what they depend on has changed.
pub(super) fn outdated(
    env: &StepEnv<'_>,
    appended: &RowIds,
    history: &StepHistory,
    changed: &[String],
) -> Option<String> {
    let mut batches = history.batches.iter().filter(|batch| appended.contains(batch.row));
    batches.any(|batch| !env.ledger.is_current(batch)).then(|| changed.join(", "))
}

/// The same because their items are gone, or run again.
pub(super) fn gone(appended: &RowIds, history: &StepHistory, compared: &Comparison) -> Option<String> {
    let moved: HashMap<_, _> = compared.moves.iter().map(|change| (change.row, change.left())).collect();
    let loses = |(row, had): (_, u64)| moved.get(&row).is_some_and(|left| *left < had);
    let batches = history.batches.iter().filter(|batch| appended.contains(batch.row));
    let any = batches.map(|batch| (batch.row, batch.done())).any(loses);
    any.then(|| "some of its items have changed or are gone".to_owned())
}

/// The error for a step whose results would be made again for this reason.
pub(super) fn refusal(env: &StepEnv<'_>, open: &OpenStep, why: &str) -> StartError {
    let (name, shown) = (env.name(), open.table.as_ref().map(TableTarget::shown).unwrap_or_default());
    let message = format!("results of step `{name}` that are in {shown} already would be made again, because {why}");
    let run = &env.run.folder.run;
    let help = format!(
        "undo that; or set `key`, so that rows are updated; or delete the rows of this run from the table, and from \
         `batchmill_written` with `DELETE FROM batchmill_written WHERE run = '{run}' AND step = '{name}'`"
    );
    StartError::Table(message, Some(help), span_of(env.step))
}
