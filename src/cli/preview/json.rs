//! A plan for programs.

use super::row_count::RowCount;
use super::steps::PlannedStep;
use crate::compile::{OpenBatch, Prepared};
use crate::spec::BatchSize;
use crate::text::Secrets;
use serde_json::{Value, json};

/// The plan as one JSON object.
pub fn to_json(prepared: &Prepared, steps: &[PlannedStep<'_>]) -> Value {
    let steps: Vec<Value> = steps.iter().map(|planned| step(planned, &prepared.secrets)).collect();
    let python = prepared
        .python
        .as_ref()
        .map(|python| json!({ "executable": python.executable, "version": python.version, "from": python.found.by }));
    json!({ "workflow": prepared.workflow.name, "python": python, "steps": steps })
}

fn step(planned: &PlannedStep<'_>, secrets: &Secrets) -> Value {
    let work = planned.open.as_ref().map(|open| work(open, planned.rows.as_ref(), secrets));
    json!({
        "name": planned.step.name(), "type": planned.step.program.type_name(), "is_batch": planned.step.is_batch(),
        "work": work,
    })
}

fn work(open: &OpenBatch, rows: Option<&RowCount>, secrets: &Secrets) -> Value {
    let (settings, lane) = (&open.settings, &open.settings.lane);
    let totals = rows.map(|rows| rows.totals);
    let items = totals.map_or(settings.total, |totals| Some(totals.items));
    let batches = totals.map_or(lane.batches, |totals| totals.batches);
    let batch_size = match settings.batch_size {
        BatchSize::Auto => json!("auto"),
        BatchSize::Exactly(size) => json!(size),
    };
    let first =
        open.items.first_json().and_then(|item| serde_json::from_str::<Value>(&secrets.masked_json(&item)).ok());
    json!({
        "items": items, "batch_size": batch_size, "batches": batches, "workers": lane.width, "auto_workers": settings.first_width.is_some(),
        "files": rows.map(RowCount::to_json),
        "batched": lane.batched, "batched_because": settings.batched_because, "first_item": first,
        "max_attempts": settings.retry.max_attempts, "known_total": open.items.source.total().is_some(),
    })
}
