//! What the windows of a session say together.

use super::calibrate::Machine;
use super::grid::Setup;
use super::interval::{Interval, median};
use super::session::{DoneFrame, SessionLog};
use super::sweep::Window;
use super::throughput::{Weights, items_in};
use crate::measure::SlotState;
use serde::Serialize;

/// What one combination of settings did. Shares are of the time of its workers.
#[derive(Debug, Clone, Serialize)]
// More than 12 fields: each is a different measure.
pub(super) struct Evidence {
    pub(super) setup: Setup,
    /// Items per second of each window.
    pub(super) rates: Vec<f64>,
    pub(super) throughput: Interval,
    /// By state, in the order of [`SlotState::ALL`].
    pub(super) states: Vec<f64>,
    /// On a core, waiting for one, and all else.
    pub(super) on_cpu: f64,
    pub(super) runnable: f64,
    pub(super) blocked: f64,
    /// Cores that tasks and engine kept busy.
    pub(super) cores_used: f64,
    pub(super) engine_cores: f64,
    /// Seconds of CPU per item, of tasks and engine.
    pub(super) cpu_per_item: f64,
    /// Bytes per second from storage.
    pub(super) read: f64,
    /// The share of the time for which the control group was throttled.
    pub(super) throttled: f64,
    /// Threads per worker that ran or wanted to, on average; 0 if processes end too soon to tell.
    pub(super) busy_threads: f64,
    /// How the workers of Python tasks divided their time: making objects of items, the task, making results of objects.
    pub(super) inside: Option<[f64; 3]>,
    /// How requests divided theirs: opening connections, waiting for responses, sending and receiving.
    pub(super) requests: Option<[f64; 3]>,
    /// Batches per item.
    pub(super) batches_per_item: f64,
}

/// Parts of a whole as shares of it.
fn shares(parts: [u64; 3]) -> Option<[f64; 3]> {
    let all: u64 = parts.iter().sum();
    (all > 0).then(|| parts.map(|part| part as f64 / all as f64))
}

impl Evidence {
    pub(super) fn of(setup: Setup, windows: &[&Window], frames: &[DoneFrame], weights: &Weights) -> Self {
        let seconds = |window: &Window| (window.to - window.from).as_secs_f64();
        let rates: Vec<f64> =
            windows.iter().map(|window| items_in(window, frames, weights) / seconds(window).max(1e-9)).collect();
        let all = |part: &dyn Fn(&Window) -> f64| windows.iter().map(|window| part(window)).sum::<f64>();
        let wall = all(&seconds).max(1e-9);
        let slots = (wall * setup.width as f64).max(1e-9);
        let tasks = all(&|window| (window.usage.task_cpu as f64 / 1e6).max(window.threads.on_cpu as f64 / 1e9));
        let engine = all(&|window| window.usage.engine_cpu as f64 / 1e6);
        let state = |state: SlotState| all(&|window| window.slots[state as usize] as f64 / 1e9) / slots;
        let on_cpu = tasks / slots;
        let runnable = (all(&|window| window.threads.runnable as f64 / 1e9) / slots).min((1.0 - on_cpu).max(0.0));
        let items = (median(&rates) * wall).max(1e-9);
        let threads = all(&|window| (window.threads.on_cpu + window.threads.runnable) as f64 / 1e9) / slots;
        let (batches, done) = frames.iter().fold((0, 0), |sum, frame| (sum.0 + frame.batches, sum.1 + frame.items));
        Self {
            setup,
            throughput: Interval::median(&rates),
            rates,
            states: SlotState::ALL.into_iter().map(state).collect(),
            on_cpu,
            runnable,
            blocked: (1.0 - on_cpu - runnable).max(0.0),
            cores_used: (tasks + engine) / wall,
            engine_cores: engine / wall,
            cpu_per_item: (tasks + engine) / items,
            read: all(&|window| window.usage.read as f64) / wall,
            throttled: all(&|window| window.usage.throttled as f64 / 1e6) / wall,
            busy_threads: threads,
            inside: None,
            requests: None,
            batches_per_item: batches as f64 / (done as f64).max(1.0),
        }
    }

    /// Adds what is known only when the session has ended.
    pub(super) fn finish(&mut self, log: &SessionLog) {
        let total = log.measurements.series.total();
        (self.inside, self.requests) = (shares(total.workers), shares(total.requests));
    }

    pub(super) fn state(&self, state: SlotState) -> f64 {
        self.states[state as usize]
    }

    /// The share of the workers' time that user code had.
    pub(super) fn user_share(&self) -> f64 {
        let task = self.state(SlotState::Task) + self.state(SlotState::Start);
        self.inside.map_or(task, |[_, user, _]| task * user)
    }

    /// The share of the machine's cores that was busy.
    pub(super) fn cores_share(&self, machine: Machine) -> f64 {
        self.cores_used / machine.cores as f64
    }
}
