//! The lane of tasks that take items one by one.

use super::context::StepContext;
use super::guard::{Cell, Guard};
use super::lane::{BatchOutcome, Frame, FrameOutcome, Lane, LogLine};
use super::withdrawn::{Recall, cancelled, skipped};
use crate::measure::{SlotClock, SlotState};
use crate::model::{About, Batch, Failure, FailureKind, Indexes, ItemTime, Outcome, RequestTimes};
use crate::rows;
use crate::template::{ItemScope, TemplateError};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// A task that runs for one item at a time.
pub(super) trait ItemTask: Send + Sync {
    /// Runs the task for an item.
    fn run(&self, item: &ItemRun<'_>) -> Outcome;

    /// How the requests of this thread have spent their time since the last call.
    fn take_request_times(&self) -> RequestTimes {
        RequestTimes::default()
    }
}

/// One item to run.
pub(super) struct ItemRun<'a> {
    /// The names in scope.
    pub(super) scope: &'a Arc<ItemScope>,
    pub(super) context: &'a StepContext,
    /// How long it may take: `timeout`, or what is left of `batch_timeout` if that is less.
    pub(super) timeout: Option<Duration>,
    /// Ends it if the user takes it out.
    pub(super) recall: Recall<'a>,
    /// Where to list a child process.
    pub(super) guard: Option<&'a Cell>,
    /// What the slot is doing: `Encode` when the task begins.
    pub(super) clock: SlotClock<'a>,
    /// Where text goes that it prints: the stream, and the text.
    pub(super) log: &'a dyn Fn(&str, String),
}

/// Runs the items of a batch one after another.
pub(super) struct ItemLane<T> {
    task: Arc<T>,
    context: StepContext,
    slot: usize,
    guard: Option<Cell>,
}

/// An item on its way through a lane.
struct ItemPlace<'a> {
    batch: &'a Batch,
    position: usize,
    frame: &'a Frame<'a>,
    log: &'a dyn Fn(&str, String),
}

/// How far a frame has come.
struct Progress {
    laps: Laps,
    /// Why nothing more of it can be started now.
    short: Option<Failure>,
}

/// Times items that follow each other: the end of one is the start of the next, so the time is read once for each. To read it
/// takes a part of what the quickest items take.
struct Laps {
    last: Instant,
    times: Vec<(usize, ItemTime)>,
}

impl Laps {
    /// An item ends: this position of the batch at this place of the frame. Returns how long it took.
    fn end(&mut self, at: usize, position: usize) -> Duration {
        let now = Instant::now();
        let took = now - std::mem::replace(&mut self.last, now);
        self.times.push((at, ItemTime::of_one(position, took)));
        took
    }
}

impl<T: ItemTask> ItemLane<T> {
    pub(super) fn new(task: Arc<T>, context: StepContext, slot: usize) -> Self {
        let guard = context.host.guard.as_ref().and_then(Guard::cell);
        Self { task, context, slot, guard }
    }

    fn clock(&self) -> SlotClock<'_> {
        self.context.clocks.of(self.slot)
    }

    fn stopped(&self) -> bool {
        self.context.cancel.stop.is_fired()
    }

    /// Runs the batch at this place of the frame.
    fn run_batch(&self, at: usize, frame: &Frame<'_>, Progress { laps, short }: &mut Progress) -> BatchOutcome {
        let batch = &frame.batches[at];
        let mut outcome = BatchOutcome::default();
        let mut halted = false;
        let clock = self.clock();
        let deadline = self.context.settings.batch_timeout.map(|timeout| laps.last + timeout);
        for position in 0..batch.items.len() {
            if halted || self.stopped() && !frame.is_for_handler() {
                outcome.unrun.push(position);
                continue;
            }
            if self.context.withdrawn.has(batch.indexes.get(position)) && !frame.is_for_handler() {
                outcome.failures.push((position, skipped()));
                continue;
            }
            if let Some(short) = short {
                outcome.failures.push((position, short.clone()));
                continue;
            }
            self.context.current_items.on(self.slot, batch.indexes.get(position), laps.last);
            let left = deadline.map(|deadline| deadline.saturating_duration_since(laps.last));
            let log = |stream: &str, text| {
                (frame.log)(at, LogLine { position: Some(position), stream: stream.to_owned(), text });
            };
            let place = ItemPlace { batch, position, frame, log: &log };
            clock.enter(SlotState::Encode);
            let ended = self.run_item(&place, left);
            let took = laps.end(at, position);
            match ended {
                Ok((json, files)) => {
                    outcome.lines.take(json);
                    outcome.files.extend(files.into_iter().map(|file| (position, file)));
                }
                // However it ended: the user wanted it to.
                Err(_) if self.context.withdrawn.ends(batch.indexes.get(position)) => {
                    outcome.failures.push((position, cancelled().after(took)));
                }
                Err(failure) if failure.kind == FailureKind::Shortage => {
                    outcome.failures.push((position, failure.clone()));
                    *short = Some(failure);
                }
                Err(failure) if failure.kind == FailureKind::Interrupted => outcome.unrun.push(position),
                Err(failure) => {
                    halted = frame.halt_on_failure && self.context.settings.is_halted_by(&failure);
                    outcome.failures.push((position, failure.after(took)));
                }
            }
        }
        self.context.current_items.off(self.slot);
        outcome
    }

    /// Runs one item, and returns its result and its files. `left` is the rest of `batch_timeout`.
    fn run_item(&self, place: &ItemPlace<'_>, left: Option<Duration>) -> Result<(Vec<u8>, Vec<PathBuf>), Failure> {
        let ItemPlace { batch, position, frame, log } = *place;
        let mut scope = item_scope(&self.context, batch, position, frame)?;
        let Some(items) = &self.context.item_files else { return Ok((self.run_in(scope, left, log)?, Vec::new())) };
        let index = batch.indexes.get(position);
        scope.item_dir = Some(items.fresh(index)?);
        let (key, secrets) = (batch.keys.get(position), &self.context.host.secrets);
        let outcome = self.run_in(scope, left, log).and_then(|json| Ok((json, items.keep(index, key, secrets)?)));
        if outcome.is_err() {
            items.discard(index);
        }
        outcome
    }

    fn run_in(&self, scope: ItemScope, left: Option<Duration>, log: &dyn Fn(&str, String)) -> Outcome {
        let scope = Arc::new(scope);
        let (context, settings, guard) = (&self.context, &self.context.settings, self.guard.as_ref());
        let indexes = Indexes::Range(scope.index..scope.index + 1);
        let recall = Recall { withdrawn: &context.withdrawn, indexes: &indexes };
        let clock = self.clock();
        let run = |timeout| self.task.run(&ItemRun { scope: &scope, context, timeout, recall, guard, clock, log });
        match left.filter(|left| settings.item_timeout.is_none_or(|timeout| *left < timeout)) {
            None => run(settings.item_timeout),
            Some(Duration::ZERO) => Err(settings.batch_timed_out()),
            Some(left) => run(Some(left)).map_err(|failure| {
                // It ran into the timeout of its batch, not its own.
                if failure.kind == FailureKind::Timeout { settings.batch_timed_out() } else { failure }
            }),
        }
    }
}

impl<T: ItemTask> Lane for ItemLane<T> {
    fn run(&mut self, frame: &Frame<'_>) -> FrameOutcome {
        let laps = Laps { last: Instant::now(), times: Vec::new() };
        let (mut halted, mut progress) = (false, Progress { laps, short: None });
        let mut run = |at: usize| {
            if halted {
                return BatchOutcome { unrun: (0..frame.batches[at].items.len()).collect(), ..BatchOutcome::default() };
            }
            let outcome = self.run_batch(at, frame, &mut progress);
            let mut failures = outcome.failures.iter();
            halted = frame.halt_on_failure && failures.any(|(_, it)| self.context.settings.is_halted_by(it));
            outcome
        };
        let batches = (0..frame.batches.len()).map(&mut run).collect();
        let request = self.task.take_request_times();
        FrameOutcome { batches, times: progress.laps.times, request, ..FrameOutcome::default() }
    }
}

/// The names in scope for the item at `position` of `batch`.
///
/// # Errors
/// If the item is a bad row.
pub(super) fn item_scope(
    context: &StepContext,
    batch: &Batch,
    position: usize,
    frame: &Frame<'_>,
) -> Result<ItemScope, Failure> {
    let origin = batch.origin.as_ref();
    let item = rows::to_json(&context.forms[batch.form], &batch.items, position, origin)
        .map_err(|bad| bad.into_failure(origin, &batch.items, 0, position))?;
    let (number, size) = batch.of_item(position);
    Ok(ItemScope {
        step: Arc::clone(&context.scope),
        item: context.settings.has_item.then_some(item),
        index: batch.indexes.get(position),
        batch: (number, context.settings.batches, size, batch.attempt),
        error: frame.error.cloned(),
        item_dir: None,
        parsed: OnceLock::new(),
    })
}

impl From<TemplateError> for Failure {
    fn from(error: TemplateError) -> Self {
        let about = About { span: error.span, needle: error.needle };
        Failure { about: Some(Box::new(about)), ..Failure::new(FailureKind::Template, "TemplateError", error.message) }
    }
}
