//! Tests what a lane does when its workers die. The workers are scripts, not processes.

use super::lane::PythonLane;
use super::peer::{Peer, PeerHost, Waits, WorkerEvent, WorkerExit};
use super::task::PythonTask;
use crate::measure::SlotClocks;
use crate::model::ItemTime;
use crate::model::{
    Batch, Failure, FailureKind, Form, Indexes, ItemKey, Items, Keys, LaneSettings, ResultForm, RunId, StepName, Text,
};
use crate::spec::{self, MemorySize, PythonProgram};
use crate::task::cancel::Cancel;
use crate::task::context::{StepContext, TaskHost};
use crate::task::current_items::CurrentItems;
use crate::task::lane::{BatchOutcome, Frame as Work, FrameOutcome, Lane};
use crate::task::withdrawn::Withdrawn;
use crate::wire::{Done, Hello, Results, Role, Run, WireError, WorkerMessage};

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the workers were sent: a list of items for each `Run`. An empty list stands for the start of a worker.
type Sent = Arc<Mutex<Vec<Vec<String>>>>;

/// Starts workers that do what their items say: `crash`, `large` (exceeds the memory limit), `crowded` (exceeds it unless
/// alone), `idle` (the worker dies before the item), `raise`. Any other item is its own result.
struct Scripted(Sent);

impl PeerHost for Scripted {
    fn name(&self) -> &str {
        "script"
    }

    fn start(&self) -> Result<Box<dyn Peer>, Failure> {
        self.0.lock().unwrap().push(Vec::new());
        let hello = WorkerMessage::Hello(Hello::new(Role::Worker));
        let events = VecDeque::from([(None, WorkerEvent::Message(hello))]);
        Ok(Box::new(Script { sent: Arc::clone(&self.0), events, position: None, memory: 0 }))
    }
}

struct Script {
    sent: Sent,
    /// Each with the position that the worker is running at that time.
    events: VecDeque<(Option<usize>, WorkerEvent)>,
    position: Option<usize>,
    memory: u64,
}

impl Script {
    fn run(&mut self, run: &Run) {
        let items: Vec<String> = run.items.iter().map(|item| String::from_utf8(item.to_vec()).unwrap()).collect();
        self.sent.lock().unwrap().push(items.clone());
        let died =
            || WorkerEvent::Dead(WorkerExit { success: false, was_killed: true, description: "died".to_owned() });
        for (at, item) in items.iter().enumerate() {
            let event = match item.as_str() {
                "\"crash\"" => (Some(at), died()),
                "\"idle\"" => (None, died()),
                "\"large\"" => (Some(at), WorkerEvent::CheckDue),
                "\"crowded\"" if items.len() > 1 => (Some(at), WorkerEvent::CheckDue),
                item => (None, WorkerEvent::Message(WorkerMessage::Results(result(at, item)))),
            };
            let fails = matches!(event.1, WorkerEvent::Dead(_) | WorkerEvent::CheckDue);
            self.events.push_back(event);
            if fails {
                return;
            }
            if item == "\"raise\"" && run.halt_on_failure {
                let executed = u32::try_from(at).unwrap() + 1;
                self.events
                    .push_back((None, WorkerEvent::Message(WorkerMessage::Done(Done { executed, ..Done::default() }))));
                return;
            }
        }
        let executed = u32::try_from(items.len()).unwrap();
        self.events.push_back((None, WorkerEvent::Message(WorkerMessage::Done(Done { executed, ..Done::default() }))));
    }
}

fn result(at: usize, item: &str) -> Results {
    let position = u32::try_from(at).unwrap();
    let failure = Failure::new(FailureKind::Exception, "ValueError", "no");
    let raises = item == "\"raise\"";
    Results {
        first: position,
        count: 1,
        failures: if raises { vec![(position, failure)] } else { Vec::new() },
        bad: Vec::new(),
        nulls: 0,
        list: false,
        form: ResultForm::Lines,
        times: vec![ItemTime { first: position, count: 1, nanoseconds: 1 }],
        lines: if raises { Vec::new() } else { format!("{item}\n").into_bytes() },
    }
}

impl Peer for Script {
    fn send(&mut self, message: &WorkerMessage) -> Result<(), WireError> {
        match message {
            WorkerMessage::Start(_) => self.events.push_back((None, WorkerEvent::Message(WorkerMessage::Ready))),
            WorkerMessage::Run(run) => self.run(run),
            _ => {}
        }
        Ok(())
    }

    fn next_event(&mut self, _waits: &Waits<'_>) -> Result<WorkerEvent, WireError> {
        let exit = WorkerExit { success: true, was_killed: false, description: "ended".to_owned() };
        let (position, event) = self.events.pop_front().unwrap_or((None, WorkerEvent::Dead(exit)));
        self.position = position;
        self.memory = if matches!(event, WorkerEvent::CheckDue) { 1000 } else { 0 };
        Ok(event)
    }

    fn is_alive(&self) -> bool {
        true
    }

    fn halt(&mut self) -> Result<(), WireError> {
        Ok(())
    }

    fn position(&self) -> Option<usize> {
        self.position
    }

    fn item_time(&self) -> Duration {
        Duration::ZERO
    }

    fn memory(&self) -> Option<u64> {
        Some(self.memory)
    }

    fn stderr_tail(&self) -> String {
        String::new()
    }

    fn close(&mut self) -> Option<WorkerExit> {
        Some(WorkerExit { success: true, was_killed: false, description: "ended".to_owned() })
    }
}

fn context(settings: LaneSettings) -> StepContext {
    StepContext {
        run: RunId("run".to_owned()),
        step: StepName::new("step").unwrap(),
        scope: Arc::default(),
        settings: Arc::new(settings),
        forms: Arc::new([Form::Json]),
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
        current_items: Arc::new(CurrentItems::new(1)),
        clocks: Arc::new(SlotClocks::new(1)),
    }
}

fn batch(items: &[&str]) -> Batch {
    let mut packed = Items::default();
    items.iter().for_each(|item| packed.push(format!("\"{item}\"").as_bytes()));
    let key = |item: &&str| ItemKey::of(item.as_bytes());
    let indexes = Indexes::Range(0..items.len() as u64);
    let keys = Keys::from_list(items.iter().map(key).collect());
    Batch { size: items.len(), indexes, keys, items: packed, ..Batch::of_one(0, ItemKey::of(b""), b"") }
}

/// What a lane does once an item has failed.
#[derive(PartialEq, Eq)]
enum OnFailure {
    Continue,
    Halt,
}

/// Runs batches in one frame. Returns the outcome, and what the workers were sent.
fn run_batches(batches: &[&[&str]], on_failure: OnFailure) -> (FrameOutcome, Vec<Vec<String>>) {
    let task = spec::PythonTask {
        program: PythonProgram::Code(Text::new("return item")),
        setup: None,
        teardown: None,
        max_memory: Some(MemorySize(100)),
        max_items_per_worker: None,
        seed: None,
        inputs: Vec::new(),
    };
    let task = Arc::new(PythonTask::compile(&task, Path::new("")).unwrap());
    let sent = Sent::default();
    let settings = LaneSettings { has_item: true, ..LaneSettings::once() };
    let mut lane = PythonLane::new(task, context(settings), 0, Box::new(Scripted(Arc::clone(&sent))));
    let batches: Vec<Batch> = batches.iter().map(|items| batch(items)).collect();
    let halt_on_failure = on_failure == OnFailure::Halt;
    let outcome = lane.run(&Work { batches: &batches, halt_on_failure, error: None, log: &|_, _| {} });
    drop(lane);
    let sent = Arc::try_unwrap(sent).unwrap().into_inner().unwrap();
    (outcome, sent)
}

fn run(items: &[&str]) -> (BatchOutcome, Vec<Vec<String>>) {
    let (outcome, sent) = run_batches(&[items], OnFailure::Continue);
    assert!(outcome.fatal.is_none());
    (outcome.batches.into_iter().next().unwrap(), sent)
}

fn failed(outcome: &BatchOutcome) -> Vec<(usize, FailureKind)> {
    outcome.failures.iter().map(|(position, failure)| (*position, failure.kind)).collect()
}

fn results(outcome: &BatchOutcome) -> Vec<String> {
    outcome.lines.iter().map(|line| String::from_utf8(line.to_vec()).unwrap().replace('"', "")).collect()
}

/// What the workers were sent, without quotes; `start` for the start of a worker.
fn story(sent: &[Vec<String>]) -> Vec<String> {
    let run =
        |items: &Vec<String>| if items.is_empty() { "start".to_owned() } else { items.join(" ").replace('"', "") };
    sent.iter().map(run).collect()
}

#[test]
fn a_crash_is_charged_to_the_item_it_happened_on_and_the_rest_runs_in_a_fresh_worker() {
    let (outcome, sent) = run(&["a", "crash", "b", "c"]);
    assert_eq!(failed(&outcome), [(1, FailureKind::Crash)]);
    assert_eq!(results(&outcome), ["a", "b", "c"]);
    assert_eq!(story(&sent), ["start", "a crash b c", "start", "b c"]);
}

#[test]
fn an_item_that_is_only_too_large_in_company_succeeds_alone() {
    let (outcome, sent) = run(&["a", "b", "crowded", "c"]);
    assert_eq!(failed(&outcome), []);
    assert_eq!(results(&outcome), ["a", "b", "crowded", "c"]);
    assert_eq!(story(&sent), ["start", "a b crowded c", "start", "crowded", "c"]);
}

#[test]
fn an_item_that_is_too_large_alone_has_failed() {
    let (outcome, sent) = run(&["a", "large", "b"]);
    assert_eq!(failed(&outcome), [(1, FailureKind::Memory)]);
    assert_eq!(results(&outcome), ["a", "b"]);
    assert_eq!(story(&sent), ["start", "a large b", "start", "large", "start", "b"]);
}

#[test]
fn a_death_between_items_is_charged_when_it_happens_again_one_by_one() {
    let (outcome, sent) = run(&["a", "idle", "b"]);
    assert_eq!(failed(&outcome), [(1, FailureKind::Crash)]);
    assert_eq!(results(&outcome), ["a", "b"]);
    assert_eq!(story(&sent), ["start", "a idle b", "start", "idle", "start", "b"]);
}

#[test]
fn workers_that_only_die_end_the_step() {
    let (outcome, sent) = run_batches(&[&["idle"; 30]], OnFailure::Continue);
    assert_eq!(outcome.fatal.unwrap().kind, FailureKind::Crash);
    assert_eq!(sent.iter().filter(|items| items.is_empty()).count(), 10);
    let batch = &outcome.batches[0];
    assert_eq!(batch.failures.len() + batch.unrun.len(), 30);
}

#[test]
fn a_lane_that_halts_leaves_what_is_behind_a_crash_and_reruns_what_was_lost_before_it() {
    let (outcome, sent) = run_batches(&[&["a", "crash", "b"], &["c"]], OnFailure::Halt);
    assert_eq!(failed(&outcome.batches[0]), [(1, FailureKind::Crash)]);
    assert_eq!((&outcome.batches[0].unrun, &outcome.batches[1].unrun), (&vec![2], &vec![0]));
    assert_eq!(story(&sent), ["start", "a crash b c"]);
    let (outcome, _) = run_batches(&[&["a", "raise", "b"], &["c"]], OnFailure::Halt);
    assert_eq!(failed(&outcome.batches[0]), [(1, FailureKind::Exception)]);
    assert_eq!((&outcome.batches[0].unrun, &outcome.batches[1].unrun), (&vec![2], &vec![0]));
}

#[test]
fn results_of_many_batches_go_to_their_batches() {
    let (outcome, _) = run_batches(&[&["a", "raise"], &["raise"], &["b", "c"]], OnFailure::Continue);
    let batches = outcome.batches;
    assert_eq!((results(&batches[0]), failed(&batches[0])), (vec!["a".to_owned()], vec![(1, FailureKind::Exception)]));
    assert_eq!((results(&batches[1]), failed(&batches[1])), (vec![], vec![(0, FailureKind::Exception)]));
    assert_eq!(results(&batches[2]), ["b", "c"]);
}

#[test]
fn a_batch_of_sixty_thousand_failures_takes_no_time_to_speak_of() {
    let items = vec!["raise"; 60_000];
    let started = std::time::Instant::now();
    let (outcome, _) = run(&items);
    assert_eq!(outcome.failures.len(), items.len());
    assert!(started.elapsed() < Duration::from_secs(10), "was quadratic: {:?}", started.elapsed());
}
