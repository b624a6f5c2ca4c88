//! What the metrics of a run say, gathered from its events.

use crate::measure::wall_clock;
use crate::model::{Event, RunId, Stats, Status, StepLoad, StepName};

/// What is known of a run. Times are milliseconds since 1970.
#[derive(Debug, Clone, Default)]
pub(super) struct RunMetrics {
    pub(super) workflow: String,
    pub(super) run: Option<RunId>,
    pub(super) started: i64,
    /// When it ended, and how.
    pub(super) ended: Option<(i64, u8)>,
    pub(super) status: Option<Status>,
    /// When a run of the workflow last succeeded.
    pub(super) last_success: Option<i64>,
    pub(super) steps: Vec<StepMetrics>,
}

/// What is known of a step.
#[derive(Debug, Clone)]
pub(super) struct StepMetrics {
    pub(super) name: StepName,
    pub(super) total: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) workers: usize,
    pub(super) running: bool,
    /// None until the first batch, if an earlier execution has done a part.
    pub(super) stats: Option<Stats>,
    /// What it was busy with lately; none until the first second has passed, and when it has ended.
    pub(super) load: Option<StepLoad>,
}

impl RunMetrics {
    /// A run that starts now.
    pub(super) fn begin(workflow: &str, last_success: Option<i64>) -> Self {
        Self { workflow: workflow.to_owned(), last_success, started: now(), ..Self::default() }
    }

    /// Takes in an event; whether it is worth a write at once.
    pub(super) fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::RunStarted { run, .. } => self.run = Some(run.clone()),
            Event::StepStarted { name, total, done, bytes, slots, .. } => {
                let stats = (*done == 0).then(Stats::default);
                let (name, total, bytes, workers) = (name.clone(), *total, *bytes, *slots);
                self.steps.push(StepMetrics { name, total, bytes, workers, running: true, stats, load: None });
            }
            Event::BatchFinished { name, stats, .. } => {
                if let Some(step) = self.step(name) {
                    step.stats = Some(*stats);
                }
                return false;
            }
            Event::StepFinished(report) => {
                let (name, stats) = (&report.name, Some(report.stats));
                if self.step(name).is_none() {
                    // It was left as it is.
                    let (name, workers) = (name.clone(), 0);
                    self.steps.push(StepMetrics {
                        name,
                        total: None,
                        bytes: None,
                        workers,
                        running: false,
                        stats,
                        load: None,
                    });
                }
                if let Some(step) = self.step(name) {
                    (step.stats, step.running, step.total) = (stats, false, Some(report.stats.total));
                    step.load = None;
                }
            }
            Event::RunFinished(summary) => {
                // The last write follows in a moment.
                self.status = Some(summary.status);
                return false;
            }
            Event::StepLoad { name, load } => {
                if let Some(step) = self.step(name) {
                    step.load = Some(*load);
                }
                return false;
            }
            Event::ItemSlow { .. } | Event::StepSortedOut { .. } | Event::Notice { .. } => return false,
        }
        true
    }

    /// The program ends with this code.
    pub(super) fn end(&mut self, exit: u8) {
        self.ended = Some((now(), exit));
        if self.status == Some(Status::Succeeded) && exit == 0 {
            self.last_success = Some(now());
        }
    }

    fn step(&mut self, name: &StepName) -> Option<&mut StepMetrics> {
        self.steps.iter_mut().find(|step| step.name == *name)
    }
}

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    wall_clock().as_millisecond()
}
