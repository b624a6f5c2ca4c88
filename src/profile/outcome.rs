//! What a profile found out.

use super::advice::Advice;
use super::against::{Compared, compare};
use super::balance::Balance;
use super::cause::Cause;
use super::evidence::Evidence;
use super::grid::Setup;
use super::interval::Interval;
use super::law::Law;
use super::samples::Sampled;
use crate::measure::{ItemStats, SlotState};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a profile found out. Times are in seconds, rates per second, shares from 0 to 1.
#[derive(Debug, Clone, Serialize)]
// More than 12 fields: each is a different fact.
pub struct Outcome {
    /// The version of this format.
    pub version: u32,
    /// The step.
    pub step: String,
    /// What limits it.
    pub cause: Cause,
    /// Why, as the end of a sentence that begins with the name of the step.
    pub why: String,
    /// Items per second that no number of workers exceeds, though cores are free.
    pub ceiling: Option<f64>,
    /// What to change, if anything helps.
    pub advice: Option<Advice>,
    /// The settings of the file.
    pub own: Setup,
    /// Cores that batchmill may use.
    pub cores: usize,
    /// What was measured.
    pub rows: Vec<Row>,
    /// How throughput grows with the width.
    pub law: Law,
    /// What Python workers were found to do while they used the CPU, with the settings of the file.
    pub sampled: Option<Sampled>,
    /// How long items took, with the settings of the file.
    #[serde(skip)]
    pub items: ItemStats,
    /// How evenly the items fill the workers, if each of them ran.
    pub balance: Option<Balance>,
    /// Items in the sample, and whether those are all.
    pub sample: usize,
    /// Whether those are all.
    pub is_whole: bool,
    /// Items that failed in trials.
    pub failed: u64,
    /// What else to know.
    pub notes: Vec<String>,
    /// How this compares with an earlier profile, if that was asked for.
    pub against: Option<Vec<Compared>>,
    /// How many windows were measured.
    pub trials: usize,
    /// How long it took.
    pub seconds: f64,
}

impl Outcome {
    /// Compares with an earlier profile, which was saved as JSON.
    ///
    /// # Errors
    /// If the text isn't a profile, is for another step, or shares no settings with this one.
    pub fn compare(&mut self, earlier: &[u8]) -> Result<(), String> {
        let rows: Vec<_> = self.rows.iter().map(|row| (row.setup, row.rates.as_slice())).collect();
        self.against = Some(compare(&self.step, &rows, earlier)?);
        Ok(())
    }
}

/// What one combination of settings did.
#[derive(Debug, Clone, Serialize)]
// More than 12 fields: each is a different measure.
pub struct Row {
    /// The settings.
    #[serde(flatten)]
    pub setup: Setup,
    /// Items per second.
    pub throughput: Interval,
    /// The throughput of each window.
    pub rates: Vec<f64>,
    /// Throughput over that of one worker.
    pub speedup: Option<f64>,
    /// That, divided by the number of workers.
    pub efficiency: Option<f64>,
    /// Where the workers' time went, by state.
    pub states: BTreeMap<&'static str, f64>,
    /// The share of it on the CPU.
    pub on_cpu: f64,
    /// The share of it waiting for a core.
    pub runnable: f64,
    /// The rest.
    pub blocked: f64,
    /// Cores that were busy.
    pub cores_used: f64,
    /// CPU time per item.
    pub cpu_per_item: f64,
    /// Bytes from storage.
    pub read: f64,
    /// Threads per worker that were busy, where that is known.
    pub busy_threads: f64,
    /// How Python workers divided the time of the task: decoding items, the task, encoding results.
    pub inside: Option<[f64; 3]>,
    /// How requests divided theirs: opening connections, waiting for responses, sending and receiving.
    pub requests: Option<[f64; 3]>,
}

impl Row {
    pub(super) fn of(evidence: &Evidence, one: Option<&Evidence>) -> Self {
        let speedup = one.map(|one| evidence.throughput.median / one.throughput.median);
        let states = SlotState::ALL.iter().map(|state| (state.name(), evidence.state(*state)));
        Self {
            setup: evidence.setup,
            throughput: evidence.throughput,
            rates: evidence.rates.clone(),
            speedup,
            efficiency: speedup.map(|speedup| speedup / evidence.setup.width as f64),
            states: states.filter(|(_, share)| *share > 0.0).collect(),
            on_cpu: evidence.on_cpu,
            runnable: evidence.runnable,
            blocked: evidence.blocked,
            cores_used: evidence.cores_used,
            cpu_per_item: evidence.cpu_per_item,
            read: evidence.read,
            busy_threads: evidence.busy_threads,
            inside: evidence.inside,
            requests: evidence.requests,
        }
    }
}
