//! Runs written and read back, without an engine.

use super::*;
use crate::model::{BatchReport, Indexes, ItemKey, Keys, Lines, ResultForm, Stats, Status, StepName, StepReport};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

fn new_run(state: &tempfile::TempDir) -> Ledger {
    let folder = StateFolder(state.path().to_path_buf()).create_run("test").unwrap();
    let (workflow, path, params) = ("test".to_owned(), "test.yaml".into(), "{}".to_owned());
    Ledger::create(folder, &RunMeta { workflow, path, params, incremental: None }, Durability::Normal).unwrap()
}

fn name(name: &str) -> StepName {
    StepName::new(name).unwrap()
}

/// The report of a batch with one item, whose result is its index.
fn succeeded(index: u64) -> BatchReport {
    let mut lines = Lines::default();
    lines.push(index.to_string().as_bytes());
    BatchReport {
        number: index + 1,
        batches: 1,
        attempt: 1,
        succeeded: Indexes::Range(index..index + 1),
        keys: Keys::List(vec![ItemKey::of(index.to_string().as_bytes())]),
        lines,
        form: ResultForm::Lines,
        list: false,
        files: Vec::new(),
        failed: Vec::new(),
        retries: Vec::new(),
        skipped: 0,
        bytes: 0,
        duration: Duration::from_millis(1),
    }
}

fn ended(name: &StepName) -> StepReport {
    let (stats, failure) = (Stats { total: 100, succeeded: 100, ..Stats::default() }, None);
    StepReport { name: name.clone(), status: Status::Succeeded, stats, failure }
}

#[test]
fn two_steps_record_side_by_side() {
    let state = tempfile::tempdir().unwrap();
    let mut run = new_run(&state);
    let steps = ["left", "right"].map(|step| run.begin_step(&name(step), StepType::Batch).unwrap().0);
    let turn = Barrier::new(2);
    thread::scope(|threads| {
        for mut step in steps {
            let turn = &turn;
            threads.spawn(move || {
                for index in 0..100 {
                    turn.wait();
                    step.record(&[succeeded(index)]).unwrap();
                    let text = format!("{} {index}", step.name());
                    step.log(&Printed { item: Some((index, 1)), stream: "stdout".to_owned(), text }).unwrap();
                }
                let report = ended(step.name());
                step.finish(&report).unwrap();
            });
        }
    });
    let folder = run.folder().clone();
    run.finish_run(Status::Succeeded).unwrap();
    let reader = Reader::open(folder.clone()).unwrap();
    for step in ["left", "right"] {
        let log = std::fs::read_to_string(folder.logs().join(format!("{step}.log"))).unwrap();
        assert!(log.lines().count() == 100 && log.lines().all(|line| line.contains(step)), "{log}");
        let step = reader.step(&name(step)).unwrap().unwrap();
        let results = step.results().unwrap().into_json_array().unwrap();
        let results: Vec<u64> = serde_json::from_slice(&results).unwrap();
        assert!(results.iter().copied().eq(0..100), "{results:?}");
        let audit = step.audit().unwrap();
        assert!(audit.problems.is_empty(), "{:?}", audit.problems);
    }
}

#[test]
fn an_open_step_keeps_the_run_locked() {
    let state = tempfile::tempdir().unwrap();
    let mut run = new_run(&state);
    let folder = run.folder().clone();
    let (step, _) = run.begin_step(&name("a"), StepType::Batch).unwrap();
    drop(run);
    assert!(folder.is_locked());
    drop(step);
    assert!(!folder.is_locked());
}
