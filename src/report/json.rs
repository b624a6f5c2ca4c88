//! Progress as JSON lines, for programs. A terminal can show them too.

use crate::model::{Event, Listener};
use crate::text::escape_json;
use serde_json::{Value, json};
use std::io::Write;

/// Writes each event as one line of JSON with the key `event`.
pub struct JsonProgress<W>(pub W);

impl<W: Write + Send> Listener for JsonProgress<W> {
    fn event(&mut self, event: &Event) {
        // One write per event. If the reader is gone, there is no one to tell.
        drop(self.0.write_all(format!("{}\n", escape_json(&line(event).to_string())).as_bytes()));
    }
}

fn line(event: &Event) -> Value {
    match event {
        Event::RunStarted { run, workflow, steps } => {
            json!({ "event": "run_started", "run": run, "workflow": workflow, "steps": steps })
        }
        Event::StepStarted { name, total, done, bytes, bytes_done, slots } => json!({
            "event": "step_started", "step": name, "total": total, "done": done, "bytes": bytes, "bytes_done": bytes_done,
            "workers": slots,
        }),
        Event::BatchFinished { name, report, stats } => {
            let failed = report.failed.iter().map(|failed| {
                json!({ "index": failed.index, "type": failed.failure.class, "error": failed.failure.message, "attempts": failed.attempts })
            });
            json!({
                "event": "batch_finished", "step": name, "batch": report.number, "batches": report.batches,
                "attempt": report.attempt, "succeeded": report.succeeded.len(), "failed": failed.collect::<Vec<_>>(),
                "bytes_done": stats.bytes_done, "stats": stats.to_json(),
            })
        }
        Event::StepLoad { name, load } => json!({
            "event": "step_load", "step": name, "busy_workers": load.busy_slots, "cores": load.cores, "memory": load.memory,
            "waiting": load.waiting,
        }),
        Event::ItemSlow { name, index, running } => {
            json!({ "event": "item_slow", "step": name, "index": index, "running": running.as_secs_f64() })
        }
        Event::StepSortedOut { name, total, reasons } => {
            let why: serde_json::Map<_, _> = reasons.iter().map(|(why, count)| (why.clone(), json!(count))).collect();
            let run: u64 = reasons.iter().map(|(_, count)| count).sum();
            json!({ "event": "step_sorted_out", "step": name, "total": total, "will_run": run, "because": why })
        }
        Event::Notice { name, text } => json!({ "event": "notice", "step": name, "text": text }),
        Event::StepFinished(report) => json!({
            "event": "step_finished", "step": report.name, "status": report.status, "stats": report.stats.to_json(),
            "failure": report.failure,
        }),
        Event::RunFinished(summary) => json!({ "event": "run_finished", "run": summary.run, "status": summary.status }),
    }
}
