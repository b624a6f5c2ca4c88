//! Measures a step: takes a sample every now and then, and sums up what slots have measured.

use super::job::StepJob;
use super::measures::{FrameMeasures, MOST_INPUT, micros};
use super::width::Width;
use crate::measure::{ItemUnit, Measurements, NotedItem, Sample, SlotTimes, Usage};
use crate::model::{RequestTimes, Stats, StepLoad, WorkerTimes};
use crate::task::UsageMeter;
use crate::text::Secrets;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// After measuring or saving, this many times as long passes at least: so each takes 1% of the time, however slow the machine.
const REST: u32 = 100;

/// How often the load is told.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// How often measurements are saved at most, and after how much more of a long step: a kill loses a second, or a fiftieth.
const SAVE_EVERY: Duration = Duration::from_secs(1);
const SAVE_SHARE: u32 = 50;

/// The meter of one step.
pub(super) struct Meter<'a> {
    job: &'a StepJob<'a>,
    /// The width of the run.
    run_width: &'a Width,
    usage: UsageMeter,
    measurements: Measurements,
    last: Reading,
    workers: WorkerTimes,
    requests: RequestTimes,
    /// What happened since the load was told last.
    untold: Sample,
    next_sample: Instant,
    next_save: Instant,
}

/// Everything that only grows, as it was read at some time. Times are in nanoseconds, but `at` is in microseconds.
#[derive(Debug, Default)]
struct Reading {
    at: u64,
    slots: Vec<SlotTimes>,
    feeder: [u64; 2],
    aggregator: [u64; 3],
    workers: [u64; 3],
    requests: [u64; 3],
    usage: Usage,
    stats: Stats,
}

impl<'a> Meter<'a> {
    /// Measures from now on. `stats` are the counts of before.
    pub(super) fn new(job: &'a StepJob<'a>, stats: Stats, run_width: &'a Width) -> Self {
        let mut usage = UsageMeter::new(job.context.host.guard.clone());
        let mut measurements = Measurements::default();
        if job.settings.lane.batched {
            measurements.items.unit = ItemUnit::Batch;
        }
        let last = Reading { usage: usage.read(), stats, ..Reading::default() };
        let (next_sample, next_save) = (job.started + measurements.series.interval(), job.started + SAVE_EVERY);
        Self {
            job,
            run_width,
            usage,
            measurements,
            last,
            workers: WorkerTimes::default(),
            requests: RequestTimes::default(),
            untold: Sample::default(),
            next_sample,
            next_save,
        }
    }

    /// Takes what a slot has measured.
    pub(super) fn take(&mut self, measures: FrameMeasures, secrets: &Secrets) {
        let FrameMeasures { frame, host, times, worker, request, slow, large } = measures;
        host.into_iter().for_each(|host| self.measurements.hosts.take(host, &frame));
        if frame.batches > 0 {
            self.measurements.frames.push(frame);
        }
        self.workers.add(worker);
        self.requests.add(request);
        times.into_iter().for_each(|(_, time)| self.measurements.items.take(time));
        let gauges = &self.job.gauges;
        slow.into_iter().for_each(|item| self.measurements.items.note_slow(masked(item, secrets), &gauges.slow));
        large.into_iter().for_each(|item| self.measurements.items.note_large(masked(item, secrets), &gauges.large));
    }

    /// Whether it is time for a sample.
    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.next_sample
    }

    /// Takes a sample. `stats` are the counts so far.
    pub(super) fn sample(&mut self, stats: &Stats) {
        let began = Instant::now();
        let now = self.read(*stats);
        let last = &self.last;
        let slot =
            |(slot, times): (usize, &SlotTimes)| difference(*times, last.slots.get(slot).copied().unwrap_or_default());
        let gauges = &self.job.gauges;
        let sample = Sample {
            at: now.at,
            took: now.at - last.at,
            succeeded: now.stats.succeeded.saturating_sub(last.stats.succeeded),
            failed: now.stats.failed.saturating_sub(last.stats.failed),
            retried: now.stats.retried.saturating_sub(last.stats.retried),
            bytes: now.stats.bytes_done.saturating_sub(last.stats.bytes_done),
            queued: gauges.queued.load(Ordering::Relaxed),
            waiting: gauges.waiting.load(Ordering::Relaxed),
            usage: now.usage.since(&last.usage),
            slots: now.slots.iter().enumerate().map(slot).collect(),
            feeder: difference(now.feeder, last.feeder),
            aggregator: difference(now.aggregator, last.aggregator),
            workers: difference(now.workers, last.workers),
            requests: difference(now.requests, last.requests),
        };
        self.untold.append(&sample);
        self.measurements.series.push(sample);
        self.last = now;
        let now = Instant::now();
        self.next_sample = now + self.measurements.series.interval().max((now - began) * REST);
    }

    fn read(&mut self, stats: Stats) -> Reading {
        let gauges = &self.job.gauges;
        let WorkerTimes { decode, task, encode } = self.workers;
        let RequestTimes { connect, wait, transfer } = self.requests;
        Reading {
            at: micros(self.job.started.elapsed()),
            slots: self.job.context.clocks.read(&self.last.slots),
            feeder: gauges.feeder.read().unwrap_or(self.last.feeder),
            aggregator: gauges.aggregator.read().unwrap_or(self.last.aggregator),
            workers: [decode, task, encode],
            requests: [connect, wait, transfer],
            usage: self.usage.read(),
            stats,
        }
    }

    /// The most memory that one process of a task has had, in bytes.
    pub(super) fn largest_process(&self) -> u64 {
        self.last.usage.largest_process
    }

    /// The load since the last call, if that is a second or longer ago.
    pub(super) fn due_load(&mut self) -> Option<StepLoad> {
        if self.untold.took < micros(TELL_EVERY) {
            return None;
        }
        let sample = std::mem::take(&mut self.untold);
        let usage = sample.usage;
        Some(StepLoad {
            busy_slots: sample.busy_slots(),
            cores: (usage.engine_cpu + usage.task_cpu) as f64 / sample.took as f64,
            memory: usage.engine_memory + usage.task_memory,
            waiting: sample.waiting,
            width: self.job.width.jobs().min(self.run_width.jobs()).min(self.job.settings.lane.width),
            paused: self.run_width.is_paused(),
        })
    }

    /// The measurements, if it is time to save them. Call [`Self::saved`] when that is done.
    pub(super) fn due_measurements(&self) -> Option<&Measurements> {
        let is_due = Instant::now() >= self.next_save && !self.measurements.series.samples().is_empty();
        is_due.then_some(&self.measurements)
    }

    /// The measurements were saved, which took so long.
    pub(super) fn saved(&mut self, took: Duration) {
        let pause = SAVE_EVERY.max(self.job.started.elapsed() / SAVE_SHARE).max(took * REST);
        self.next_save = Instant::now() + pause;
    }

    /// Notes what `max_parallel: auto` chose.
    pub(super) fn note_width(&mut self, chosen: Option<String>) {
        self.measurements.width = chosen;
    }

    /// The measurements so far.
    pub(super) fn measurements(&self) -> &Measurements {
        &self.measurements
    }
}

/// The difference of times, in microseconds. Rounded so that the differences of several readings sum to that of the last.
fn difference<const N: usize>(now: [u64; N], before: [u64; N]) -> [u64; N] {
    std::array::from_fn(|at| (now[at] / 1000).saturating_sub(before[at] / 1000))
}

fn masked(mut item: NotedItem, secrets: &Secrets) -> NotedItem {
    secrets.mask(&mut item.input);
    let end = (0..=MOST_INPUT.min(item.input.len())).rev().find(|at| item.input.is_char_boundary(*at));
    item.input.truncate(end.unwrap_or(0));
    item
}
