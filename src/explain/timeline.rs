//! The time line of a step in as few bytes as possible, for the page's own drawing code.

use super::step::StepFigures;
use crate::measure::{FrameSpan, SlotState};
use serde_json::{Value, json};

/// The time lines of all steps. Steps get exact ones as long as there is room for their frames, the shortest first; the others
/// are shown by their samples.
pub(super) fn timelines(steps: &[StepFigures], most_frames: usize) -> Vec<Value> {
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by_key(|at| steps[*at].frames.len());
    let (mut room, mut exact) = (most_frames, vec![false; steps.len()]);
    for at in order {
        let frames = steps[at].frames.len();
        exact[at] = frames > 0 && frames <= room;
        room -= if exact[at] { frames } else { 0 };
    }
    steps.iter().zip(exact).map(|(step, exact)| timeline(step, exact)).collect()
}

fn timeline(step: &StepFigures, exact: bool) -> Value {
    let slots = step.time.as_ref().map_or(0, |time| time.slots);
    let mut line = json!({ "name": step.name, "slots": slots, "length": step.samples.at.last(), "exact": exact });
    if exact {
        line["frames"] = frames(&step.frames);
    } else {
        line["bins"] = bins(step, slots);
    }
    line
}

/// Frames as columns. Times are in tenths of milliseconds; the ends are differences, which are short.
fn frames(frames: &[FrameSpan]) -> Value {
    let tenths = |micros: u64| (micros + 50) / 100;
    let mut frames: Vec<&FrameSpan> = frames.iter().collect();
    frames.sort_by_key(|frame| frame.started);
    let mut last = 0;
    let started: Vec<u64> = frames
        .iter()
        .map(|frame| tenths(frame.started) - std::mem::replace(&mut last, tenths(frame.started)))
        .collect();
    let column = |value: fn(&FrameSpan) -> u64| frames.iter().map(|frame| value(frame)).collect::<Vec<_>>();
    json!({
        "slot": column(|frame| frame.slot),
        "start": started,
        "took": frames.iter().map(|frame| tenths(frame.took)).collect::<Vec<_>>(),
        "batch": column(|frame| frame.batch),
        "batches": column(|frame| frame.batches),
        "ok": column(|frame| frame.succeeded),
        "failed": column(|frame| frame.failed),
        "retried": column(|frame| frame.retried),
    })
}

/// How busy each slot was in each sample, in percent.
fn bins(step: &StepFigures, slots: usize) -> Value {
    let busy = |slot: usize| {
        let samples = step.joined.series.samples().iter().map(|sample| {
            let times = sample.slots.get(slot).copied().unwrap_or_default();
            let busy: u64 =
                SlotState::ALL.iter().filter(|state| state.is_busy()).map(|state| times[*state as usize]).sum();
            100 * busy / sample.took.max(1)
        });
        samples.collect::<Vec<_>>()
    };
    json!({
        "at": step.samples.at, "took": step.samples.took, "failed": step.samples.failed, "retried": step.samples.retried,
        "busy": (0..slots).map(busy).collect::<Vec<_>>(),
    })
}
