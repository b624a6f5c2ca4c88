//! The aggregator: the one place where reports of slots are recorded, counted and passed on.

use super::announcer::Announcer;
use super::auto_width::AutoWidth;
use super::event::{FeederNote, SlotEvent};
use super::executor::FrameResult;
use super::failed_items::FailedItems;
use super::job::StepJob;
use super::masking::{mask_failure, mask_report};
use super::meter::Meter;
use super::recorder::Recorder;
use super::slow_items::SlowItems;
use super::steered::{Order, RetriedItems};
use super::tolerance::too_many_so_far;
use crate::measure::AggregatorState;
use crate::model::{Batch, BatchReport, Event, Failure, LogEntry, Stats, StepName};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// The maximum number of batches to record at a time, and of events to take them from.
const MOST_BATCHES: usize = 4096;

/// Batches with so many bytes are recorded before more are taken.
const MOST_BYTES: usize = 4 << 20;

/// How often listeners may look at the clock while nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// Works on one step.
// More than 12 fields: all that one thread keeps of a step.
pub(super) struct Aggregator<'a, R> {
    pub(super) step: StepName,
    pub(super) job: &'a StepJob<'a>,
    pub(super) recorder: &'a mut R,
    pub(super) announcer: Announcer<'a>,
    pub(super) slow: SlowItems,
    /// The number of items, if it is known before they are read.
    pub(super) total: Option<u64>,
    pub(super) stats: Stats,
    /// What stopped the step: its first failure if failures are not tolerated.
    pub(super) failure: Option<Failure>,
    /// Set if the step cannot continue at all.
    pub(super) broken: bool,
    /// What to say at the end.
    pub(super) remarks: Remarks,
    /// Items that have failed, for the case that the user wants them to run again.
    pub(super) failed: FailedItems,
    /// For a step that finds its width itself.
    pub(super) auto: Option<AutoWidth<'a>>,
    /// None once measurements cannot be saved.
    pub(super) meter: Option<Meter<'a>>,
}

/// What the user is told when the step has ended.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    /// NaN and infinite numbers that became null.
    pub(super) nulls: u64,
    /// Items whose own files changed while their tasks ran.
    pub(super) changed_files: u64,
    /// The longest wait that a server has asked for, and that the user knows of.
    pub(super) longest_wait: Duration,
}

impl<R: Recorder> Aggregator<'_, R> {
    /// Consumes events until the last slot is gone. If something cannot be recorded, it still drains the channel, so that
    /// no slot waits for it.
    pub(super) fn run(&mut self, events: &Receiver<SlotEvent>, done: &Sender<FeederNote>) -> Result<(), R::Error> {
        let mut failed = None;
        let clock = &self.job.gauges.aggregator;
        loop {
            clock.enter(AggregatorState::Wait as usize);
            self.measure();
            self.steer();
            if failed.is_none() {
                failed = self.obey(done).err();
            }
            if self.slow.is_due() {
                self.tell_slow();
            }
            let first = match events.recv_timeout(TICK) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => {
                    self.announcer.tick();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let mut reports = Vec::new();
            let (mut next, mut taken, mut bytes) = (Some(first), 0, 0);
            while let Some(event) = next {
                bytes += self.take(event, &mut reports);
                taken += 1;
                let has_room = reports.len() < MOST_BATCHES && taken < MOST_BATCHES && bytes < MOST_BYTES;
                next = if has_room { events.try_recv().ok() } else { None };
            }
            // Without reports these were logs, or a slot that shuts down: nothing that the feeder waits for.
            if !reports.is_empty() && failed.is_none() {
                failed = self.record(reports, done).err();
            }
            if failed.is_some() {
                // What is not recorded did not happen, so nothing new starts and nobody is informed.
                self.job.context.cancel.stop.fire();
                self.job.context.cancel.kill.fire();
            }
            self.job.in_flight.leave(bytes);
        }
        clock.stop();
        failed.map_or(Ok(()), Err)?;
        if let Some(mut meter) = self.meter.take() {
            meter.sample(&self.stats);
            meter.note_width(self.auto.as_ref().and_then(AutoWidth::found));
            let saved = self.recorder.save(meter.measurements());
            self.heed(saved);
        }
        Ok(())
    }

    /// Records batches, and informs everyone.
    fn record(&mut self, reports: Vec<BatchReport>, done: &Sender<FeederNote>) -> Result<(), R::Error> {
        let clock = &self.job.gauges.aggregator;
        clock.enter(AggregatorState::Commit as usize);
        let began = Instant::now();
        let recorded = self.recorder.record(&reports);
        self.stats.ledger += began.elapsed();
        recorded?;
        clock.enter(AggregatorState::Publish as usize);
        self.failed.settle();
        let retries = reports.iter().flat_map(again).collect();
        let recorded = FeederNote::Recorded(reports.len(), retries);
        reports.into_iter().for_each(|report| self.publish(report));
        // The feeder is gone once the step stops; then nobody waits for this.
        drop(done.send(recorded));
        Ok(())
    }

    /// Takes a sample and saves the measurements, if it is time for it.
    fn measure(&mut self) {
        let Some(meter) = &mut self.meter else { return };
        if meter.is_due() {
            meter.sample(&self.stats);
            if let Some(load) = meter.due_load() {
                self.announcer.tell(&Event::StepLoad { name: self.step.clone(), load });
            }
        }
        if let Some(measurements) = meter.due_measurements() {
            let began = Instant::now();
            let saved = self.recorder.save(measurements);
            meter.saved(began.elapsed());
            self.heed(saved);
        }
    }

    /// Does what the user wants of the step.
    fn obey(&mut self, done: &Sender<FeederNote>) -> Result<(), R::Error> {
        while let Some(order) = self.job.orders.next() {
            match order {
                Order::Tell(text) => self.announcer.notice(&self.step, text),
                // The feeder is gone once the step stops; then nobody waits for this.
                Order::Withdrawn(index) => drop(done.send(FeederNote::Withdrawn(index))),
                Order::RetryFailed(reply) => self.retry_failed(&reply, done)?,
            }
        }
        Ok(())
    }

    /// Hands the items that have failed back to the feeder, unless it has ended.
    fn retry_failed(&mut self, reply: &Sender<RetriedItems>, done: &Sender<FeederNote>) -> Result<(), R::Error> {
        if !self.job.orders.promise() {
            return Ok(());
        }
        let failed = self.failed.take();
        let items: Vec<_> = failed.iter().flat_map(|batch| batch.indexes.iter().zip(batch.keys.iter())).collect();
        self.recorder.forget_failures(&items)?;
        let count = items.len() as u64;
        self.stats.failed -= count;
        self.stats.retried += count;
        drop(done.send(FeederNote::Again(failed)));
        let _ = reply.send(RetriedItems { count, left: self.stats.failed });
        Ok(())
    }

    /// Sets the width of a step that finds it itself.
    fn steer(&mut self) {
        if let Some(auto) = &mut self.auto {
            let largest = self.meter.as_ref().map_or(0, Meter::largest_process);
            auto.look(self.stats.settled(), largest);
        }
    }

    /// Measurements that cannot be saved are given up: the run continues without it.
    fn heed(&mut self, saved: Result<(), String>) {
        if let Err(warning) = saved {
            self.announcer.notice(&self.step, warning);
            self.meter = None;
        }
    }

    /// Takes an event, and returns how many bytes of results came with it.
    fn take(&mut self, event: SlotEvent, reports: &mut Vec<BatchReport>) -> usize {
        match event {
            SlotEvent::Log(entry) => self.log(entry),
            SlotEvent::Frame(result) => {
                // As the slot counted them: secrets are masked below.
                let bytes = result.bytes();
                let FrameResult {
                    reports: frame,
                    notices,
                    wait,
                    nulls,
                    changed_files,
                    measures,
                    failed,
                    broken,
                    is_short: _,
                } = *result;
                notices.into_iter().for_each(|text| self.announcer.notice(&self.step, text));
                // Once, until a longer one.
                if let Some((wait, text)) = wait.filter(|(wait, _)| *wait > self.remarks.longest_wait) {
                    self.remarks.longest_wait = wait;
                    self.announcer.notice(&self.step, text);
                }
                self.remarks.nulls += nulls;
                self.remarks.changed_files += changed_files;
                self.failed.add(failed);
                if let Some(failure) = broken {
                    self.broken = true;
                    self.stop(failure);
                }
                let secrets = self.announcer.secrets();
                self.slow.learn(&measures.times, self.job.settings.lane.batched);
                self.auto.iter_mut().for_each(|auto| auto.note(measures.frame.slot));
                if let Some(meter) = &mut self.meter {
                    meter.take(measures, secrets);
                }
                reports.extend(frame.into_iter().map(|mut report| {
                    mask_report(secrets, &mut report);
                    report
                }));
                return bytes;
            }
            SlotEvent::ShutDown(warnings) => {
                warnings.into_iter().for_each(|text| self.announcer.notice(&self.step, text));
            }
        }
        0
    }

    /// Records what a task printed. A result is worth more than a log: the run continues without it.
    fn log(&mut self, mut entry: LogEntry) {
        self.announcer.secrets().mask(&mut entry.text);
        if let Err(warning) = self.recorder.log(&entry) {
            self.announcer.notice(&self.step, warning);
        }
    }

    /// Reports items that have been running for long.
    fn tell_slow(&mut self) {
        for (slot, index, running) in self.slow.look() {
            let item = self.job.frames.name((slot, index), &self.job.context, self.announcer.secrets());
            self.announcer.tell(&Event::ItemSlow { name: self.step.clone(), index, item, running });
        }
    }

    fn stop(&mut self, mut failure: Failure) {
        mask_failure(self.announcer.secrets(), &mut failure);
        self.failure.get_or_insert(failure);
        self.job.context.cancel.stop.fire();
    }

    /// Counts a batch that is now recorded, and informs everyone.
    fn publish(&mut self, report: BatchReport) {
        self.stats.succeeded += report.succeeded.len() as u64;
        let left_out = report.failed.iter().filter(|failed| failed.left_out).count() as u64;
        let by_hand = report.failed.iter().filter(|failed| failed.failure.kind.is_by_hand()).count() as u64;
        self.stats.failed += report.failed.len() as u64 - left_out;
        self.stats.cancelled += by_hand;
        self.stats.bad_rows += left_out - by_hand;
        // Running half of a batch again does not count as an attempt.
        let again = report.retries.iter().filter(|(batch, _, _)| batch.attempt > report.attempt);
        self.stats.retried += again.map(|(batch, _, _)| batch.items.len() as u64).sum::<u64>();
        self.stats.bytes_done += report.bytes;
        self.stats.total = self.stats.total.max(self.stats.settled());
        self.stats.duration = self.job.started.elapsed();
        let policy = self.job.settings.failures;
        if !policy.continue_on_error
            && let Some(failed) = report.failed.iter().find(|failed| !failed.left_out)
        {
            self.stop(failed.failure.clone());
        }
        let too_many = policy.max_failures.filter(|_| !report.failed.is_empty());
        if let Some(failure) = too_many.and_then(|most| too_many_so_far(most, self.total, &self.stats)) {
            self.stop(failure);
        }
        let event = Event::BatchFinished { name: self.step.clone(), report, stats: self.stats };
        self.announcer.tell(&event);
        if let Event::BatchFinished { report, .. } = event
            && let Some(failure) = self.recorder.take(report)
        {
            self.stop(failure);
        }
    }
}

/// What to retry of a batch, and after which delay.
fn again(report: &BatchReport) -> impl Iterator<Item = (Batch, Duration)> {
    report.retries.iter().map(|(batch, delay, _)| (batch.clone(), *delay))
}
