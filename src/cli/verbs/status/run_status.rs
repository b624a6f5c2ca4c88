//! What the ledger says about a run and its steps.

use crate::ledger::{LedgerError, Reader, RunRecord, StepRecord};
use crate::model::{RunId, Stats, Status, StepReport};
use crate::report::RunningStep;
use std::time::Duration;

/// The status of a run.
pub(super) struct RunStatus {
    pub(super) id: RunId,
    pub(super) record: RunRecord,
    pub(super) steps: Vec<StepStatus>,
    /// Milliseconds since 1970, UTC.
    pub(super) now: i64,
}

/// The status of a step.
pub(super) struct StepStatus {
    pub(super) record: StepRecord,
    /// For how long it ran, or has been running.
    pub(super) took: Duration,
    /// How many items the latest execution has brought to an outcome.
    pub(super) done_lately: u64,
}

impl RunStatus {
    pub(super) fn read(reader: &Reader) -> Result<Self, LedgerError> {
        let now = jiff::Timestamp::now().as_millisecond();
        let (record, steps) = (reader.run()?, reader.steps()?);
        let steps = steps.into_iter().map(|step| StepStatus::read(reader, step, (record.status, now)));
        let steps = steps.collect::<Result<_, _>>()?;
        Ok(Self { id: reader.folder().run.clone(), record, steps, now })
    }

    pub(super) fn took(&self) -> Duration {
        let end = self.record.finished.filter(|_| self.record.status != Status::Running).unwrap_or(self.now);
        milliseconds(end.saturating_sub(self.record.started))
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
    pub(super) fn report(&self) -> StepReport {
        let StepRecord { name, status, stats, failure, .. } = &self.record;
        // Nothing counts them if its process was killed.
        let left = if *status == Status::Interrupted { stats.total.saturating_sub(stats.settled()) } else { 0 };
        let skipped = stats.skipped.max(left);
        let kept = (stats.succeeded + stats.failed).saturating_sub(self.done_lately);
        let stats = Stats { skipped, kept, duration: self.took, ..*stats };
        StepReport { name: name.clone(), status: *status, stats, failure: failure.clone() }
    }

    pub(super) fn running(&self) -> RunningStep {
        let StepRecord { name, stats, started, .. } = &self.record;
        let done = (stats.succeeded + stats.failed).saturating_sub(self.done_lately);
        RunningStep { name: name.clone(), stats: *stats, started: *started, done }
    }
}

fn milliseconds(time: i64) -> Duration {
    Duration::from_millis(u64::try_from(time).unwrap_or(0))
}
