//! A step needs no ledger to run: any recorder will do.

use super::{Alarm, Announcer, Carried, Feed, Recorder, StepEnd, StepJob, StepStart, Width, run_step};
use crate::compile::{Options, Prepared, open_step, prepare};
use crate::ledger::{Durability, StateFolder};
use crate::measure::{Measurements, SlotClocks, SlotState};
use crate::model::{BatchReport, Failure, LogEntry, RunId};
use crate::sources::{SourceHost, run_alone};
use crate::task::{Cancel, CurrentItems, StepContext, TaskHost, Withdrawn};
use crate::template::{ItemScope, Scope};
use crate::text::Secrets;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Keeps what is recorded.
#[derive(Default)]
struct Memory {
    reports: Vec<BatchReport>,
    /// Fails once this many batches were recorded.
    capacity: Option<usize>,
    /// How long it takes to record anything.
    slowness: Duration,
    measurements: Measurements,
}

impl Recorder for Memory {
    type Error = &'static str;

    fn record(&mut self, reports: &[BatchReport]) -> Result<(), &'static str> {
        std::thread::sleep(self.slowness);
        match self.capacity {
            Some(capacity) if self.reports.len() + reports.len() > capacity => Err("full"),
            _ => Ok(()),
        }
    }

    fn take(&mut self, report: BatchReport) -> Option<Failure> {
        self.reports.push(report);
        None
    }

    fn save(&mut self, measurements: &Measurements) -> Result<(), String> {
        self.measurements = measurements.clone();
        Ok(())
    }

    fn log(&mut self, _: &LogEntry) -> Result<(), String> {
        Ok(())
    }
}

fn prepared(yaml: &str) -> Prepared {
    let workflow = crate::spec::parse(Path::new("test.yaml"), yaml.as_bytes()).unwrap();
    let options = Options {
        params: Default::default(),
        python: None,
        jobs: None,
        max_items: None,
        slow_after: Duration::MAX,
        incremental: None,
        executor: None,
        state: StateFolder(PathBuf::new()),
        durability: Durability::default(),
        check_only: false,
    };
    prepare(workflow.into(), options).unwrap()
}

/// Runs the first step of a workflow.
fn run(yaml: &str, width: &Width, memory: &mut Memory) -> Result<StepEnd, super::PipelineError<&'static str>> {
    let prepared = prepared(yaml);
    let step = &prepared.steps[0];
    let scope = Arc::new(Scope::default());
    let names = Arc::new(ItemScope::of_step(Arc::clone(&scope)));
    let never = crossbeam_channel::never();
    let mut open = open_step(step, &prepared, &names, SourceHost { run: &run_alone, stop: &never }).unwrap();
    let settings = open.settings.clone();
    let context = StepContext {
        run: RunId("test".to_owned()),
        step: step.name().clone(),
        scope,
        settings: Arc::clone(&settings.lane),
        forms: open.source.forms(),
        file_keys: None,
        host: Arc::new(TaskHost {
            env: Arc::default(),
            guard: None,
            python: None,
            warm: None,
            remote: None,
            logs: PathBuf::new(),
            samples: None,
            secrets: Arc::default(),
            source: Arc::default(),
        }),
        cancel: Cancel::new().unwrap(),
        item_files: None,
        withdrawn: Arc::new(Withdrawn::new().unwrap()),
        current_items: Arc::new(CurrentItems::new(settings.lane.width)),
        clocks: Arc::new(SlotClocks::new(settings.lane.width)),
    };
    let job = StepJob::new(&step.program, step.handler.as_ref(), context, &settings);
    let start = StepStart {
        name: step.name().clone(),
        feed: Feed::Fresh(&mut *open.source),
        total: settings.total,
        carried: Carried::default(),
        slow_after: Duration::MAX,
        width,
        alarm: &Alarm::default(),
    };
    run_step(start, &job, memory, Announcer::new(&mut [], &Secrets::default()))
}

const SQUARES: &str = "
steps:
  - name: squares
    task: batch
    inputs:
      items: {range: 200}
      max_parallel: 4
      task: {type: echo, message: '{{ item * item }}'}
";

#[test]
fn every_item_is_recorded_once_whatever_the_recorder() {
    let mut memory = Memory::default();
    let end = run(SQUARES, &Width::default(), &mut memory).unwrap();
    assert_eq!((end.stats.succeeded, end.stats.failed), (200, 0));
    let mut indexes: Vec<u64> = memory.reports.iter().flat_map(|report| report.succeeded.iter()).collect();
    indexes.sort_unstable();
    assert!(indexes.into_iter().eq(0..200));
}

#[test]
fn slots_above_the_width_park_and_the_step_ends_all_the_same() {
    let (width, mut memory) = (Width::default(), Memory::default());
    width.set(NonZeroUsize::MIN);
    let end = run(SQUARES, &width, &mut memory).unwrap();
    assert_eq!(end.stats.succeeded, 200);
    assert!(memory.reports.iter().all(|report| report.span.slot == 0));
}

#[test]
fn a_paused_step_runs_to_its_end_once_it_may_continue() {
    let (width, mut memory) = (Width::default(), Memory::default());
    width.pause();
    std::thread::scope(|threads| {
        threads.spawn(|| width.resume());
        run(SQUARES, &width, &mut memory).unwrap();
    });
    assert_eq!(memory.reports.iter().map(|report| report.succeeded.len()).sum::<usize>(), 200);
}

/// How long each slot was in a state, in microseconds.
fn times(memory: &Memory, state: SlotState) -> Vec<u64> {
    memory.measurements.series.total().slots.iter().map(|times| times[state as usize]).collect()
}

#[test]
fn slots_are_blocked_by_a_recorder_that_is_slower_than_they_are() {
    // Batches travel alone, so more of them are waiting than the channel holds.
    let workflow = SQUARES.replace("max_parallel: 4", "max_parallel: 4\n      queue_size: 4");
    let mut memory = Memory { slowness: Duration::from_millis(20), ..Memory::default() };
    run(&workflow, &Width::default(), &mut memory).unwrap();
    let total = memory.measurements.series.total();
    assert!(total.aggregator[1] >= 20_000, "{total:?}");
    assert!(times(&memory, SlotState::Blocked).iter().sum::<u64>() >= 20_000, "{total:?}");
    assert_eq!(total.succeeded, 200);
    assert_eq!(memory.measurements.items.count(), 200);
}

#[test]
fn slots_that_may_not_work_are_parked_or_held() {
    let (width, mut memory) = (Width::default(), Memory::default());
    width.set(NonZeroUsize::MIN);
    run(SQUARES, &width, &mut memory).unwrap();
    let parked = times(&memory, SlotState::Parked);
    // A slot whose thread begins late may find nothing left to do.
    assert!(parked[0] == 0 && parked[1..].iter().any(|time| *time > 0), "{parked:?}");
    width.pause();
    std::thread::scope(|threads| {
        // The pause is the load under test.
        threads.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            width.resume();
        });
        run(SQUARES, &width, &mut memory).unwrap();
    });
    assert!(times(&memory, SlotState::Held).iter().any(|time| *time > 0), "{:?}", memory.measurements);
}

#[test]
fn a_recorder_that_fails_ends_the_step() {
    let mut memory = Memory { capacity: Some(3), ..Memory::default() };
    assert!(matches!(run(SQUARES, &Width::default(), &mut memory), Err(super::PipelineError::Record("full"))));
}
