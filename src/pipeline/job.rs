//! What all slots of a step share.

use super::in_flight::InFlight;
use super::measures::Gauges;
use super::pace::{FrameSize, Pace, Workload};
use super::running_frames::RunningFrames;
use super::shortages::Shortages;
use super::steered::{OrderBook, SteeredStep};
use super::width::Width;
use crate::compile::StepSettings;
use crate::task::{Program, StepContext};
use crate::text::Secrets;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// A step's work, as its slots know it.
pub struct StepJob<'a> {
    pub(super) program: &'a Program,
    pub(super) handler: Option<&'a Program>,
    pub(super) context: StepContext,
    pub(super) settings: &'a StepSettings,
    pub(super) pace: Pace,
    pub(super) started: Instant,
    pub(super) gauges: Gauges,
    /// What its slots are running.
    pub(super) frames: Arc<RunningFrames>,
    /// How many of its slots may work, whatever the run's width.
    pub(super) width: Arc<Width>,
    pub(super) in_flight: InFlight,
    pub(super) orders: OrderBook,
    pub(super) shortages: Shortages,
}

impl<'a> StepJob<'a> {
    /// The work of a step that starts now; `handler` runs for items whose last attempt failed.
    pub fn new(
        program: &'a Program,
        handler: Option<&'a Program>,
        context: StepContext,
        settings: &'a StepSettings,
    ) -> Self {
        // `queue_size` counts batches, and `batch_timeout` measures them. With either, each batch travels alone.
        let alone = settings.queue_size.is_some() || settings.lane.batch_timeout.is_some();
        let frames = if context.host.remote.is_some() { FrameSize::ELSEWHERE } else { FrameSize::HERE };
        let frames = if alone { frames.alone() } else { frames };
        let workload = Workload { total: settings.total, slots: settings.lane.width, frames };
        let pace = Pace::new(settings.batch_size, workload);
        let width = Arc::new(Width::default());
        settings.first_width.and_then(NonZeroUsize::new).into_iter().for_each(|first| width.set(first));
        let (started, frames) = (Instant::now(), Arc::new(RunningFrames::new(settings.lane.width)));
        let (gauges, in_flight) = (Gauges::new(started), InFlight::default());
        Self {
            program,
            handler,
            context,
            settings,
            pace,
            started,
            gauges,
            frames,
            width,
            in_flight,
            orders: OrderBook::new(),
            shortages: Shortages::default(),
        }
    }

    /// The step, for those who steer the run.
    pub fn steered(&self, secrets: &Arc<Secrets>) -> SteeredStep {
        SteeredStep {
            context: self.context.clone(),
            frames: Arc::clone(&self.frames),
            width: Arc::clone(&self.width),
            finds_width: AtomicBool::new(self.settings.first_width.is_some()),
            orders: self.orders.sender(),
            secrets: Arc::clone(secrets),
        }
    }

    /// When it started.
    pub fn started(&self) -> Instant {
        self.started
    }
}
