//! Engine and workers killed at random: every item ends with one outcome, the right one.

use crate::support::Sandbox;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The guard of an engine.
pub fn guard_of(engine: u32) -> Option<Pid> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let parent = format!(" {engine} ");
    let is_guard = |pid: &i32| {
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        command.contains("guard-children") && fields.get(1..).is_some_and(|fields| fields.starts_with(&parent))
    };
    pids.into_iter().find(is_guard).and_then(Pid::from_raw)
}

/// Signals that end a whole session reach the guard before the engine is killed; one that was killed is replaced.
#[test]
fn no_process_survives_an_engine_whose_guard_was_signalled_or_killed() {
    let workflow = "
steps:
  - {name: waits, for_each: [1, 2], max_parallel: 2, task: shell, inputs: {command: 'touch began-{{ item }}; sleep 600; true'}}
";
    for signals in [&[Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT][..], &[Signal::KILL], &[Signal::KILL; 3]] {
        let sandbox = Sandbox::with(workflow);
        let mut engine = sandbox.command(&["run", "workflow.yaml", "--progress", "none"]).spawn().unwrap();
        while !sandbox.exists("began-1") || !sandbox.exists("began-2") {
            assert!(engine.try_wait().unwrap().is_none());
        }
        for signal in signals {
            let guard = guard_of(engine.id()).expect("an engine has a guard");
            kill_process(guard, *signal).unwrap();
            // Dead, it is reaped and replaced.
            while *signal == Signal::KILL && guard_of(engine.id()).is_none_or(|now| now == guard) {
                std::thread::yield_now();
            }
        }
        engine.kill().unwrap();
        engine.wait().unwrap();
        sandbox.has_no_process();
    }
}

/// The engine is killed with -9 after a number of events that is another one each time, and goes on each time.
#[test]
#[ignore = "heavy: kills the engine again and again"]
fn nothing_is_lost_or_done_twice_however_often_the_engine_is_killed() {
    const ITEMS: usize = 2000;
    let workflow = format!(
        "
steps:
  - name: shell
    task: batch
    inputs:
      items: {{range: {ITEMS}}}
      max_parallel: 2
      task: {{type: shell, command: 'echo {{{{ item }}}} >> ran.shell; echo $(({{{{ item }}}} * 2))'}}
  - name: python
    task: batch
    inputs:
      items: {{range: {ITEMS}}}
      batch_size: 3
      max_parallel: 2
      task:
        type: python
        setup: log = open('ran.python', 'a', buffering=1)
        code: |
          print(item, file=log)
          return item * 3
"
    );
    let sandbox = Sandbox::with(&workflow);
    let mut seed = 7_u64;
    let mut kills = 0;
    let mut arguments = vec!["run", "workflow.yaml", "--progress", "json"];
    // The items of each step that have a result.
    let mut done: [Vec<usize>; 2] = Default::default();
    loop {
        let (mut engine, lines) = sandbox.spawn_in_step(&arguments);
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let events = 3 + (seed >> 33) % 60;
        let seen = lines.take(usize::try_from(events).unwrap()).count() as u64;
        if seen == events {
            engine.kill().unwrap();
            kills += 1;
        }
        let status = engine.wait().unwrap();
        sandbox.has_no_process();
        for ((step, factor), done) in STEPS.iter().zip(&mut done) {
            // What was under way may run twice, which is some milliseconds of items; what was done never does.
            let again = sandbox
                .take_numbers(&format!("ran.{step}"))
                .into_iter()
                .filter(|item| done.binary_search(item).is_ok())
                .count();
            assert_eq!(again, 0, "items of {step} that were done ran again, after {kills} kills");
            *done = results(&sandbox, step).iter().map(|result| result / factor).collect();
            done.sort_unstable();
        }
        if seen < events {
            assert_eq!(status.code(), Some(0));
            break;
        }
        arguments = vec!["resume", "--progress", "json"];
    }
    assert!(kills >= 25, "only {kills} kills");
    sandbox.batchmill(&["audit"]).exits_with(0);
    for (step, factor) in STEPS {
        let all: Vec<usize> = (0..ITEMS).map(|item| item * factor).collect();
        assert!(results(&sandbox, step) == all, "results of {step} differ from an undisturbed run");
    }
}

/// The steps of the run above, and what each result is of its item.
const STEPS: [(&str, usize); 2] = [("shell", 2), ("python", 3)];

/// The results of a step so far; none where it has not begun.
fn results(sandbox: &Sandbox, step: &str) -> Vec<usize> {
    let ended = sandbox.batchmill(&["results", "--step", step]);
    let number = |line: &str| -> usize {
        let result: Value = serde_json::from_str(line).unwrap();
        let number = result.as_u64().or_else(|| result["stdout"].as_str()?.parse().ok()).unwrap();
        number.try_into().unwrap()
    };
    ended.stdout.lines().map(number).collect()
}

/// Workers are killed with -9 while the run goes on. The items they are on are charged, and tried again; no other is.
#[test]
#[ignore = "heavy: many workers are killed"]
fn items_bear_no_blame_for_workers_that_are_killed_while_on_others() {
    const ITEMS: i64 = 4000;
    // Every fiftieth item has its worker kill the other one, whatever that is on, and waits for it to be there. The last items kill
    // nobody: the other worker might not be started again for them.
    let workflow = format!(
        "
steps:
  - name: work
    task: batch
    inputs:
      items: {{range: {ITEMS}}}
      batch_size: 5
      max_parallel: 2
      continue_on_error: true
      retry: {{max_attempts: 50, delay: 0, on: crash}}
      task:
        type: python
        setup: |
          import os, signal
          me = str(os.getpid())
          there = []
          def killed(pid):
            try:
              os.rename(f'workers/{{pid}}', f'killed/{{pid}}')
              os.kill(int(pid), signal.SIGKILL)
            except OSError:
              return False
            return True
        code: |
          if not there:
            open(f'workers/{{me}}', 'w').close()
            there.append(me)
          if item % 50 == 0 and item < 3000 and batch.attempt == 1:
            while not any(killed(pid) for pid in os.listdir('workers') if pid != me): pass
          if item % 1000 == 7: raise ValueError('of its own')
          sum(range(20000))
          return [item, batch.attempt]
"
    );
    let sandbox = Sandbox::with(&workflow);
    let killed = sandbox.path().join("killed");
    for directory in [&killed, &sandbox.path().join("workers")] {
        std::fs::create_dir(directory).unwrap();
    }
    sandbox.batchmill(&["run", "workflow.yaml"]).exits_with(1);
    // Of the sixty items that kill, each does so or is itself killed by another.
    let kills = std::fs::read_dir(killed).unwrap().count() as u64;
    assert!(kills >= 30, "only {kills} kills");
    let failures = sandbox.failures();
    let failed: Vec<i64> = failures.iter().map(|failure| failure["index"].as_i64().unwrap()).collect();
    assert_eq!(failed, [7, 1007, 2007, 3007]);
    assert!(failures.iter().all(|failure| failure["type"] == "ValueError"), "{failures:?}");
    let results = sandbox.results("work");
    let items: Vec<i64> = results.iter().map(|result| result[0].as_i64().unwrap()).collect();
    assert!(items == (0..ITEMS).filter(|item| item % 1000 != 7).collect::<Vec<_>>());
    let charged: u64 = results.iter().map(|result| result[1].as_u64().unwrap() - 1).sum();
    assert!(charged <= kills, "{charged} items charged for {kills} kills");
    sandbox.batchmill(&["audit"]).exits_with(0);
    sandbox.has_no_process();
}
