//! The lane of a command that gets whole batches as its input: one command for each batch.
//!
//! A batch succeeds or fails as a whole, except items that cannot be written: each of them fails on its own, and the command
//! gets the others.

use super::command::Shell;
use crate::measure::{SlotClock, SlotState};
use crate::model::{Batch, Failure, FailureKind, ItemTime, Lines};
use crate::spec::BatchText;
use crate::task::context::StepContext;
use crate::task::guard::{Cell, Guard};
use crate::task::item_lane::{ItemRun, item_scope};
use crate::task::lane::{BatchOutcome, Frame, FrameOutcome, Lane, LogLine};
use crate::task::withdrawn::{Recall, cancelled, skipped};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Runs a command for each batch.
pub(super) struct BatchLane {
    task: Arc<Shell>,
    text: BatchText,
    context: StepContext,
    slot: usize,
    guard: Option<Cell>,
}

/// The items of a batch that its command gets.
#[derive(Default)]
struct Written {
    positions: Vec<usize>,
    items: Vec<Vec<u8>>,
}

impl BatchLane {
    pub(super) fn new(task: Arc<Shell>, text: BatchText, context: StepContext, slot: usize) -> Self {
        let guard = context.host.guard.as_ref().and_then(Guard::cell);
        Self { task, text, context, slot, guard }
    }

    fn clock(&self) -> SlotClock<'_> {
        self.context.clocks.of(self.slot)
    }

    fn run_batch(&self, at: usize, frame: &Frame<'_>) -> BatchOutcome {
        let batch = &frame.batches[at];
        let mut outcome = BatchOutcome { list: true, ..BatchOutcome::default() };
        if batch.indexes.iter().any(|index| self.context.withdrawn.has(index)) {
            outcome.failures = (0..batch.items.len()).map(|position| (position, skipped())).collect();
            return outcome;
        }
        self.clock().enter(SlotState::Encode);
        let written = self.write(batch, frame, &mut outcome);
        if written.items.is_empty() {
            return outcome;
        }
        let log = |stream: &str, text| {
            frame_log(frame, at, stream, text);
        };
        match self.run_command(batch, frame, &written, &log) {
            Ok((lines, files)) => {
                outcome.lines = lines;
                outcome.files = files.into_iter().map(|file| (written.positions[0], file)).collect();
            }
            Err(failure) if failure.kind == FailureKind::Interrupted => outcome.unrun = written.positions,
            Err(failure) => {
                let withdrawn = batch.indexes.iter().any(|index| self.context.withdrawn.ends(index));
                let failure = if withdrawn { cancelled() } else { failure };
                outcome.failures.extend(written.positions.into_iter().map(|position| (position, failure.clone())));
                outcome.failures.sort_by_key(|(position, _)| *position);
            }
        }
        outcome
    }

    /// The items for the command. Those that it cannot get have failed.
    fn write(&self, batch: &Batch, frame: &Frame<'_>, outcome: &mut BatchOutcome) -> Written {
        let mut written = Written::default();
        for position in 0..batch.items.len() {
            let item = item_scope(&self.context, batch, position, frame).map(|scope| scope.item.unwrap_or_default());
            match item.and_then(|json| self.text.refuses(&json).map_or(Ok(json), Err)) {
                Ok(json) => {
                    written.positions.push(position);
                    written.items.push(json);
                }
                Err(failure) => outcome.failures.push((position, failure)),
            }
        }
        written
    }

    fn run_command(
        &self,
        batch: &Batch,
        frame: &Frame<'_>,
        written: &Written,
        log: &dyn Fn(&str, String),
    ) -> Result<(Lines, Vec<PathBuf>), Failure> {
        let Self { context, text, .. } = self;
        let first = written.positions[0];
        let mut scope = item_scope(context, batch, first, frame)?;
        scope.item = Some(list(&written.items));
        let (index, key) = (scope.index, batch.keys.get(first));
        let files = context.item_files.as_ref();
        scope.item_dir = files.map(|files| files.fresh(index)).transpose()?;
        let input = text.encode(&written.items)?;
        let settings = &context.settings;
        let run = ItemRun {
            scope: &Arc::new(scope),
            context,
            timeout: settings.item_timeout.into_iter().chain(settings.batch_timeout).min(),
            recall: Recall { withdrawn: &context.withdrawn, indexes: &batch.indexes },
            guard: self.guard.as_ref(),
            clock: self.clock(),
            log,
        };
        let ended = self.task.build(run.scope, context).and_then(|mut command| {
            command.read(&input)?;
            self.task.follow(command, &run)
        });
        let lines = ended.and_then(|ended| text.decode(&ended.stdout, written.items.len()));
        let kept = lines.and_then(|lines| {
            let kept = files.map(|files| files.keep(index, key, &context.host.secrets)).transpose()?;
            Ok((lines, kept.unwrap_or_default()))
        });
        kept.map_err(|failure| {
            files.inspect(|files| files.discard(index));
            let by_batch =
                settings.batch_timeout.is_some_and(|of_batch| settings.item_timeout.is_none_or(|own| of_batch < own));
            if failure.kind == FailureKind::Timeout && by_batch { settings.batch_timed_out() } else { failure }
        })
    }
}

fn frame_log(frame: &Frame<'_>, at: usize, stream: &str, text: String) {
    (frame.log)(at, LogLine { position: Some(0), stream: stream.to_owned(), text });
}

/// A list of JSON texts, as JSON.
fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [b"[".to_vec(), items.join(&b','), b"]".to_vec()].concat()
}

impl Lane for BatchLane {
    fn run(&mut self, frame: &Frame<'_>) -> FrameOutcome {
        let (mut halted, mut result) = (false, FrameOutcome::default());
        for (at, batch) in frame.batches.iter().enumerate() {
            if halted || self.context.cancel.stop.is_fired() {
                let unrun = (0..batch.items.len()).collect();
                result.batches.push(BatchOutcome { unrun, ..BatchOutcome::default() });
                continue;
            }
            let started = Instant::now();
            self.context.current_items.on(self.slot, batch.indexes.get(0), started);
            let mut outcome = self.run_batch(at, frame);
            let took = started.elapsed();
            self.context.current_items.off(self.slot);
            let count = u32::try_from(batch.items.len()).unwrap_or(u32::MAX);
            result.times.push((at, ItemTime { count, ..ItemTime::of_one(0, took) }));
            outcome.failures.iter_mut().for_each(|(_, failure)| failure.took = Some(took));
            let mut failures = outcome.failures.iter();
            halted = frame.halt_on_failure && failures.any(|(_, failure)| self.context.settings.is_halted_by(failure));
            result.batches.push(outcome);
        }
        result
    }
}
