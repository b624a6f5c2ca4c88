//! What became of the units of a frame, collected as results come in.

use crate::model::{Failure, ItemKey};
use crate::task::context::LaneSettings;
use crate::task::item_files::ItemFiles;
use crate::task::lane::{BatchOutcome, Frame, LogLine};
use crate::wire::{Log, Results};
use std::collections::HashSet;
use std::sync::Arc;

/// A unit in a frame: one item, or one batch where the task is batched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WorkUnit {
    pub(super) batch: usize,
    pub(super) position: usize,
    /// Where its inputs are, if it has some.
    pub(super) input: usize,
}

/// Indexes and keys of the items of a batch.
type Owners = Vec<(u64, ItemKey)>;

/// Collects outcomes of a frame's batches as results come in.
pub(super) struct OutcomeBuilder {
    outcomes: Vec<BatchOutcome>,
    sizes: Vec<usize>,
    batched: bool,
    /// The files of items, and for each batch whose they are.
    files: Option<(Arc<ItemFiles>, Vec<Owners>)>,
}

impl OutcomeBuilder {
    pub(super) fn new(frame: &Frame<'_>, batched: bool, files: Option<Arc<ItemFiles>>) -> Self {
        let sizes = frame.batches.iter().map(|batch| batch.items.len()).collect();
        let owners = frame.batches.iter().map(|batch| batch.indexes.iter().zip(batch.keys.iter()).collect());
        let files = files.filter(|_| frame.error.is_none()).map(|files| (files, owners.collect()));
        Self { outcomes: vec![BatchOutcome::default(); frame.batches.len()], sizes, batched, files }
    }

    /// Takes results for `units`; none if they do not fit.
    pub(super) fn take(&mut self, mut results: Results, units: &[WorkUnit]) -> Option<()> {
        let first = results.first as usize;
        let units = units.get(first..first + results.count as usize)?;
        let (head, last) = (units.first()?, units.last()?);
        self.outcomes[head.batch].nulls += u64::from(results.nulls);
        if !results.bad.is_empty() {
            let size = self.sizes[head.batch];
            let bad =
                std::mem::take(&mut results.bad).into_iter().map(|(position, failure)| (position as usize, failure));
            self.outcomes[head.batch].failures.extend(bad.filter(|(position, _)| *position < size));
        }
        let failed = |position: u32| (position as usize).checked_sub(first).and_then(|at| units.get(at)).copied();
        for (position, failure) in &results.failures {
            self.fail(failed(*position)?, failure.clone());
        }
        if self.files.is_some() {
            return self.take_with_files(results, units);
        }
        if head.batch == last.batch {
            let outcome = &mut self.outcomes[head.batch];
            outcome.list |= results.list;
            outcome.form = results.form;
            if outcome.lines.0.is_empty() {
                outcome.lines.0 = results.lines;
            } else {
                outcome.lines.0.extend_from_slice(&results.lines);
            }
            return Some(());
        }
        let mut failures = results.failures.iter().map(|(position, _)| *position as usize - first).peekable();
        let (mut from, mut ends, mut at) = (0, memchr::memchr_iter(b'\n', &results.lines), 0);
        for units in units.chunk_by(|left, right| left.batch == right.batch) {
            let failed = std::iter::from_fn(|| failures.next_if(|failed| *failed < at + units.len())).count();
            at += units.len();
            // The lines of a batch stand one behind the other, and are copied together.
            let Some(last) = (units.len() - failed).checked_sub(1) else { continue };
            let end = ends.nth(last)? + 1;
            self.outcomes[units[0].batch].lines.0.extend_from_slice(&results.lines[from..end]);
            from = end;
        }
        Some(())
    }

    /// Takes results whose files are to be kept: unit by unit, as each may still fail.
    fn take_with_files(&mut self, results: Results, units: &[WorkUnit]) -> Option<()> {
        let mut failures = results.failures.iter().map(|(position, _)| (position - results.first) as usize).peekable();
        let lines = crate::model::Lines(results.lines);
        let mut lines = lines.iter();
        for (at, unit) in units.iter().enumerate() {
            if failures.next_if_eq(&at).is_some() {
                continue;
            }
            // Of a batched task, the results of the whole batch, however many.
            let own: Vec<&[u8]> = if self.batched { lines.by_ref().collect() } else { vec![lines.next()?] };
            if let Err(failure) = self.keep_files(*unit) {
                self.fail(*unit, failure);
                continue;
            }
            let outcome = &mut self.outcomes[unit.batch];
            outcome.list |= results.list;
            own.into_iter().for_each(|line| outcome.lines.push(line));
        }
        Some(())
    }

    /// Moves the files of a unit that has succeeded to where they stay.
    fn keep_files(&mut self, unit: WorkUnit) -> Result<(), Failure> {
        let Some((files, owners)) = &self.files else { return Ok(()) };
        let (index, key) = owners[unit.batch][unit.position];
        let kept = files.keep(index, key)?;
        self.outcomes[unit.batch].files.extend(kept.into_iter().map(|file| (unit.position, file)));
        Ok(())
    }

    /// Deletes the folders of all units; those that succeeded have none any more.
    fn discard_folders(&self) {
        let Some((files, owners)) = &self.files else { return };
        let with_folder = |owners: &Owners| if self.batched { 1 } else { owners.len() };
        owners.iter().flat_map(|owners| &owners[..with_folder(owners)]).for_each(|(index, _)| files.discard(*index));
    }

    /// Records a failure; of a batched task it is the failure of every item of the batch.
    pub(super) fn fail(&mut self, unit: WorkUnit, failure: Failure) {
        let outcome = &mut self.outcomes[unit.batch];
        let positions = if self.batched { 0..self.sizes[unit.batch] } else { unit.position..unit.position + 1 };
        // Bad rows of a batch have failed already, each for itself.
        let known: HashSet<usize> = outcome.failures.iter().map(|(position, _)| *position).collect();
        let others = positions.filter(|position| !known.contains(position));
        outcome.failures.extend(others.map(|position| (position, failure.clone())));
    }

    /// Whether the units are batches.
    pub(super) fn is_batched(&self) -> bool {
        self.batched
    }

    pub(super) fn has_failed(&self, settings: &LaneSettings) -> bool {
        self.outcomes.iter().any(|outcome| settings.is_halted_by(&outcome.failures))
    }

    pub(super) fn log(&mut self, log: Log, units: &[WorkUnit]) {
        let unit = log.position.and_then(|position| units.get(position as usize));
        let batch = unit.or(units.first()).map_or(0, |unit| unit.batch);
        let position = unit.map(|unit| unit.position);
        self.outcomes[batch].logs.push(LogLine { position, stream: log.stream, text: log.text });
    }

    /// Keeps what was printed on no item.
    pub(super) fn log_apart(&mut self, log: LogLine) {
        if let Some(outcome) = self.outcomes.first_mut() {
            outcome.logs.push(log);
        }
    }

    pub(super) fn finish(mut self, left: &[WorkUnit]) -> Vec<BatchOutcome> {
        self.discard_folders();
        for unit in left {
            let positions = if self.batched { 0..self.sizes[unit.batch] } else { unit.position..unit.position + 1 };
            self.outcomes[unit.batch].unrun.extend(positions);
        }
        for outcome in &mut self.outcomes {
            outcome.failures.sort_by_key(|(position, _)| *position);
            outcome.unrun.sort_unstable();
        }
        self.outcomes
    }
}
