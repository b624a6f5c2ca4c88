//! What the ledger says about a run and its steps.

use crate::ledger::{LedgerError, Reader, RunRecord, StepRecord};
use crate::measure::wall_clock;
use crate::model::{RunId, Stats, Status, StepReport};
use crate::report::{RunningStep, UnderWay};
use std::time::Duration;

/// The status of a run.
#[derive(Debug)]
pub struct RunStatus {
    /// Its ID.
    pub id: RunId,
    /// The run.
    pub record: RunRecord,
    /// The steps that were started.
    pub steps: Vec<StepStatus>,
    /// When this was read: milliseconds since 1970, UTC.
    pub now: i64,
}

/// The status of a step.
#[derive(Debug)]
pub struct StepStatus {
    /// The step.
    pub record: StepRecord,
    /// For how long it ran, or has been running.
    pub took: Duration,
    /// How many items the latest execution has brought to an outcome.
    pub done_lately: u64,
}

impl RunStatus {
    /// Reads it.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn read(reader: &Reader) -> Result<Self, LedgerError> {
        let now = wall_clock().as_millisecond();
        let (record, steps) = (reader.run()?, reader.steps()?);
        let steps = steps.into_iter().map(|step| StepStatus::read(reader, step, (record.status, now)));
        let steps = steps.collect::<Result<_, _>>()?;
        Ok(Self { id: reader.folder().run.clone(), record, steps, now })
    }

    /// For how long it ran, or has been running, with the time between its executions.
    pub fn took(&self) -> Duration {
        let end = self.record.finished.filter(|_| self.record.status != Status::Running).unwrap_or(self.now);
        milliseconds(end.saturating_sub(self.record.started))
    }

    /// The run while it is running. `note` is the progress that it saves.
    pub fn under_way(&self, note: Option<&[u8]>) -> UnderWay {
        let (running, over): (Vec<_>, Vec<_>) =
            self.steps.iter().partition(|step| step.record.status == Status::Running);
        let over = over.into_iter().map(StepStatus::report).collect();
        let run = UnderWay::new(self.id.clone(), self.took(), over);
        match running.last() {
            Some(step) => run.with_running(step.running(), note, self.now),
            None => run,
        }
    }
}

impl StepStatus {
    fn read(reader: &Reader, record: StepRecord, (run, now): (Status, i64)) -> Result<Self, LedgerError> {
        let step = reader.open_step(record);
        let record = &step.record;
        let took = match (run, record.status) {
            (Status::Running, Status::Running) => milliseconds(now.saturating_sub(record.started)),
            // Its process was killed. What was measured tells how long it ran, up to a second or so.
            (_, Status::Interrupted) if record.stats.duration.is_zero() => {
                let last = step.measurements().unwrap_or_default().pop();
                Duration::from_micros(last.map_or(0, |(_, measured)| measured.series.total().at))
            }
            _ => record.stats.duration,
        };
        let done_lately = step.done_lately()?;
        Ok(Self { record: step.record, took, done_lately })
    }

    /// How it ended, or how far it came if its process was killed.
    pub fn report(&self) -> StepReport {
        let StepRecord { name, status, stats, failure, .. } = &self.record;
        // Nothing counts them if its process was killed.
        let left = if *status == Status::Interrupted { stats.total.saturating_sub(stats.settled()) } else { 0 };
        let skipped = stats.skipped.max(left);
        let kept = (stats.succeeded + stats.failed).saturating_sub(self.done_lately);
        let stats = Stats { skipped, kept, duration: self.took, ..*stats };
        StepReport { name: name.clone(), status: *status, stats, failure: failure.clone() }
    }

    fn running(&self) -> RunningStep {
        let StepRecord { name, stats, started, .. } = &self.record;
        let done = (stats.succeeded + stats.failed).saturating_sub(self.done_lately);
        RunningStep { name: name.clone(), stats: *stats, started: *started, done }
    }
}

fn milliseconds(time: i64) -> Duration {
    Duration::from_millis(u64::try_from(time).unwrap_or(0))
}
