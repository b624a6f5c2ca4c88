//! Collects the outcomes of a frame as results arrive.

use super::work_unit::{UnitKind, WorkUnit};
use crate::model::{Failure, ItemKey, ItemTime, LaneSettings, Lines, WorkerTimes};
use crate::task::context::StepContext;
use crate::task::item_files::ItemFiles;
use crate::task::lane::{BatchOutcome, Frame, FrameOutcome, LogLine, LogSink};
use crate::text::Secrets;
use crate::wire::{Log, Results};
use std::collections::HashSet;
use std::sync::Arc;

/// The outcomes of a frame's batches so far.
pub(super) struct OutcomeBuilder<'f> {
    batches: Vec<BatchOutcome>,
    /// The number of items in each batch.
    sizes: Vec<usize>,
    kind: UnitKind,
    files: Option<UnitFiles>,
    settings: Arc<LaneSettings>,
    log: &'f LogSink<'f>,
    has_halting_failure: bool,
    worker: WorkerTimes,
    times: Vec<(usize, ItemTime)>,
}

/// The files of items, and their owners.
struct UnitFiles {
    files: Arc<ItemFiles>,
    /// Indexes and keys of the items of each batch.
    owners: Vec<Vec<(u64, ItemKey)>>,
    /// What no path may contain.
    secrets: Arc<Secrets>,
}

impl<'f> OutcomeBuilder<'f> {
    pub(super) fn new(context: &StepContext, frame: &'f Frame<'f>, kind: UnitKind) -> Self {
        let sizes = frame.batches.iter().map(|batch| batch.items.len()).collect();
        let files = context.item_files.clone().filter(|_| !frame.is_for_handler()).map(|files| {
            let owners = frame.batches.iter().map(|batch| batch.indexes.iter().zip(batch.keys.iter()).collect());
            UnitFiles { files, owners: owners.collect(), secrets: Arc::clone(&context.host.secrets) }
        });
        let batches = vec![BatchOutcome::default(); frame.batches.len()];
        let settings = Arc::clone(&context.settings);
        Self {
            batches,
            sizes,
            kind,
            files,
            settings,
            log: frame.log,
            has_halting_failure: false,
            worker: WorkerTimes::default(),
            times: Vec::new(),
        }
    }

    /// Takes results for `units`; `None` if they do not match.
    pub(super) fn take(&mut self, mut results: Results, units: &[WorkUnit]) -> Option<()> {
        self.take_times(&results.times, units);
        let first = results.first as usize;
        let units = units.get(first..first.checked_add(results.count as usize)?)?;
        let head = *units.first()?;
        self.batches[head.batch].nulls += u64::from(results.nulls);
        self.take_bad_rows(head.batch, std::mem::take(&mut results.bad));
        let mut failed = Vec::with_capacity(results.failures.len());
        for (position, failure) in std::mem::take(&mut results.failures) {
            let at = (position as usize).checked_sub(first)?;
            self.fail(*units.get(at)?, failure);
            failed.push(at);
        }
        match &self.files {
            Some(_) => self.take_with_files(results, units, &failed),
            None if units.last()?.batch == head.batch => {
                self.take_lines_of_one(head.batch, results);
                Some(())
            }
            None => self.take_lines(&results.lines, units, &failed),
        }
    }

    /// Takes the times of `units`. Units that were timed together belong to one batch.
    pub(super) fn take_times(&mut self, times: &[ItemTime], units: &[WorkUnit]) {
        for time in times {
            let Some(unit) = units.get(time.first as usize) else { continue };
            let count = match self.kind {
                UnitKind::Item => time.count,
                UnitKind::Batch => u32::try_from(self.sizes[unit.batch]).unwrap_or(u32::MAX),
            };
            let first = u32::try_from(unit.position).unwrap_or(u32::MAX);
            self.times.push((unit.batch, ItemTime { first, count, ..*time }));
        }
    }

    /// Adds how a worker has spent its time.
    pub(super) fn take_worker_times(&mut self, times: WorkerTimes) {
        self.worker.add(times);
    }

    /// Records that a unit was cut short, and so could not tell its time.
    pub(super) fn cut_short(&mut self, unit: WorkUnit, failure: Failure) {
        if let Some(took) = failure.took {
            let count = self.kind.positions(unit, self.sizes[unit.batch]).len();
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.times.push((unit.batch, ItemTime { count, ..ItemTime::of_one(unit.position, took) }));
        }
        self.fail(unit, failure);
    }

    /// Bad rows of a batch: each of them has failed on its own.
    fn take_bad_rows(&mut self, batch: usize, bad: Vec<(u32, Failure)>) {
        for (position, failure) in bad {
            let position = position as usize;
            if position < self.sizes[batch] {
                self.note_failure(batch, position, failure);
            }
        }
    }

    fn take_lines_of_one(&mut self, batch: usize, results: Results) {
        let outcome = &mut self.batches[batch];
        outcome.list |= results.list;
        outcome.form = results.form;
        if outcome.lines.0.is_empty() {
            outcome.lines.0 = results.lines;
        } else {
            outcome.lines.0.extend_from_slice(&results.lines);
        }
    }

    fn take_lines(&mut self, lines: &[u8], units: &[WorkUnit], failed: &[usize]) -> Option<()> {
        let mut failed = failed.iter().copied().peekable();
        let (mut from, mut ends, mut at) = (0, memchr::memchr_iter(b'\n', lines), 0);
        for units in units.chunk_by(|left, right| left.batch == right.batch) {
            let failures = std::iter::from_fn(|| failed.next_if(|failed| *failed < at + units.len())).count();
            at += units.len();
            // The lines of a batch are contiguous, and are copied in one piece.
            let Some(last) = (units.len() - failures).checked_sub(1) else { continue };
            let end = ends.nth(last)? + 1;
            self.batches[units[0].batch].lines.0.extend_from_slice(&lines[from..end]);
            from = end;
        }
        Some(())
    }

    /// Takes results together with their files, unit by unit: moving the files may still fail a unit.
    fn take_with_files(&mut self, results: Results, units: &[WorkUnit], failed: &[usize]) -> Option<()> {
        let mut failed = failed.iter().peekable();
        let lines = Lines(results.lines);
        let mut lines = lines.iter();
        for (at, unit) in units.iter().enumerate() {
            if failed.next_if_eq(&&at).is_some() {
                continue;
            }
            let own: Vec<&[u8]> = match self.kind {
                UnitKind::Item => vec![lines.next()?],
                // A batch has any number of results.
                UnitKind::Batch => lines.by_ref().collect(),
            };
            if let Err(failure) = self.keep_files(*unit) {
                self.fail(*unit, failure);
                continue;
            }
            let outcome = &mut self.batches[unit.batch];
            outcome.list |= results.list;
            own.into_iter().for_each(|line| outcome.lines.push(line));
        }
        Some(())
    }

    /// Moves the files of a unit that has succeeded to their final directory.
    fn keep_files(&mut self, unit: WorkUnit) -> Result<(), Failure> {
        let Some(UnitFiles { files, owners, secrets }) = &self.files else { return Ok(()) };
        let (index, key) = owners[unit.batch][unit.position];
        let kept = files.keep(index, key, secrets)?;
        self.batches[unit.batch].files.extend(kept.into_iter().map(|file| (unit.position, file)));
        Ok(())
    }

    /// Deletes the directories of all units. Those of units that succeeded are gone already.
    fn discard_item_dirs(&self) {
        let Some(UnitFiles { files, owners, .. }) = &self.files else { return };
        let with_dir = |owners: &[(u64, ItemKey)]| if self.kind == UnitKind::Batch { 1 } else { owners.len() };
        owners.iter().flat_map(|owners| &owners[..with_dir(owners)]).for_each(|(index, _)| files.discard(*index));
    }

    /// Records the failure of a unit. If the unit is a batch, all its items fail, except bad rows, which have failed already.
    pub(super) fn fail(&mut self, unit: WorkUnit, failure: Failure) {
        let bad_rows: HashSet<usize> = match self.kind {
            UnitKind::Item => HashSet::new(),
            UnitKind::Batch => self.batches[unit.batch].failures.iter().map(|(position, _)| *position).collect(),
        };
        let positions = self.kind.positions(unit, self.sizes[unit.batch]);
        for position in positions.filter(|position| !bad_rows.contains(position)) {
            self.note_failure(unit.batch, position, failure.clone());
        }
    }

    fn note_failure(&mut self, batch: usize, position: usize, failure: Failure) {
        self.has_halting_failure |= self.settings.is_halted_by(&failure);
        self.batches[batch].failures.push((position, failure));
    }

    /// Whether a failure halts the lane.
    pub(super) fn has_halting_failure(&self) -> bool {
        self.has_halting_failure
    }

    /// Passes on what was printed while running these units.
    pub(super) fn log(&self, log: Log, units: &[WorkUnit]) {
        let unit = log.position.and_then(|position| units.get(position as usize));
        let batch = unit.or(units.first()).map_or(0, |unit| unit.batch);
        let position = unit.map(|unit| unit.position);
        (self.log)(batch, LogLine { position, stream: log.stream, text: log.text });
    }

    /// Passes on what was printed outside of units.
    pub(super) fn log_apart(&self, log: LogLine) {
        (self.log)(0, log);
    }

    /// Finishes the outcomes. The units in `unrun` did not run.
    pub(super) fn finish(mut self, unrun: &[WorkUnit]) -> FrameOutcome {
        self.discard_item_dirs();
        for unit in unrun {
            let positions = self.kind.positions(*unit, self.sizes[unit.batch]);
            self.batches[unit.batch].unrun.extend(positions);
        }
        for outcome in &mut self.batches {
            outcome.failures.sort_by_key(|(position, _)| *position);
            outcome.unrun.sort_unstable();
        }
        FrameOutcome { batches: self.batches, worker: self.worker, times: self.times, ..FrameOutcome::default() }
    }
}
