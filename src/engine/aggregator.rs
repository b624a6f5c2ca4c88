//! The aggregator: the one place where what slots report becomes durable, is counted, and is told to others.

use super::feeder::Settled;
use super::secrets::Secrets;
use super::slot::SlotEvent;
use super::slow::Slow;
use super::step::too_many;
use crate::export::StreamedOutput;
use crate::ledger::{LedgerError, Printed, StepLedger};
use crate::model::{Batch, BatchReport, Event, Failure, Listener, Stats, StepName};
use crate::spec::MaxFailures;
use crate::task::Cancel;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::error::Error;
use std::time::{Duration, Instant};

/// Rows of at most so many batches share a transaction.
const MOST_ROWS: usize = 4096;

/// Time between two looks of the listeners at the clock while nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// Works on one step.
pub(super) struct Aggregator<'a> {
    pub(super) step: StepName,
    pub(super) ledger: &'a mut StepLedger,
    pub(super) listeners: &'a mut [Box<dyn Listener>],
    pub(super) secrets: &'a Secrets,
    /// The file of the step's results, where it is written while they come.
    pub(super) streamed: Option<StreamedOutput>,
    pub(super) continue_on_error: bool,
    pub(super) max_failures: Option<MaxFailures>,
    /// How many items there are, where that is known before they are read.
    pub(super) total: Option<u64>,
    pub(super) slow: Slow,
    pub(super) cancel: Cancel,
    pub(super) stats: Stats,
    pub(super) started: Instant,
    /// What stopped the step: its first failure where failures are not tolerated.
    pub(super) failure: Option<Failure>,
    /// Set when the step cannot go on at all.
    pub(super) broken: bool,
    pub(super) nulls: u64,
}

impl Aggregator<'_> {
    /// Consumes events until the last slot is gone. After trouble with the ledger it goes on to drain the channel, so that
    /// no slot waits for it.
    pub(super) fn run(&mut self, events: &Receiver<SlotEvent>, settled: &Sender<Settled>) -> Result<(), LedgerError> {
        let mut trouble = None;
        loop {
            if self.slow.is_due() {
                self.tell_slow();
            }
            let first = match events.recv_timeout(TICK) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => {
                    self.listeners.iter_mut().for_each(|listener| listener.tick());
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let mut reports = Vec::new();
            let mut next = Some(first);
            while let Some(event) = next {
                self.take(event, &mut reports);
                next = if reports.len() < MOST_ROWS { events.try_recv().ok() } else { None };
            }
            if trouble.is_none() {
                let began = Instant::now();
                let noted = self.ledger.note_item_files(&reports);
                trouble = noted.and_then(|()| self.ledger.record(&reports)).err();
                self.stats.ledger += began.elapsed();
            }
            if trouble.is_some() {
                // What is not in the ledger did not happen, so nothing more is begun and nobody is told.
                self.cancel.stop.fire();
                self.cancel.kill.fire();
                continue;
            }
            let settlement = Settled { batches: reports.len(), retries: reports.iter().flat_map(again).collect() };
            reports.into_iter().for_each(|report| self.publish(report));
            // The feeder is gone once the step stops; then nobody waits for this.
            drop(settled.send(settlement));
        }
        trouble.map_or(Ok(()), Err)
    }

    fn take(&mut self, event: SlotEvent, reports: &mut Vec<BatchReport>) {
        match event {
            SlotEvent::Finished(frame) => {
                reports.extend(frame.into_iter().map(|mut report| {
                    self.secrets.mask_report(&mut report);
                    report
                }));
            }
            SlotEvent::Log(item, mut log) => {
                self.secrets.mask(&mut log.text);
                // What tasks print is not worth a result: the run goes on without it.
                let printed = Printed { item, stream: log.stream, text: log.text };
                if let Err(error) = self.ledger.log(&printed) {
                    let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
                    self.notice(format!("warning: {error}{cause}; what tasks print is not kept, results are"));
                }
            }
            SlotEvent::Notice(text) => self.notice(text),
            SlotEvent::Nulls(count) => self.nulls += count,
            SlotEvent::Broken(failure) => {
                self.broken = true;
                self.stop(failure);
            }
        }
    }

    /// Tells the listeners something for the person in front of the screen.
    pub(super) fn notice(&mut self, mut text: String) {
        self.secrets.mask(&mut text);
        let event = Event::Notice { name: self.step.clone(), text };
        self.listeners.iter_mut().for_each(|listener| listener.event(&event));
    }

    /// Names items that have been under way for long.
    fn tell_slow(&mut self) {
        let done = u32::try_from(self.stats.succeeded + self.stats.failed).unwrap_or(u32::MAX);
        let average = self.started.elapsed().checked_div(done).unwrap_or_default();
        for (index, running) in self.slow.look(average) {
            let event = Event::ItemSlow { name: self.step.clone(), index, running };
            self.listeners.iter_mut().for_each(|listener| listener.event(&event));
        }
    }

    /// Whether more items failed than are tolerated. A share of a total that is not known yet is taken of what is done, once
    /// that is enough to tell.
    fn too_many(&self) -> Option<Failure> {
        const ENOUGH: u64 = 100;
        let most = self.max_failures?;
        let done = self.stats.succeeded + self.stats.failed;
        let of = match (most, self.total) {
            (MaxFailures::Percent(_), None) if done < ENOUGH => return None,
            (_, total) => total.unwrap_or(done),
        };
        most.is_passed(self.stats.failed, of).then(|| too_many(most, &self.stats))
    }

    fn stop(&mut self, mut failure: Failure) {
        self.secrets.mask_failure(&mut failure);
        self.failure.get_or_insert(failure);
        self.cancel.stop.fire();
    }

    /// Counts a batch that is durable now, and tells everybody.
    fn publish(&mut self, report: BatchReport) {
        self.stats.succeeded += report.succeeded.len() as u64;
        let left_out = report.failed.iter().filter(|failed| failed.left_out).count() as u64;
        self.stats.failed += report.failed.len() as u64 - left_out;
        self.stats.bad_rows += left_out;
        let again: u64 = report.retries.iter().map(|(batch, _, _)| batch.items.len() as u64).sum();
        self.stats.retried += again;
        self.stats.bytes_done += report.bytes;
        self.stats.total = self.stats.total.max(self.stats.settled());
        self.stats.duration = self.started.elapsed();
        if !self.continue_on_error
            && let Some(failed) = report.failed.iter().find(|failed| !failed.left_out)
        {
            self.stop(failed.failure.clone());
        }
        if let Some(failure) = self.too_many().filter(|_| !report.failed.is_empty()) {
            self.stop(failure);
        }
        let event = Event::BatchFinished { name: self.step.clone(), report, stats: self.stats };
        self.listeners.iter_mut().for_each(|listener| listener.event(&event));
        if let (Some(streamed), Event::BatchFinished { report, .. }) = (&mut self.streamed, event) {
            streamed.take(report);
        }
    }
}

/// What of a batch is to be tried again, and after what time.
fn again(report: &BatchReport) -> impl Iterator<Item = (Batch, Duration)> {
    report.retries.iter().map(|(batch, delay, _)| (batch.clone(), *delay))
}
