//! The figures of a step.

use super::advice::limited_by;
use super::causes::{FailureGroup, causes};
use super::histogram::{Bin, bins};
use super::hosts::{HostFigures, hosts};
use super::series::{Columns, Joined};
use crate::ledger::{FailureRecord, LedgerError, StepReader};
use crate::measure::{FrameSpan, ItemStats, ItemUnit, NotedItem, SLOT_STATES, SlotState, SlotTimes};
use crate::model::{Stats, Status};
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

/// What the ledger says about a step.
#[derive(Debug, Clone, Serialize)]
// More than 12 fields: each is a different fact.
pub struct StepFigures {
    /// Its name.
    pub name: String,
    /// Whether it runs its task for each item.
    pub is_batch: bool,
    /// How it is going, or how it ended.
    pub status: Status,
    /// What stopped it.
    pub failure: Option<String>,
    /// Its counts.
    pub counts: Counts,
    /// How long it ran, in all executions of the run that measured it; else in the last one.
    pub seconds: f64,
    /// Items that it finished per second of that time.
    pub items_per_second: f64,
    /// Where its time went; none if an older version ran it.
    pub time: Option<TimeFigures>,
    /// How long its items took.
    pub items: Option<ItemFigures>,
    /// What each machine of a cluster ran; none if all ran on the machine of the engine.
    pub hosts: Vec<HostFigures>,
    /// What `max_parallel: auto` chose, and why; of several executions, the last one that found something.
    pub chosen_width: Option<String>,
    /// The groups of its failures, the largest first.
    pub failures: Vec<FailureGroup>,
    /// Failures beyond the most groups that are counted.
    pub other_failures: u64,
    /// The file of its results.
    pub output: Option<Output>,
    /// What happened when.
    pub samples: Columns,
    /// What each slot ran when.
    #[serde(skip)]
    pub(super) frames: Vec<FrameSpan>,
    #[serde(skip)]
    pub(super) joined: Joined,
    /// The keys of its failed items.
    #[serde(skip)]
    pub(super) failed_keys: Vec<(u64, String)>,
}

/// The counts of a step's items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Items of the step, as far as its source was read.
    pub total: u64,
    /// Items with a result.
    pub succeeded: u64,
    /// Items whose last attempt failed.
    pub failed: u64,
    /// Attempts beyond the first.
    pub retried: u64,
    /// Items that did not run.
    pub skipped: u64,
    /// Items that an incremental run took over.
    pub unchanged: u64,
    /// Bad rows that were skipped.
    pub bad_rows: u64,
    /// Items that the user has cancelled or skipped.
    pub cancelled: u64,
}

/// Where the time of a step went. All times are in seconds.
#[derive(Debug, Clone, Serialize)]
// More than 12 fields: each is a different measure.
pub struct TimeFigures {
    /// The number of slots.
    pub slots: usize,
    /// The time that all slots existed.
    pub slot_seconds: f64,
    /// The share of it in which they worked on items.
    pub busy: f64,
    /// What slots did: for each state, the time of all slots.
    pub states: StateTimes,
    /// The same, slot by slot.
    pub by_slot: Vec<StateTimes>,
    /// What the feeder did.
    pub feeder: FeederTimes,
    /// What the aggregator did.
    pub aggregator: AggregatorTimes,
    /// How the workers of a Python task divided their time.
    pub workers: WorkTimes,
    /// How the requests of an HTTP task divided theirs.
    pub requests: RequestFigures,
    /// CPU time of the engine.
    pub engine_cpu: f64,
    /// CPU time of the tasks.
    pub task_cpu: f64,
    /// The most memory of the engine, of all tasks together, and of one process, in bytes.
    pub memory: Memory,
    /// Bytes read from storage and written to it.
    pub storage: Storage,
    /// For how long the CPU limit of the control group kept processes from running.
    pub throttled: f64,
    /// For how long some process of the machine waited for CPU, memory, and input and output.
    pub pressure: Pressure,
    /// The number of frames that slots ran.
    pub frames: u64,
    /// What limits the step, in a sentence.
    pub limited_by: String,
}

/// A time in seconds for each state of a slot.
pub type StateTimes = IndexMap<&'static str, f64>;

/// What the feeder did, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct FeederTimes {
    /// Reading items.
    pub read: f64,
    /// Waiting, for slots or for items.
    pub wait: f64,
}

/// What the aggregator did, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct AggregatorTimes {
    /// Waiting for outcomes.
    pub wait: f64,
    /// Recording them.
    pub record: f64,
    /// Passing them on.
    pub publish: f64,
}

/// What requests did with the time of their items, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct RequestFigures {
    /// Opening connections.
    pub connect: f64,
    /// Waiting for responses.
    pub wait: f64,
    /// Sending and receiving.
    pub transfer: f64,
}

/// What workers did with the time of their items, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct WorkTimes {
    /// Making objects of items.
    pub decode: f64,
    /// In the task.
    pub task: f64,
    /// Making results of objects.
    pub encode: f64,
}

/// The most memory, in bytes.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Memory {
    /// Of the engine.
    pub engine: u64,
    /// Of all tasks together.
    pub tasks: u64,
    /// Of one process.
    pub largest_process: u64,
}

/// Bytes read from storage and written to it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Storage {
    /// Read.
    pub read: u64,
    /// Written.
    pub written: u64,
}

/// For how long some process of the machine waited, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Pressure {
    /// For a CPU.
    pub cpu: f64,
    /// For memory.
    pub memory: f64,
    /// For input or output.
    pub io: f64,
}

/// The file of a step's results.
#[derive(Debug, Clone, Serialize)]
pub struct Output {
    /// Its path.
    pub path: String,
    /// Its format.
    pub format: String,
    /// Its size now, in bytes; none if it is not there.
    pub bytes: Option<u64>,
}

/// How long items took, in seconds.
#[derive(Debug, Clone, Serialize)]
pub struct ItemFigures {
    /// What the time of an item is.
    pub unit: ItemUnit,
    /// How many times were measured: one for each attempt.
    pub timed: u64,
    /// How many of them are means of several items that were timed together.
    pub grouped: u64,
    /// The mean.
    pub mean: f64,
    /// Half of the items took at most this long.
    pub p50: f64,
    /// 90% of the items did.
    pub p90: f64,
    /// 99% of the items did.
    pub p99: f64,
    /// The longest time.
    pub max: f64,
    /// The distribution.
    pub histogram: Vec<Bin>,
    /// The slowest items.
    pub slowest: Vec<Noted>,
    /// The largest items; their measure is in bytes.
    pub largest: Vec<Noted>,
}

/// An item that stands out.
#[derive(Debug, Clone, Serialize)]
pub struct Noted {
    /// Its index; of a batch, that of its first item.
    pub index: u64,
    /// The attempt.
    pub attempt: u32,
    /// How many items it stands for.
    pub items: u64,
    /// Its time in seconds; none for the largest items.
    pub seconds: Option<f64>,
    /// Its size in bytes; none for the slowest items.
    pub bytes: Option<u64>,
    /// The beginning of its input.
    pub input: String,
}

impl StepFigures {
    /// Reads the figures of a step.
    pub(super) fn read(step: &StepReader<'_>, folder: &Path) -> Result<Self, LedgerError> {
        let joined = Joined::of(step.measurements()?);
        let record = &step.record;
        let stats = record.stats;
        let total = joined.series.total();
        let measured = total.took as f64 / 1e6;
        let seconds = if total.took > 0 { measured } else { stats.duration.as_secs_f64() };
        let ran = if total.took > 0 { total.succeeded + total.failed } else { stats.ran() };
        let failures: Vec<FailureRecord> = step.failures()?.into_iter().filter(|failed| !failed.left_out).collect();
        let (groups, other_failures) = causes(&record.name, &failures);
        Ok(Self {
            name: record.name.as_str().to_owned(),
            is_batch: record.is_batch,
            status: record.status,
            failure: record.failure.as_ref().map(|failure| format!("{}: {}", failure.class, failure.message)),
            counts: counts(&stats),
            seconds,
            items_per_second: if seconds > 0.0 { ran as f64 / seconds } else { 0.0 },
            time: (total.took > 0).then(|| time(&joined)),
            hosts: hosts(&joined.hosts),
            chosen_width: joined.width.clone(),
            items: (joined.items.count() > 0).then(|| items(&joined.items)),
            failed_keys: failures.iter().map(|failed| (failed.index, failed.key.clone())).collect(),
            failures: groups,
            other_failures,
            output: step.output()?.and_then(|note| output(&note, folder)),
            samples: joined.columns(),
            frames: joined.frames.clone(),
            joined,
        })
    }
}

/// The output file that was noted. `folder` is where the run was started.
fn output(note: &str, folder: &Path) -> Option<Output> {
    let note: Value = serde_json::from_str(note).ok()?;
    let (path, format) = (note["path"].as_str()?.to_owned(), note["format"].as_str()?.to_owned());
    Some(Output { bytes: size(&folder.join(&path)), path, format })
}

/// The size of a file, or of the files in a directory of parts.
fn size(path: &Path) -> Option<u64> {
    let found = path.metadata().ok()?;
    if !found.is_dir() {
        return Some(found.len());
    }
    let entries = path.read_dir().ok()?.flatten();
    Some(entries.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum())
}

fn counts(stats: &Stats) -> Counts {
    let Stats { total, succeeded, failed, retried, skipped, unchanged, bad_rows, cancelled, .. } = *stats;
    Counts { total: total.max(stats.settled()), succeeded, failed, retried, skipped, unchanged, bad_rows, cancelled }
}

fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

fn by_state(times: &SlotTimes) -> StateTimes {
    SlotState::ALL.iter().map(|state| (state.name(), seconds(times[*state as usize]))).collect()
}

fn time(joined: &Joined) -> TimeFigures {
    let total = joined.series.total();
    let times = joined.series.slot_times();
    let slot_time: u64 = times.iter().sum();
    let busy: u64 = SlotState::ALL.iter().filter(|state| state.is_busy()).map(|state| times[*state as usize]).sum();
    let usage = total.usage;
    let [decode, task, encode] = total.workers.map(seconds);
    let [connect, wait, transfer] = total.requests.map(seconds);
    let (slots, none) = (total.slots.len(), [0; SLOT_STATES]);
    TimeFigures {
        slots,
        slot_seconds: seconds(slot_time),
        busy: busy as f64 / slot_time.max(1) as f64,
        states: by_state(&times),
        by_slot: (0..slots).map(|slot| by_state(total.slots.get(slot).unwrap_or(&none))).collect(),
        feeder: FeederTimes { read: seconds(total.feeder[0]), wait: seconds(total.feeder[1]) },
        aggregator: AggregatorTimes {
            wait: seconds(total.aggregator[0]),
            record: seconds(total.aggregator[1]),
            publish: seconds(total.aggregator[2]),
        },
        workers: WorkTimes { decode, task, encode },
        requests: RequestFigures { connect, wait, transfer },
        engine_cpu: seconds(usage.engine_cpu),
        task_cpu: seconds(usage.task_cpu),
        memory: Memory {
            engine: usage.engine_memory,
            tasks: usage.task_memory,
            largest_process: usage.largest_process,
        },
        storage: Storage { read: usage.read, written: usage.written },
        throttled: seconds(usage.throttled),
        pressure: Pressure {
            cpu: seconds(usage.cpu_pressure),
            memory: seconds(usage.memory_pressure),
            io: seconds(usage.io_pressure),
        },
        frames: joined.frame_count,
        limited_by: limited_by(&total, &times, (!joined.hosts.is_empty()).then(|| joined.hosts.iter().count())),
    }
}

fn items(stats: &ItemStats) -> ItemFigures {
    let of = |nanoseconds: u64| nanoseconds as f64 / 1e9;
    let noted = |item: &NotedItem| Noted {
        index: item.index,
        attempt: item.attempt,
        items: item.items,
        seconds: Some(of(item.measure)),
        bytes: None,
        input: item.input.clone(),
    };
    let large = |item: &NotedItem| Noted { seconds: None, bytes: Some(item.measure), ..noted(item) };
    ItemFigures {
        unit: stats.unit,
        timed: stats.count(),
        grouped: stats.grouped(),
        mean: stats.sum() as f64 / 1e9 / stats.count().max(1) as f64,
        p50: of(stats.quantile(0.5)),
        p90: of(stats.quantile(0.9)),
        p99: of(stats.quantile(0.99)),
        max: of(stats.quantile(1.0)),
        histogram: bins(stats),
        slowest: stats.slowest().iter().map(noted).collect(),
        largest: stats.largest().iter().map(large).collect(),
    }
}
