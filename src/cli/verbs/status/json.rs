//! The status of a run for programs.

use crate::explain::{RunStatus, StepStatus};
use crate::ledger::{LedgerError, Reader, StepRecord};
use crate::model::Status;
use serde_json::{Value, json};
use std::time::Duration;

impl RunStatus {
    pub(super) fn to_json(&self, reader: &Reader) -> Result<Value, LedgerError> {
        let steps: Result<Vec<_>, _> = self.steps.iter().map(|step| step.to_json(reader)).collect();
        Ok(json!({
            "run_id": self.id, "workflow": self.record.workflow, "path": self.record.path,
            "directory": self.record.folder, "status": self.record.status, "started": self.record.started,
            "finished": self.record.finished, "duration": self.took().as_secs_f64(), "steps": steps?,
        }))
    }
}

impl StepStatus {
    fn to_json(&self, reader: &Reader) -> Result<Value, LedgerError> {
        let StepRecord { name, is_batch, status, stats, failure, .. } = &self.record;
        let output = reader.open_step(self.record.clone()).output()?;
        let output = output.and_then(|noted| serde_json::from_str::<Value>(&noted).ok());
        let failure = failure.as_ref().map(|failure| json!({ "type": failure.class, "message": failure.message }));
        Ok(json!({
            "name": name, "is_batch": is_batch, "status": status, "failure": failure, "stats": stats.to_json(),
            "output": output.map(|noted| noted["path"].clone()), "total": stats.total, "succeeded": stats.succeeded,
            "failed": stats.failed, "cancelled": stats.cancelled, "retried": stats.retried, "skipped": stats.skipped,
            "duration": self.took.as_secs_f64(), "items_per_second": self.items_per_second(),
            "seconds_left": self.left().map(|left| left.as_secs_f64()),
        }))
    }

    fn items_per_second(&self) -> f64 {
        self.done_lately as f64 / self.took.as_secs_f64().max(0.001)
    }

    /// The remaining time of a running step, if it can be estimated.
    fn left(&self) -> Option<Duration> {
        let stats = &self.record.stats;
        let rest = stats.total.saturating_sub(stats.settled());
        let left = Duration::try_from_secs_f64(rest as f64 / self.items_per_second()).ok();
        left.filter(|_| self.record.status == Status::Running && rest > 0)
    }
}
