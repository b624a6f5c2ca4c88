//! A session: the step with one combination of settings, its workers started and ready. It runs while it is not paused.

use super::grid::Setup;
use super::samples::samples_in;
use super::trial::Trial;
use crate::compile::{FailurePolicy, StepSettings};
use crate::measure::{Measurements, SlotClocks};
use crate::model::{BatchReport, LaneSettings, LogEntry};
use crate::pipeline::{
    Alarm, Announcer, Carried, Feed, PipelineError, Recorder, StepEnd, StepJob, StepStart, Width, run_step,
};
use crate::spec::{BatchSize, OnBadRow, RetryPolicy};
use crate::task::python::THREAD_VARIABLES;
use crate::task::{Cancel, Claims, CurrentItems, ItemFiles, StepContext, TaskHost, Withdrawn};
use crate::wire::Samples;
use std::collections::HashSet;
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many frames are looked at to know how long one takes.
const LATEST: usize = 100;

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) setup: Setup,
    number: usize,
    pub(super) width: Width,
    pub(super) clocks: Arc<SlotClocks>,
    cancel: Cancel,
    withdrawn: Arc<Withdrawn>,
    /// Directory for what its workers are found to do.
    samples: PathBuf,
    log: Mutex<SessionLog>,
}

/// What happened in a session.
#[derive(Debug, Default)]
pub(super) struct SessionLog {
    /// Frames, in the order in which they ended.
    pub(super) frames: Vec<DoneFrame>,
    /// How many items failed, and how the first one did.
    pub(super) failed: u64,
    pub(super) failure: Option<String>,
    /// Why it ended by itself.
    pub(super) ended: Option<String>,
    pub(super) measurements: Measurements,
}

impl SessionLog {
    /// How long a frame took lately, in the middle; those that started a worker count only if there are no others.
    pub(super) fn usual_time(&self) -> Duration {
        let latest = &self.frames[self.frames.len().saturating_sub(LATEST)..];
        let all_start = latest.iter().all(|frame| frame.starts);
        let counted = latest.iter().filter(|frame| all_start || !frame.starts);
        let mut times: Vec<Duration> = counted.map(|frame| frame.took).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    }
}

/// A frame that was run.
#[derive(Debug, Clone, Copy)]
pub(super) struct DoneFrame {
    pub(super) slot: usize,
    pub(super) from: Instant,
    pub(super) took: Duration,
    /// The index of its first item.
    pub(super) first: u64,
    pub(super) items: u64,
    pub(super) batches: u64,
    /// Whether it is the first of its slot, which may have started a worker.
    pub(super) starts: bool,
}

impl Session {
    /// A session that is paused.
    pub(super) fn new(setup: Setup, number: usize, trial: &Trial<'_>) -> std::io::Result<Self> {
        let width = Width::default();
        width.pause();
        let clocks = Arc::new(SlotClocks::new(setup.width));
        let (cancel, withdrawn) = (trial.cancel.inner()?, Arc::new(Withdrawn::new()?));
        let samples = trial.folder.join(format!("samples-{number}"));
        std::fs::create_dir(&samples)?;
        Ok(Self { setup, number, width, clocks, cancel, withdrawn, samples, log: Mutex::default() })
    }

    /// What its workers were found to do.
    pub(super) fn samples(&self) -> Samples {
        samples_in(&self.samples)
    }

    pub(super) fn log(&self) -> MutexGuard<'_, SessionLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs until the trial is cancelled.
    pub(super) fn run(&self, trial: &Trial<'_>) {
        let settings = self.settings(trial.settings);
        let context = self.context(trial, &settings);
        let mut source = trial.sample.source(self.number);
        let job = StepJob::new(&trial.step.program, None, context, &settings);
        let start = StepStart {
            name: trial.step.name().clone(),
            feed: Feed::Fresh(&mut *source),
            total: None,
            carried: Carried::default(),
            slow_after: Duration::MAX,
            width: &self.width,
            alarm: &Alarm::default(),
        };
        let mut recorder = FrameRecorder { started: job.started(), session: self, seen: HashSet::new() };
        let end = run_step(start, &job, &mut recorder, Announcer::new(&mut [], &trial.prepared.secrets));
        let why = match end {
            Ok(StepEnd { failure: Some(failure), .. }) => Some(format!("{}: {}", failure.class, failure.message)),
            Ok(StepEnd { source_error: Some(error), .. }) => Some(error.to_string()),
            Ok(_) => None,
            Err(PipelineError::Threads(error)) => Some(format!("cannot start {} threads: {error}", self.setup.width)),
            Err(PipelineError::Record(never)) => match never {},
        };
        self.log().ended = why.map(|why| trial.prepared.secrets.masked(why));
    }

    fn settings(&self, of_file: &StepSettings) -> StepSettings {
        let Setup { width, batch_size, .. } = self.setup;
        let lane = LaneSettings { width, batches: None, skip_bad_rows: true, ..*of_file.lane };
        let batch_size = batch_size.and_then(NonZeroUsize::new).map_or(of_file.batch_size, BatchSize::Exactly);
        StepSettings {
            lane: Arc::new(lane),
            total: None,
            batch_size,
            first_width: None,
            step_timeout: None,
            // A trial shows what happens; it neither tries again nor stops.
            failures: FailurePolicy {
                continue_on_error: true,
                max_failures: None,
                bisect: false,
                on_bad_row: OnBadRow::Skip,
            },
            retry: RetryPolicy::default(),
            ..of_file.clone()
        }
    }

    fn context(&self, trial: &Trial<'_>, settings: &StepSettings) -> StepContext {
        let folder = trial.folder.join(format!("{:?}", self.setup).replace(|c: char| !c.is_alphanumeric(), "-"));
        let item_files = || ItemFiles::new(folder.join("scratch"), folder.join("files"), Claims::new());
        let source = trial.sample.source(self.number);
        StepContext {
            run: trial.run.clone(),
            step: trial.step.name().clone(),
            scope: Arc::clone(&trial.scope),
            settings: Arc::clone(&settings.lane),
            forms: source.forms(),
            // What a task changes is tried again all the same.
            file_keys: None,
            host: self.host(&trial.host),
            cancel: self.cancel.clone(),
            item_files: trial.makes_files.then(|| Arc::new(item_files())),
            withdrawn: Arc::clone(&self.withdrawn),
            current_items: Arc::new(CurrentItems::new(self.setup.width)),
            clocks: Arc::clone(&self.clocks),
        }
    }

    fn host(&self, host: &TaskHost) -> Arc<TaskHost> {
        let mut env = (*host.env).clone();
        if let Some(threads) = self.setup.threads {
            env.retain(|(name, _)| !THREAD_VARIABLES.contains(&name.as_str()));
            env.extend(THREAD_VARIABLES.map(|name| (name.to_owned(), threads.to_string())));
        }
        Arc::new(TaskHost { env: Arc::new(env), samples: Some(self.samples.clone()), ..host.clone() })
    }
}

/// Keeps when frames ran, and nothing else.
struct FrameRecorder<'a> {
    started: Instant,
    session: &'a Session,
    /// The slots that have run a frame.
    seen: HashSet<usize>,
}

impl Recorder for FrameRecorder<'_> {
    type Error = Infallible;

    fn record(&mut self, reports: &[BatchReport]) -> Result<(), Infallible> {
        let mut log = self.session.log();
        for report in reports {
            let (slot, from) = (report.span.slot, self.started + report.span.started);
            let items = (report.succeeded.len() + report.failed.len()) as u64;
            log.failed += report.failed.len() as u64;
            if let (None, Some(failed)) = (&log.failure, report.failed.first()) {
                log.failure = Some(format!("{}: {}", failed.failure.class, failed.failure.message));
            }
            match log.frames.last_mut() {
                // Batches of one frame have the same start, and each a share of its time.
                Some(last) if last.slot == slot && last.from == from => {
                    last.took += report.span.took;
                    last.items += items;
                    last.batches += report.batches;
                }
                _ => {
                    let first = report.succeeded.iter().next();
                    let first = first.or_else(|| report.failed.first().map(|failed| failed.index)).unwrap_or(0);
                    let (took, batches) = (report.span.took, report.batches);
                    let starts = self.seen.insert(slot);
                    log.frames.push(DoneFrame { slot, from, took, first, items, batches, starts });
                }
            }
        }
        Ok(())
    }

    fn save(&mut self, measurements: &Measurements) -> Result<(), String> {
        self.session.log().measurements = measurements.clone();
        Ok(())
    }

    fn log(&mut self, _entry: &LogEntry) -> Result<(), String> {
        Ok(())
    }
}
