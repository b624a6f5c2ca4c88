//! Running a frame, in one attempt or several: which units are left, and the outcome of the others.
//!
//! Knows nothing about workers. It selects the units of the next attempt, and settles how the attempt ended. In the end, every
//! unit has exactly one outcome: it succeeded, it failed, or it did not run.

use super::attempt_end::{AttemptEnd, EndCause};
use super::isolation::{Isolation, Selection, Verdict};
use super::outcome::OutcomeBuilder;
use super::payload::Packer;
use super::work_list::WorkList;
use super::work_unit::WorkUnit;
use crate::model::{Failure, Items};
use crate::task::lane::{FrameOutcome, LogLine};
use crate::task::withdrawn::skipped;
use crate::wire::Run;
use std::time::Instant;

/// A frame that is being run.
pub(super) struct FrameRun<'f> {
    pub(super) packer: Packer<'f>,
    /// When `batch_timeout` ends; set once a worker is ready.
    pub(super) deadline: Option<Instant>,
    inputs: Items,
    outcome: OutcomeBuilder<'f>,
    work: WorkList,
    unrun: Vec<WorkUnit>,
    isolation: Isolation,
    /// What the current attempt runs.
    selection: Selection,
}

impl<'f> FrameRun<'f> {
    /// A frame to run. Renders the inputs of its units; units whose inputs fail have failed.
    pub(super) fn new(packer: Packer<'f>) -> Self {
        let mut run = Self {
            outcome: OutcomeBuilder::new(packer.context, packer.frame, packer.kind),
            deadline: None,
            inputs: Items::default(),
            work: WorkList::new(Vec::new()),
            unrun: Vec::new(),
            isolation: Isolation::default(),
            selection: Selection::First(0),
            packer,
        };
        let mut units = run.packer.kind.units(run.packer.frame);
        if run.packer.has_inputs() {
            run.make_inputs(&mut units);
        }
        run.work = WorkList::new(units);
        run
    }

    /// Renders the inputs of all units. If the lane halts on failure, units after a failed one do not run.
    fn make_inputs(&mut self, units: &mut Vec<WorkUnit>) {
        let mut halted = false;
        units.retain_mut(|unit| {
            if halted {
                self.unrun.push(*unit);
                return false;
            }
            match self.packer.inputs(*unit) {
                Ok(values) => {
                    unit.input = self.inputs.len();
                    self.inputs.push(&values);
                    true
                }
                Err(failure) => {
                    self.outcome.fail(*unit, failure);
                    halted = self.packer.frame.halt_on_failure;
                    false
                }
            }
        });
    }

    /// Passes on what a worker printed outside of units.
    pub(super) fn log_apart(&self, log: LogLine) {
        self.outcome.log_apart(log);
    }

    /// Whether units are left.
    pub(super) fn has_work(&self) -> bool {
        !self.work.left().is_empty()
    }

    /// Settles the units that the user has taken out.
    pub(super) fn leave_out_withdrawn(&mut self) {
        let withdrawn = &self.packer.context.withdrawn;
        if !withdrawn.any() || self.packer.frame.is_for_handler() {
            return;
        }
        let is_out = |unit: &WorkUnit| self.packer.indexes(*unit).any(|index| withdrawn.has(index));
        for unit in self.work.settle_where(is_out) {
            self.outcome.fail(unit, skipped());
        }
    }

    /// Selects what the next attempt may run.
    pub(super) fn select(&mut self) -> Selection {
        self.selection = self.isolation.select(self.work.left());
        self.selection
    }

    /// The first units that are left.
    pub(super) fn units(&self, count: usize) -> &[WorkUnit] {
        &self.work.left()[..count]
    }

    /// The same, together with the collected outcomes.
    pub(super) fn units_and_outcome(&mut self, count: usize) -> (&[WorkUnit], &mut OutcomeBuilder<'f>) {
        (&self.work.left()[..count], &mut self.outcome)
    }

    /// The message that sends these units to a worker.
    pub(super) fn message(&self, count: usize) -> Run {
        self.packer.message(self.units(count), &self.inputs)
    }

    /// Settles how an attempt ended.
    ///
    /// # Errors
    /// If the step cannot go on.
    pub(super) fn settle(&mut self, end: AttemptEnd) -> Result<(), Failure> {
        let AttemptEnd { sent, reported, cause } = end;
        if self.selection == Selection::Alone {
            self.isolation.clear_suspect();
        }
        match cause {
            // Units that a lost worker had finished but not reported run again, even if the lane halts.
            EndCause::Lost { position, failure } => {
                self.settle_lost(reported, position, failure);
                return Ok(());
            }
            EndCause::OverMemory { position, failure } => {
                self.settle_over_memory(reported, position, failure);
                return Ok(());
            }
            EndCause::Done { executed } if executed == sent => {
                self.isolation.reset_idle_deaths();
                self.work.settle(sent);
            }
            EndCause::Recalled { executed } => {
                self.isolation.reset_idle_deaths();
                self.work.settle(executed);
            }
            EndCause::Done { executed: settled } => self.settle_halted(settled),
            EndCause::Interrupted => self.settle_halted(reported),
            EndCause::BatchTimeout(failure) => self.settle_batch_timeout(reported, &failure),
            EndCause::DiedIdle(failure) => self.settle_idle_death(reported, failure)?,
        }
        if self.packer.frame.halt_on_failure && self.outcome.has_halting_failure() {
            self.leave_rest(0);
        }
        Ok(())
    }

    /// The worker was lost while running a unit, which has failed.
    fn settle_lost(&mut self, reported: usize, position: usize, failure: Failure) {
        self.isolation.reset_idle_deaths();
        if self.packer.frame.halt_on_failure && !failure.kind.is_by_hand() {
            self.leave_rest(position + 1);
        }
        let unit = self.work.settle_with(reported, position);
        self.outcome.cut_short(unit, failure);
    }

    /// The worker exceeded its memory limit.
    fn settle_over_memory(&mut self, reported: usize, position: usize, failure: Failure) {
        let unit = self.work.left()[position];
        match self.isolation.over_memory(unit, self.selection) {
            Verdict::Charge => self.settle_lost(reported, position, failure),
            _ => self.work.settle(reported),
        }
    }

    /// The worker halted, or the run was cancelled: the rest does not run.
    fn settle_halted(&mut self, settled: usize) {
        self.leave_rest(settled);
        self.work.settle(settled);
    }

    /// The batch took too long: every unit without a result has failed.
    fn settle_batch_timeout(&mut self, reported: usize, failure: &Failure) {
        self.work.settle(reported);
        for unit in self.work.settle_behind(0) {
            self.outcome.fail(unit, failure.clone());
        }
    }

    /// The worker died between units.
    fn settle_idle_death(&mut self, reported: usize, failure: Failure) -> Result<(), Failure> {
        match self.isolation.idle_death(reported) {
            Verdict::GiveUp => return Err(failure),
            Verdict::Charge => {
                let unit = self.work.settle_with(0, 0);
                self.outcome.fail(unit, failure);
            }
            Verdict::RunAgain => self.work.settle(reported),
        }
        Ok(())
    }

    /// Marks all units after the first `count` as not run.
    fn leave_rest(&mut self, count: usize) {
        self.unrun.append(&mut self.work.settle_behind(count));
    }

    /// No worker can be started now: what is left has not begun.
    pub(super) fn fall_short(&mut self, failure: &Failure) {
        for unit in self.work.settle_behind(0) {
            self.outcome.fail(unit, failure.clone());
        }
    }

    /// The outcomes of the batches. Units that are left count as not run.
    pub(super) fn finish(mut self) -> FrameOutcome {
        self.leave_rest(0);
        self.outcome.finish(&self.unrun)
    }
}
