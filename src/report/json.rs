//! Events as JSON lines, for programs. A terminal can show them too.
//!
//! The schema of the lines is a promise: `events.schema.json` describes each of them, and the tests check every event of
//! every run against it.

use crate::measure::wall_clock;
use crate::model::{Event, Failure, Listener, StepLoad, StepReport};
use crate::text::escape_json;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// The version of the schema; it rises if a key goes, or changes its meaning, unit or type.
const EVENTS_VERSION: u32 = 1;

/// How a file of events begins.
pub const EVENTS_START: &str = r#"{"event":"#;

/// The JSON Schema of one line.
pub const EVENTS_SCHEMA: &str = include_str!("events.schema.json");

/// Writes each event as one line of JSON with the keys `event` and `time`.
pub struct JsonProgress<W>(pub W);

impl<W: Write> JsonProgress<W> {
    /// Writes an event, in one write.
    pub(super) fn write(&mut self, event: &Event) -> io::Result<()> {
        self.0.write_all(format!("{}\n", escape_json(&line(event))).as_bytes())
    }
}

impl<W: Write + Send> Listener for JsonProgress<W> {
    fn event(&mut self, event: &Event) {
        // If the reader is gone, there is no one to tell.
        drop(self.write(event));
    }
}

/// An event as a line: its name, the time in milliseconds since 1970, then what is its own.
fn line(event: &Event) -> String {
    let (name, fields) = fields(event);
    let mut line = json!({ "event": name, "time": wall_clock().as_millisecond() });
    if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
        line.extend(fields);
    }
    line.to_string()
}

fn fields(event: &Event) -> (&'static str, Value) {
    match event {
        Event::RunStarted { run, workflow, steps } => {
            let program = env!("CARGO_PKG_VERSION");
            let fields = json!({ "version": EVENTS_VERSION, "batchmill": program, "run": run, "workflow": workflow, "steps": steps });
            ("run_started", fields)
        }
        Event::StepSortedOut { name, total, reasons } => {
            let why: Map<_, _> = reasons.iter().map(|(why, count)| (why.clone(), json!(count))).collect();
            let run: u64 = reasons.iter().map(|(_, count)| count).sum();
            ("step_sorted_out", json!({ "step": name, "total": total, "will_run": run, "because": why }))
        }
        Event::StepStarted { name, total, done, bytes, bytes_done, slots } => {
            let fields = json!({
                "step": name, "total": total, "done": done, "bytes": bytes, "bytes_done": bytes_done, "workers": slots,
            });
            ("step_started", fields)
        }
        Event::BatchFinished { name, report, stats } => {
            let failed = report.failed.iter().map(|failed| {
                json!({ "index": failed.index, "type": failed.failure.class, "error": failed.failure.message, "attempts": failed.attempts })
            });
            let fields = json!({
                "step": name, "batch": report.number, "batches": report.batches, "attempt": report.attempt,
                "succeeded": report.succeeded.len(), "failed": failed.collect::<Vec<_>>(), "bytes_done": stats.bytes_done,
                "stats": stats.to_json(),
            });
            ("batch_finished", fields)
        }
        Event::StepLoad { name, load } => {
            let StepLoad { busy_slots, cores, memory, waiting, width, paused } = load;
            let load = json!({
                "step": name, "busy_workers": busy_slots, "cores": cores, "memory": memory, "waiting": waiting,
                "workers": width, "paused": paused,
            });
            ("step_load", load)
        }
        Event::ItemSlow { name, index, item, running } => {
            let running = running.as_secs_f64();
            ("item_slow", json!({ "step": name, "index": index, "item": item, "running": running }))
        }
        Event::Notice { name, text } => ("notice", json!({ "step": name, "text": text })),
        Event::StepFinished(StepReport { name, status, stats, failure }) => {
            let failure = failure.as_ref().map(failure_json);
            ("step_finished", json!({ "step": name, "status": status, "stats": stats.to_json(), "failure": failure }))
        }
        Event::RunFinished(summary) => ("run_finished", json!({ "run": summary.run, "status": summary.status })),
    }
}

/// What stopped a step. Every key is always there.
fn failure_json(failure: &Failure) -> Value {
    let Failure { kind, class, message, detail, code, .. } = failure;
    json!({ "kind": kind, "type": class, "message": message, "detail": detail, "code": code })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_the_version_of_the_events() {
        let schema: Value = serde_json::from_str(EVENTS_SCHEMA).unwrap();
        assert_eq!(schema["$defs"]["run_started"]["properties"]["version"]["const"], EVENTS_VERSION);
    }
}
