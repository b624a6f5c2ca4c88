//! The measurements of several executions as one, as if they had followed each other at once.

use crate::measure::{FrameSpan, HostLog, ItemStats, MOST_FRAMES, Measurements, Sample, Series};
use serde::Serialize;

/// The measurements of a step over all executions of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Joined {
    pub(super) series: Series,
    pub(super) items: ItemStats,
    pub(super) hosts: HostLog,
    pub(super) width: Option<String>,
    /// All frames; none if there were too many in one of the executions.
    pub(super) frames: Vec<FrameSpan>,
    pub(super) frame_count: u64,
    /// Where the second and later executions begin, in microseconds.
    pub(super) resumed: Vec<u64>,
}

impl Joined {
    pub(super) fn of(executions: Vec<(i64, Measurements)>) -> Self {
        let mut joined = Self::default();
        let (mut before, mut complete) = (0, true);
        for (_, Measurements { series, frames, items, hosts, width }) in executions {
            let length = series.samples().last().map_or(0, |sample| sample.at);
            if before > 0 && length > 0 {
                joined.resumed.push(before);
            }
            for sample in series.samples() {
                joined.series.push(Sample { at: before + sample.at, ..sample.clone() });
            }
            complete &= frames.is_complete();
            let moved = |frame: &FrameSpan| FrameSpan { started: before + frame.started, ..*frame };
            joined.frames.extend(frames.frames().iter().map(moved));
            joined.frame_count += frames.count();
            joined.items.add(&items);
            joined.hosts.add(&hosts);
            joined.width = width.or(joined.width);
            before += length;
        }
        if !complete || joined.frames.len() > MOST_FRAMES {
            joined.frames = Vec::new();
        }
        joined
    }

    /// The samples as columns.
    pub(super) fn columns(&self) -> Columns {
        let mut columns = Columns::default();
        for sample in self.series.samples() {
            let took = sample.took.max(1) as f64 / 1e6;
            columns.at.push(sample.at as f64 / 1e6);
            columns.took.push(sample.took as f64 / 1e6);
            columns.succeeded.push(sample.succeeded);
            columns.failed.push(sample.failed);
            columns.retried.push(sample.retried);
            columns.bytes.push(sample.bytes);
            columns.busy_slots.push(round(sample.busy_slots()));
            columns.queued.push(sample.queued);
            columns.waiting.push(sample.waiting);
            columns.engine_cores.push(round(sample.usage.engine_cpu as f64 / 1e6 / took));
            columns.task_cores.push(round(sample.usage.task_cpu as f64 / 1e6 / took));
            columns.engine_memory.push(sample.usage.engine_memory);
            columns.task_memory.push(sample.usage.task_memory);
            columns.read.push(sample.usage.read);
            columns.written.push(sample.usage.written);
            columns.throttled.push(round(sample.usage.throttled as f64 / 1e6));
            columns.cpu_pressure.push(round(sample.usage.cpu_pressure as f64 / 1e6 / took));
            columns.memory_pressure.push(round(sample.usage.memory_pressure as f64 / 1e6 / took));
            columns.io_pressure.push(round(sample.usage.io_pressure as f64 / 1e6 / took));
        }
        columns
    }
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// What happened when: one value of each column per sample.
#[derive(Debug, Clone, Default, Serialize)]
// More than 12 fields: each is a different measure.
pub struct Columns {
    /// When the sample ended, in seconds from the start of the step.
    pub at: Vec<f64>,
    /// How long it was, in seconds.
    pub took: Vec<f64>,
    /// Items that succeeded.
    pub succeeded: Vec<u64>,
    /// Items that failed.
    pub failed: Vec<u64>,
    /// Items to be tried again.
    pub retried: Vec<u64>,
    /// Bytes of the source's files that were done.
    pub bytes: Vec<u64>,
    /// How many slots were busy on average.
    pub busy_slots: Vec<f64>,
    /// Frames that waited for a slot.
    pub queued: Vec<u64>,
    /// Batches that waited for a retry.
    pub waiting: Vec<u64>,
    /// How many cores the engine used.
    pub engine_cores: Vec<f64>,
    /// How many cores the tasks used.
    pub task_cores: Vec<f64>,
    /// Memory of the engine, in bytes.
    pub engine_memory: Vec<u64>,
    /// Memory of the tasks, in bytes.
    pub task_memory: Vec<u64>,
    /// Bytes read from storage.
    pub read: Vec<u64>,
    /// Bytes written to storage.
    pub written: Vec<u64>,
    /// Seconds for which the CPU limit of the control group kept processes from running.
    pub throttled: Vec<f64>,
    /// The share of the time in which some process of the machine waited for a CPU.
    pub cpu_pressure: Vec<f64>,
    /// The same for memory.
    pub memory_pressure: Vec<f64>,
    /// The same for input and output.
    pub io_pressure: Vec<f64>,
}
