//! Runs a frame in the lane of a slot and sorts the outcomes. Needs neither aggregator nor ledger.
//!
//! Always holds: each item of a frame is in exactly one place of one report.

use super::failures::{FailureSorter, SortedFailures, longest_wait};
use super::job::StepJob;
use super::log_pieces::LogPieces;
use super::measures::{FrameMeasures, Noting, micros};
use super::shortages::Verdict;
use crate::model::{
    Batch, BatchReport, BatchSpan, Failure, FailureKind, Indexes, ItemAttempt, ItemFailure, ItemKey, ItemTime, Keys,
    LogEntry, message_of,
};
use crate::rows;
use crate::sources::key_of;
use crate::spec::OnBadRow;
use crate::task::{BatchOutcome, Frame, FrameOutcome, Lane, LogLine};
use crate::template::ErrorValue;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What to do about a shortage.
const LIMITS: &str = "`ulimit -a` shows the limits; `--jobs` runs fewer at once";

/// How often `on_item_error` is started while no file, process or memory is free, and the time in between.
const HANDLER_STARTS: u32 = 300;
const HANDLER_WAIT: Duration = Duration::from_millis(200);

/// Runs the frames of one slot. Owns its lanes, and with them the child processes.
pub struct FrameExecutor<'a> {
    slot: usize,
    lane: Box<dyn Lane>,
    handler: Option<Box<dyn Lane>>,
    job: &'a StepJob<'a>,
    log: LogPieces<'a>,
}

/// The outcome of a frame.
#[derive(Debug, Default)]
pub struct FrameResult {
    /// A report for each batch.
    pub reports: Vec<BatchReport>,
    /// Messages for the user.
    pub notices: Vec<String>,
    /// The longest wait that a server has asked for, and what to say of it.
    pub wait: Option<(Duration, String)>,
    /// NaN and infinite numbers that became null.
    pub nulls: u64,
    /// Items whose own files changed while their tasks ran.
    pub changed_files: u64,
    /// What was measured of it.
    pub measures: FrameMeasures,
    /// The items that have failed, as they were read.
    pub failed: Vec<Batch>,
    /// Why the step cannot continue, if it cannot.
    pub broken: Option<Failure>,
    /// Whether some of it could not be started, because no file, process or memory was free.
    pub(super) is_short: bool,
}

impl FrameResult {
    /// The bytes of its results and failures.
    pub(super) fn bytes(&self) -> usize {
        let of_failed = |failed: &ItemFailure| {
            let failure = &failed.failure;
            failed.item.len() + failure.message.len() + failure.detail.as_ref().map_or(0, String::len)
        };
        let of = |report: &BatchReport| report.lines.0.len() + report.failed.iter().map(of_failed).sum::<usize>();
        self.reports.iter().map(of).sum()
    }
}

impl<'a> FrameExecutor<'a> {
    /// Runs frames in the lane of this slot. `log` gets what tasks print, while they run.
    pub fn new(job: &'a StepJob<'a>, slot: usize, log: &'a dyn Fn(LogEntry)) -> Self {
        let log = LogPieces::new(Arc::clone(&job.context.host.secrets), log);
        Self { slot, lane: job.program.lane(&job.context, slot), handler: None, job, log }
    }

    /// Runs a frame to its end. If the frame stops the step, the latch fires here and not further down the line, so that
    /// this slot starts nothing more meanwhile.
    pub fn run(&mut self, batches: &[Batch]) -> FrameResult {
        let job = self.job;
        let attempt = batches.first().map_or(1, |batch| batch.attempt);
        let last_attempt = job.settings.retry.delay_after(attempt).is_none() && !job.settings.failures.bisect;
        let halt_on_failure = !job.settings.failures.continue_on_error && last_attempt;
        let log = |at: usize, line| self.log.push(log_entry(line, &batches[at]));
        let frame = Frame { batches, halt_on_failure, error: None, log: &log };
        let started = Instant::now();
        let FrameOutcome { batches: mut outcomes, mut fatal, worker, request, times, host, notices } = match batches {
            // The source already knows that a file cannot be read. Its batch travels alone.
            [Batch { file_error: Some(error), .. }] => {
                FrameOutcome { batches: vec![BatchOutcome::failed(0, (**error).clone())], ..FrameOutcome::default() }
            }
            _ => self.lane.run(&frame),
        };
        let failures = outcomes.iter_mut().flat_map(|outcome| &mut outcome.failures).map(|(_, failure)| failure);
        job.context.host.locate(failures.chain(&mut fatal));
        let took = started.elapsed();
        let size = batches.first().map_or(0, |batch| batch.size);
        // On the way to another machine it may have waited for the start of processes.
        let worked = if job.context.host.remote.is_some() { time_of(&times).unwrap_or(took) } else { took };
        job.pace.learn(batches.iter().map(Batch::batches).sum(), size, worked);
        let share = took / u32::try_from(batches.len().max(1)).unwrap_or(u32::MAX);
        let span = BatchSpan { slot: self.slot, started: started.saturating_duration_since(job.started), took: share };
        let mut result = FrameResult { notices, ..FrameResult::default() };
        result.measures = FrameMeasures { worker, request, host, ..FrameMeasures::default() };
        let frame = &mut result.measures.frame;
        (frame.slot, frame.started, frame.took) = (self.slot as u64, micros(span.started), micros(took));
        result.measures.note(&times, batches, &Noting { context: &job.context, gauges: &job.gauges });
        result.measures.times = times;
        if let Some(failure) = fatal {
            self.break_off(failure, &mut result);
        }
        self.note_shortage(&outcomes, &mut result);
        for (batch, outcome) in batches.iter().zip(outcomes) {
            let report = BatchReport { span, ..self.report(batch, outcome, &mut result) };
            result.measures.count(&report);
            result.reports.push(report);
        }
        self.log.flush();
        result
    }

    /// Looks for items that could not be started.
    fn note_shortage(&self, outcomes: &[BatchOutcome], result: &mut FrameResult) {
        let mut failures = outcomes.iter().flat_map(|outcome| &outcome.failures);
        let Some((_, short)) = failures.find(|(_, failure)| failure.kind == FailureKind::Shortage) else {
            return self.job.shortages.leave(self.slot);
        };
        result.is_short = true;
        match self.job.shortages.enter(self.slot, self.job.frames.slots()) {
            Verdict::First => {
                result.notices.push(format!("waiting until there is room to start more: {}", short.message));
            }
            Verdict::Wait => {}
            Verdict::Hopeless => {
                let message = format!("{}, and nothing runs that could make room", short.message);
                self.break_off(Failure::new(FailureKind::Start, "Shortage", message).with_detail(LIMITS), result);
            }
        }
    }

    /// The step cannot continue.
    fn break_off(&self, failure: Failure, result: &mut FrameResult) {
        self.job.context.cancel.stop.fire();
        result.broken.get_or_insert(failure);
    }

    fn report(&mut self, batch: &Batch, outcome: BatchOutcome, result: &mut FrameResult) -> BatchReport {
        let settings = self.job.settings;
        result.nulls += outcome.nulls;
        let (succeeded, keys) = succeeded(batch, &outcome.failures, &outcome.unrun);
        let renamed = self.renamed(batch, &succeeded);
        let key_of_now = |key: ItemKey| renamed.get(&key).copied().unwrap_or(key);
        let keys = if renamed.is_empty() { keys } else { Keys::from_list(keys.iter().map(key_of_now).collect()) };
        result.changed_files += renamed.len() as u64;
        let may_bisect = settings.failures.bisect && settings.lane.batched;
        let sorter = FailureSorter { settings, may_bisect, withdrawn: &self.job.context.withdrawn };
        let SortedFailures { retries, failed, left_out } = sorter.sort(batch, outcome.failures);
        let wait = longest_wait(&settings.retry, batch.attempt, &retries);
        result.wait = result.wait.take().into_iter().chain(wait).max_by_key(|(wait, _)| *wait);
        let bad_row = failed.iter().find(|(_, failure)| failure.kind == FailureKind::BadRow);
        if let (OnBadRow::Error, Some((_, failure))) = (settings.failures.on_bad_row, bad_row) {
            self.break_off(failure.clone(), result);
        }
        if !settings.failures.continue_on_error && !failed.is_empty() {
            self.job.context.cancel.stop.fire();
        }
        result.failed.extend(parts(batch, &failed));
        let failed = failed.into_iter().map(|(position, failure)| self.settle(batch, (position, failure), result));
        let mut failed: Vec<ItemFailure> = failed.collect();
        failed.extend(
            left_out
                .into_iter()
                .map(|(position, failure)| ItemFailure { left_out: true, ..self.left_out(batch, position, failure) }),
        );
        let again: u64 = retries.iter().map(|(batch, _, _)| batch.bytes).sum();
        BatchReport {
            files: outcome
                .files
                .into_iter()
                .map(|(position, path)| (key_of_now(batch.keys.get(position)), path))
                .collect(),
            number: batch.number,
            batches: batch.batches() as u64,
            attempt: batch.attempt,
            succeeded,
            keys,
            lines: outcome.lines,
            form: outcome.form,
            list: outcome.list || settings.lane.batched,
            failed,
            retries,
            skipped: outcome.unrun.len() as u64,
            // Items to retry have not finished.
            bytes: batch.bytes.saturating_sub(again),
            span: BatchSpan::default(),
        }
    }

    /// The keys that items which succeeded have got meanwhile. A task may change the file that is its item, or make it: what it
    /// left is what the result belongs to, or the next execution would take it for changed, and change it again.
    fn renamed(&self, batch: &Batch, succeeded: &Indexes) -> HashMap<ItemKey, ItemKey> {
        let Some(by) = self.job.context.file_keys else { return HashMap::new() };
        let mut succeeded = succeeded.iter().peekable();
        let done = (0..batch.items.len()).filter(|at| succeeded.next_if_eq(&batch.indexes.get(*at)).is_some());
        let keys = done.map(|at| (batch.keys.get(at), key_of(batch.items.get(at), Some(by))));
        keys.filter(|(then, now)| then != now).collect()
    }

    /// An item whose last attempt failed: runs `on_item_error`. A failure of that never hides the first one.
    fn settle(
        &mut self,
        batch: &Batch,
        (position, failure): (usize, Failure),
        result: &mut FrameResult,
    ) -> ItemFailure {
        let mut failed = self.item_failure(batch, position, failure);
        let error = ErrorValue { failure: failed.failure.clone(), attempts: failed.attempts };
        let (number, size) = batch.of_item(position);
        // A row is JSON by now.
        let alone = Batch::of_one(failed.index, failed.key, &failed.item);
        failed.handler = self.handle(&Batch { number, size, attempt: batch.attempt, ..alone }, &error, result);
        failed
    }

    fn item_failure(&self, batch: &Batch, position: usize, failure: Failure) -> ItemFailure {
        let form = &self.job.context.forms[batch.form];
        ItemFailure {
            index: batch.indexes.get(position),
            key: batch.keys.get(position),
            item: rows::describe(form, &batch.items, position, batch.origin.as_ref()),
            // An item that was skipped did not begin.
            attempts: batch.attempt - u32::from(failure.kind == FailureKind::Skipped),
            failure,
            handler: None,
            left_out: false,
        }
    }

    /// An item that is left out: a bad row that is saved is kept exactly as in its file.
    fn left_out(&self, batch: &Batch, position: usize, failure: Failure) -> ItemFailure {
        let saves = self.job.settings.failures.on_bad_row == OnBadRow::Save;
        let item = (saves && failure.kind == FailureKind::BadRow)
            .then(|| rows::saved(&batch.items, position, batch.origin.as_ref()));
        let failed = self.item_failure(batch, position, failure);
        ItemFailure { item: item.unwrap_or(failed.item), ..failed }
    }

    fn handle(&mut self, alone: &Batch, error: &ErrorValue, result: &mut FrameResult) -> Option<Failure> {
        let program = self.job.handler?;
        let (context, slot) = (&self.job.context, self.slot);
        let lane = self.handler.get_or_insert_with(|| program.lane(&context.for_handler(), slot));
        let item = Some(ItemAttempt { index: alone.indexes.get(0), attempt: alone.attempt });
        let log = |_, line: LogLine| self.log.push(LogEntry { item, stream: line.stream, text: line.text });
        let batches = std::slice::from_ref(alone);
        let frame = Frame { batches, halt_on_failure: false, error: Some(error), log: &log };
        let mut ended = lane.run(&frame);
        let mut tries = 1..HANDLER_STARTS;
        while is_short(&ended) && tries.next().is_some() && !context.cancel.kill.is_fired() {
            // The item has its outcome, so it cannot go back to the feeder.
            let _ = context.cancel.kill.channel().recv_timeout(HANDLER_WAIT);
            ended = lane.run(&frame);
        }
        let FrameOutcome { batches, fatal, .. } = ended;
        let outcome = batches.into_iter().next()?;
        if program.result_is_message() {
            result.notices.extend(outcome.lines.iter().map(message_of));
        }
        let mut failure = fatal.or_else(|| outcome.failures.into_iter().next().map(|(_, failure)| failure));
        context.host.locate(&mut failure);
        failure
    }

    /// Shuts the lanes down. Returns warnings for the user.
    pub fn finish(mut self, tell: &dyn Fn(String)) -> Vec<String> {
        self.rest(tell)
    }

    /// Ends what the lanes keep running between frames. The next frame starts it again. Returns warnings for the user.
    pub fn rest(&mut self, tell: &dyn Fn(String)) -> Vec<String> {
        let mut warnings = Vec::new();
        for lane in std::iter::once(&mut self.lane).chain(&mut self.handler) {
            let report = lane.finish(tell);
            let entry = |log: LogLine| LogEntry { item: None, stream: log.stream, text: log.text };
            report.logs.into_iter().for_each(|log| self.log.push(entry(log)));
            warnings.extend(report.error.map(|error| format!("warning: {error}")));
        }
        self.log.flush();
        warnings
    }
}

/// Whether something of it could not be started, because no file, process or memory was free.
fn is_short(outcome: &FrameOutcome) -> bool {
    let mut failures = outcome.batches.iter().flat_map(|batch| &batch.failures);
    failures.any(|(_, failure)| failure.kind == FailureKind::Shortage)
}

/// The items that have failed, batch by batch, as they are run again if the user wants that. Nothing helps a bad row.
fn parts(batch: &Batch, failed: &[(usize, Failure)]) -> Vec<Batch> {
    let positions: Vec<usize> = failed
        .iter()
        .filter(|(_, failure)| failure.kind != FailureKind::BadRow)
        .map(|(position, _)| *position)
        .collect();
    let number = |position: &usize| batch.of_item(*position).0;
    positions.chunk_by(|left, right| number(left) == number(right)).map(|part| batch.part(part, 1)).collect()
}

fn log_entry(log: LogLine, batch: &Batch) -> LogEntry {
    let item = |position| ItemAttempt { index: batch.indexes.get(position), attempt: batch.attempt };
    LogEntry { item: log.position.map(item), stream: log.stream, text: log.text }
}

/// The indexes and keys of the items that succeeded.
fn succeeded(batch: &Batch, failures: &[(usize, Failure)], unrun: &[usize]) -> (Indexes, Keys) {
    if failures.is_empty() && unrun.is_empty() {
        return (batch.indexes.clone(), batch.keys.clone());
    }
    let mut failed = failures.iter().map(|(position, _)| *position).peekable();
    let mut unrun = unrun.iter().copied().peekable();
    let good = (0..batch.items.len())
        .filter(|position| failed.next_if_eq(position).is_none() & unrun.next_if_eq(position).is_none());
    let (indexes, keys) = good.map(|position| (batch.indexes.get(position), batch.keys.get(position))).unzip();
    (Indexes::from_rising(indexes), Keys::from_list(keys))
}
/// How long the items of a frame took together, if that was measured.
fn time_of(times: &[(usize, ItemTime)]) -> Option<Duration> {
    let sum: u64 = times.iter().map(|(_, time)| time.nanoseconds).sum();
    (sum > 0).then(|| Duration::from_nanos(sum))
}
