//! What happened in a stretch of time.

use super::state::SlotState;
use serde::{Deserialize, Serialize};

/// The number of states of a slot.
pub const SLOT_STATES: usize = SlotState::ALL.len();

/// A time for each [`SlotState`].
pub type SlotTimes = [u64; SLOT_STATES];

/// What happened to a step in a stretch of time. Times are in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
// More than 12 fields: each is a different measure.
pub struct Sample {
    /// When the stretch ended, from the start of the step.
    pub at: u64,
    /// How long it was.
    pub took: u64,
    /// Items that succeeded.
    pub succeeded: u64,
    /// Items whose last attempt failed.
    pub failed: u64,
    /// Items to be tried again.
    pub retried: u64,
    /// Bytes of the source's files that the finished items cover.
    pub bytes: u64,
    /// Frames that waited for a slot at its end.
    pub queued: u64,
    /// Batches that waited for a retry at its end.
    pub waiting: u64,
    /// What engine and tasks used.
    pub usage: Usage,
    /// Where the time of each slot went.
    pub slots: Vec<SlotTimes>,
    /// Where the feeder's time went: reading, waiting.
    pub feeder: [u64; 2],
    /// Where the aggregator's time went: waiting, recording, informing.
    pub aggregator: [u64; 3],
    /// How the workers of Python tasks divide theirs: making objects of items, the task itself, making results of objects.
    pub workers: [u64; 3],
    /// How requests divide theirs: opening connections, waiting for responses, sending and receiving.
    #[serde(default)]
    pub requests: [u64; 3],
}

impl Sample {
    /// Puts the stretch that follows behind this one.
    pub fn append(&mut self, next: &Self) {
        self.at = next.at;
        self.took += next.took;
        self.succeeded += next.succeeded;
        self.failed += next.failed;
        self.retried += next.retried;
        self.bytes += next.bytes;
        self.queued = self.queued.max(next.queued);
        self.waiting = self.waiting.max(next.waiting);
        self.usage.append(&next.usage);
        self.slots.resize(self.slots.len().max(next.slots.len()), SlotTimes::default());
        self.slots.iter_mut().zip(&next.slots).for_each(|(own, next)| add(own, next));
        add(&mut self.feeder, &next.feeder);
        add(&mut self.aggregator, &next.aggregator);
        add(&mut self.workers, &next.workers);
        add(&mut self.requests, &next.requests);
    }

    /// How many slots were busy, on average.
    pub fn busy_slots(&self) -> f64 {
        let busy = |times: &SlotTimes| -> u64 {
            SlotState::ALL.iter().filter(|state| state.is_busy()).map(|state| times[*state as usize]).sum()
        };
        let busy: u64 = self.slots.iter().map(busy).sum::<u64>();
        if self.took == 0 { 0.0 } else { busy as f64 / self.took as f64 }
    }
}

fn add<const N: usize>(to: &mut [u64; N], from: &[u64; N]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}

/// What engine and tasks used of the machine. "Tasks" are all processes that the engine has started, and theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time of the engine, in microseconds.
    pub engine_cpu: u64,
    /// CPU time of the tasks, in microseconds.
    pub task_cpu: u64,
    /// Memory of the engine, in bytes.
    pub engine_memory: u64,
    /// Memory of all tasks together, in bytes. Memory that they share counts for each of them.
    pub task_memory: u64,
    /// The most memory that one of the processes has had, in bytes.
    pub largest_process: u64,
    /// Bytes read from storage. What the system has in memory is not read again.
    pub read: u64,
    /// Bytes written to storage.
    pub written: u64,
    /// For how long the processes were kept from running by the CPU limit of their control group, in microseconds.
    pub throttled: u64,
    /// For how long some process of the machine waited for a CPU, in microseconds.
    pub cpu_pressure: u64,
    /// The same for memory.
    pub memory_pressure: u64,
    /// The same for input and output.
    pub io_pressure: u64,
}

impl Usage {
    fn append(&mut self, next: &Self) {
        self.engine_cpu += next.engine_cpu;
        self.task_cpu += next.task_cpu;
        self.engine_memory = self.engine_memory.max(next.engine_memory);
        self.task_memory = self.task_memory.max(next.task_memory);
        self.largest_process = self.largest_process.max(next.largest_process);
        self.read += next.read;
        self.written += next.written;
        self.throttled += next.throttled;
        self.cpu_pressure += next.cpu_pressure;
        self.memory_pressure += next.memory_pressure;
        self.io_pressure += next.io_pressure;
    }

    /// What was used since then. Memory is not used up, so it stays as it is.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            engine_cpu: self.engine_cpu.saturating_sub(before.engine_cpu),
            task_cpu: self.task_cpu.saturating_sub(before.task_cpu),
            engine_memory: self.engine_memory,
            task_memory: self.task_memory,
            largest_process: self.largest_process,
            read: self.read.saturating_sub(before.read),
            written: self.written.saturating_sub(before.written),
            throttled: self.throttled.saturating_sub(before.throttled),
            cpu_pressure: self.cpu_pressure.saturating_sub(before.cpu_pressure),
            memory_pressure: self.memory_pressure.saturating_sub(before.memory_pressure),
            io_pressure: self.io_pressure.saturating_sub(before.io_pressure),
        }
    }

    /// The larger of both wherever something only grows: a process that is gone no longer shows what it used.
    pub fn at_least(&self, before: &Self) -> Self {
        Self {
            engine_cpu: self.engine_cpu.max(before.engine_cpu),
            task_cpu: self.task_cpu.max(before.task_cpu),
            read: self.read.max(before.read),
            written: self.written.max(before.written),
            ..*self
        }
    }
}
