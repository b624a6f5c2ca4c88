//! How a step ended: the outcomes of its items, or why it could not begin.

use super::env::StepEnv;
use super::error::EngineError;
use super::recorder::output_failure;
use crate::compile::{StartError, template_error};
use crate::export::ExportError;
use crate::ledger::OUTPUT_BUSY;
use crate::model::{Failure, FailureKind, Stats, Status, StepReport};
use crate::pipeline::{StepEnd, mask_failure, step_timeout};
use crate::resume::{Comparison, Counts};
use crate::sources::SourceError;
use crate::spec::{Diagnostic, Diagnostics};
use std::time::Duration;

/// How a step ended.
pub(super) struct StepOutcome {
    pub(super) report: StepReport,
    /// Whether it had items to run, so that later steps can read its results.
    pub(super) started: bool,
    /// The error in the file or the environment that stopped it.
    pub(super) fault: Option<Diagnostics>,
}

/// Counts failures of earlier executions that still count, because the step stopped before their items could run again.
pub(super) fn count_standing_failures(env: &StepEnv<'_>, stats: &mut Stats) -> Result<(), EngineError> {
    if stats.skipped > 0 {
        let standing = env.ledger.failed_items()?.saturating_sub(stats.failed).min(stats.skipped);
        stats.failed += standing;
        stats.kept += standing;
        stats.skipped -= standing;
    }
    Ok(())
}

/// How a step ended, given how its items ended.
pub(super) fn outcome(env: &StepEnv<'_>, end: StepEnd) -> StepOutcome {
    let StepEnd { stats, mut failure, broken, source_error } = end;
    let mut fault = None;
    if let Some(error) = source_error {
        let message = env.run.prepared.secrets.masked(error.to_string());
        fault = Some(diagnostic_of(env, &StartError::Items(error, env.step.items_span())));
        failure = Some(Failure::new(FailureKind::Template, "ItemsError", message));
    }
    let status = if env.run.cancel.stop.is_fired() {
        Status::Interrupted
    } else if broken || failure.is_some() || stats.skipped > 0 {
        // Skipped items: only failed items were to run, and others have never run.
        Status::Failed
    } else if stats.total == 0 && !env.step.allows_empty() {
        Status::Empty
    } else if stats.failed + stats.cancelled > 0 {
        Status::Partial
    } else {
        Status::Succeeded
    };
    StepOutcome { report: StepReport { name: env.name().clone(), status, stats, failure }, started: true, fault }
}

pub(super) fn cannot_start(env: &StepEnv<'_>, error: &StartError) -> StepOutcome {
    let message = env.run.prepared.secrets.masked(error.to_string());
    let interrupted = env.run.cancel.stop.is_fired();
    let class = if matches!(error, StartError::Busy(..)) { OUTPUT_BUSY } else { "StepError" };
    let report = StepReport {
        name: env.name().clone(),
        status: if interrupted { Status::Interrupted } else { Status::Failed },
        stats: Stats::default(),
        failure: Some(Failure::new(FailureKind::Template, class, message)),
    };
    StepOutcome { report, started: false, fault: Some(diagnostic_of(env, error)) }
}

/// A step whose earlier results do not fit its output file: more of them would not help.
pub(super) fn unfit(env: &StepEnv<'_>, error: &ExportError, compared: Option<&Comparison>) -> StepOutcome {
    let mut failure = output_failure(error);
    mask_failure(&env.run.prepared.secrets, &mut failure);
    let stats = compared.map_or_else(Stats::default, |compared| {
        let Counts { done, failed, cancelled, .. } = compared.counts;
        let (total, kept) = (compared.total, done + failed);
        Stats { total, succeeded: done, failed, cancelled, kept, skipped: compared.to_run(), ..Stats::default() }
    });
    let failure = Some(failure);
    let report = StepReport { name: env.name().clone(), status: Status::Failed, stats, failure };
    StepOutcome { report, started: true, fault: None }
}

/// A step whose time was up before its first item ran.
pub(super) fn late(env: &StepEnv<'_>, limit: Duration) -> StepOutcome {
    let (stats, failure) = (Stats::default(), Some(step_timeout(limit)));
    let report = StepReport { name: env.name().clone(), status: Status::Failed, stats, failure };
    StepOutcome { report, started: false, fault: None }
}

/// An error of a step, with its position in the file.
pub(super) fn diagnostic_of(env: &StepEnv<'_>, error: &StartError) -> Diagnostics {
    let source = &env.run.prepared.workflow.source;
    let within = format!("steps.{}", env.name());
    let fault = match error {
        StartError::Items(SourceError::Template(error), _) => template_error(source, error, within),
        StartError::Items(error, span) => {
            let fault = Diagnostic::at(*span, error.to_string()).within(within);
            error.hint().into_iter().fold(fault, Diagnostic::help)
        }
        StartError::Setting(message, span) | StartError::Busy(message, span) => {
            Diagnostic::at(*span, message.clone()).within(within)
        }
        StartError::Table(message, help, span) => {
            let fault = Diagnostic::at(*span, message.clone()).within(format!("{within}.outputs"));
            help.clone().into_iter().fold(fault, Diagnostic::help)
        }
        StartError::Executor(message, help, span) => {
            let fault = Diagnostic::at(*span, message.clone()).within(within);
            help.clone().into_iter().fold(fault, Diagnostic::help)
        }
    };
    Diagnostics::one(source.clone(), fault).masked(&env.run.prepared.secrets)
}
