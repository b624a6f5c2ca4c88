//! A run in Chrome's trace format, which Perfetto and `chrome://tracing` open.
//!
//! The format is the JSON Array Format of the Trace Event Format by Google: one complete event (`X`) per frame, with times in
//! microseconds. Each step is a process, each of its slots a thread.

use super::figures::Figures;
use super::step::StepFigures;
use crate::measure::FrameSpan;
use serde_json::{Value, json};
use std::io::{self, Write};

/// Writes the trace of a run. A step with too many frames shows only how many of its slots were busy.
///
/// # Errors
/// If it cannot be written.
pub fn trace(figures: &Figures, out: &mut dyn Write) -> io::Result<()> {
    let mut separator = "[\n";
    let mut offset = 0;
    for (step, process) in figures.steps.iter().zip(1_u64..) {
        for event in events(step, process, offset) {
            write!(out, "{separator}{event}")?;
            separator = ",\n";
        }
        offset += (step.seconds * 1e6) as u64;
    }
    if separator == "[\n" {
        write!(out, "[")?;
    }
    writeln!(out, "\n]")
}

fn events(step: &StepFigures, process: u64, offset: u64) -> impl Iterator<Item = Value> + '_ {
    let name = json!({ "name": "process_name", "ph": "M", "pid": process, "args": { "name": step.name } });
    let slots = step.time.as_ref().map_or(0, |time| time.slots as u64);
    let threads = (0..slots).map(move |slot| {
        json!({ "name": "thread_name", "ph": "M", "pid": process, "tid": slot + 1, "args": { "name": format!("slot {slot}") } })
    });
    let frames = step.frames.iter().map(move |frame| frame_event(frame, process, offset));
    let samples = &step.samples;
    let busy = samples.at.iter().zip(&samples.took).zip(&samples.busy_slots).map(move |((at, took), busy)| {
        let at = offset as f64 + 1e6 * (at - took);
        json!({ "name": "busy slots", "ph": "C", "pid": process, "ts": at, "args": { "slots": busy } })
    });
    std::iter::once(name).chain(threads).chain(frames).chain(busy)
}

fn frame_event(frame: &FrameSpan, process: u64, offset: u64) -> Value {
    let last = frame.batch + frame.batches.max(1) - 1;
    let name = if last == frame.batch { format!("batch {last}") } else { format!("batches {} to {last}", frame.batch) };
    let category = if frame.failed > 0 {
        "failed"
    } else if frame.retried > 0 {
        "retried"
    } else {
        "ok"
    };
    json!({
        "name": name, "cat": category, "ph": "X", "pid": process, "tid": frame.slot + 1, "ts": offset + frame.started,
        "dur": frame.took,
        "args": { "succeeded": frame.succeeded, "failed": frame.failed, "retried": frame.retried },
    })
}
