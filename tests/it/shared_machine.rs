//! A machine shared with others, and a limited time.

use crate::support::{Running, Sandbox};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;

const STEPS: &str = "
steps:
  - name: work
    for_each: {range: 50}
    task: shell
    inputs: {command: 'test -e go || test {{ item }} -lt 3 || { touch began; sleep 600; }'}
  - {name: report, task: echo, inputs: {message: done}}
finally: {type: shell, command: 'echo {{ summary.status }} >> closed'}
";

#[test]
#[ignore = "heavy: takes seconds"]
fn a_run_ends_within_its_time_limit_and_can_be_resumed() {
    for (file, arguments) in [("", &["--time-limit", "1500ms"][..]), ("time_limit: 1500ms\n", &[])] {
        let sandbox = Sandbox::with(&format!("{file}{STEPS}"));
        sandbox.run(arguments).exits_with(6).says(&[
            "work: the time limit of 1.5s is near: nothing new starts, and what runs may take 750ms more",
            "stopped by the time limit of 1.5s; left: 47 items of step `work`, step `report`",
            "was interrupted",
            "next: batchmill resume",
        ]);
        assert_eq!((sandbox.results("work").len(), sandbox.read("closed").as_str()), (3, "interrupted\n"));
        sandbox.has_no_process();
        fs::write(sandbox.path().join("go"), "").unwrap();
        // The limit of a run that ends in time does nothing, and the command line wins.
        sandbox.batchmill(&["resume", "--time-limit", "1h"]).exits_with(0);
        assert_eq!(sandbox.results("work").len(), 50);
    }
    let json = Sandbox::with(STEPS);
    let ended = json.run(&["--time-limit", "1", "--grace", "100ms", "--format", "json"]).exits_with(6);
    assert_eq!(ended.json()["status"], "interrupted");
    Sandbox::with(STEPS).run(&["--time-limit", "soon"]).exits_with(2).says(&["--time-limit"]);
    Sandbox::with(&format!("time_limit: later\n{STEPS}")).run(&[]).exits_with(2).says(&["`time_limit`"]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn items_that_run_have_the_grace_before_the_limit() {
    let slow = "
steps:
  - name: work
    for_each: {range: 50}
    task: shell
    inputs: {command: 'until [ -e go ]; do sleep 0.02; done'}
";
    let sandbox = Sandbox::with(slow);
    let running = sandbox.run_until(&["--time-limit", "20s", "--grace", "19s"], "is near: nothing new starts");
    fs::write(sandbox.path().join("go"), "").unwrap();
    assert_eq!(running.ends_with(), Some(6));
    assert_eq!(sandbox.results("work").len(), 1, "the one that was running");
}

/// A machine with so much memory free (in KiB), and this load.
fn machine(sandbox: &Sandbox, free: u64, load: &str) {
    fs::create_dir_all(sandbox.path().join("proc")).unwrap();
    for (name, text) in [("meminfo", format!("MemAvailable: {free} kB\n")), ("loadavg", format!("{load} 0 0 1/2 3\n"))]
    {
        // Never half a file.
        let part = sandbox.path().join("part");
        fs::write(&part, text).unwrap();
        fs::rename(part, sandbox.path().join("proc").join(name)).unwrap();
    }
}

fn held(keys: &str, words: &str) -> (Sandbox, Running) {
    let steps = "steps: [{name: work, for_each: [1, 2, 3], task: shell, inputs: {command: 'touch began'}}]\n";
    let sandbox = Sandbox::with(&format!("{keys}\n{steps}"));
    let files = sandbox.path().join("proc").display().to_string();
    let sandbox = sandbox.env("BATCHMILL_TEST_PROC", files);
    machine(&sandbox, 1 << 20, "8.5");
    let running = sandbox.run_until(&[], words);
    assert!(!sandbox.exists("began"), "nothing starts");
    (sandbox, running)
}

#[test]
#[ignore = "heavy: takes seconds"]
fn new_batches_wait_while_the_machine_is_short_of_memory() {
    let (sandbox, running) =
        held("min_free_memory: 2GiB", "work: new batches wait: 1.0 GiB of memory free, `min_free_memory` is 2.0 GiB");
    machine(&sandbox, 3 << 20, "8.5");
    assert_eq!(running.ends_with(), Some(0));
    assert_eq!(sandbox.results("work").len(), 3);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn new_batches_wait_while_the_load_is_high_and_a_signal_ends_the_wait() {
    let (sandbox, running) = held("max_load: 8", "work: new batches wait: the load is 8.5, `max_load` is 8");
    machine(&sandbox, 1 << 20, "7.9");
    assert_eq!(running.ends_with(), Some(0));
    assert_eq!(sandbox.results("work").len(), 3);
    let (sandbox, running) = held("max_load: 8\nmin_free_memory: 1MiB", "the load is 8.5");
    kill_process(Pid::from_child(&running.engine), Signal::INT).unwrap();
    assert_eq!(running.ends_with(), Some(130));
    assert!(sandbox.results("work").is_empty());
    for wrong in ["max_load: 0", "min_free_memory: 2", "max_load: much"] {
        let key = wrong.split(':').next().unwrap();
        let steps = "steps: [{name: work, task: shell, inputs: {command: 'true'}}]\n";
        Sandbox::with(&format!("{wrong}\n{steps}")).run(&[]).exits_with(2).says(&[&format!("`{key}`")]);
    }
}

#[test]
fn as_many_batches_run_as_the_machine_has_room_for() {
    let width = |setting: &str, resources: &str| -> u64 {
        let workflow = format!(
            "steps:\n  - name: work\n    for_each: {{range: 100}}\n    {setting}\n    resources: {resources}\n    \
             task: echo\n    inputs: {{message: hi}}\n"
        );
        let sandbox = Sandbox::with(&workflow);
        let files = sandbox.path().join("proc").display().to_string();
        let sandbox = sandbox.env("BATCHMILL_TEST_PROC", files);
        machine(&sandbox, 10 << 20, "0");
        let group = sandbox.path().join("proc/groups/outer");
        fs::create_dir_all(group.join("inner")).unwrap();
        fs::create_dir_all(sandbox.path().join("proc/self")).unwrap();
        fs::write(sandbox.path().join("proc/self/cgroup"), "0::/outer/inner\n").unwrap();
        fs::write(group.join("inner/memory.max"), "max\n").unwrap();
        // 7 GiB are left: 3 of the 4 that are taken could be given up.
        for (name, text) in [("max", 8_u64 << 30), ("current", 4 << 30)] {
            fs::write(group.join(format!("memory.{name}")), format!("{text}\n")).unwrap();
        }
        fs::write(group.join("memory.stat"), format!("anon 5\ninactive_file {}\n", 3_u64 << 30)).unwrap();
        let ended = sandbox.run(&["--progress", "json"]).exits_with(0);
        let started = ended.stderr.lines().find(|line| line.contains("step_started")).unwrap().to_owned();
        serde_json::from_str::<Value>(&started).unwrap()["workers"].as_u64().unwrap()
    };
    let cores = std::thread::available_parallelism().unwrap().get() as u64;
    assert_eq!(width("parallel: true", "{gpus: 1, custom: {license: 1}}"), cores, "what it knows nothing of");
    assert_eq!(width("parallel: true", "{cpus: 0.25}"), 4 * cores);
    assert_eq!(width("parallel: true", "{cpus: 10000}"), 1);
    assert_eq!(width("parallel: true", "{cpus: 0.01, memory: 2GiB}"), 3, "its control group has 7 GiB left");
    assert_eq!(width("max_parallel: auto", "{cpus: 0.01, memory: 2GiB}"), 3);
    assert_eq!(width("max_parallel: 5", "{cpus: 10000}"), 5, "a number stays as it is");
}

#[test]
fn a_run_is_as_nice_as_one_asks_and_so_are_its_tasks() {
    let workflow = "
steps:
  - {name: shell, for_each: [1], task: shell, inputs: {command: nice}}
  - {name: python, task: python, inputs: {code: 'import os; return os.nice(0)'}}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&["--nice", "7"]).exits_with(0);
    let before: i64 = rustix::process::getpriority_process(None).unwrap().into();
    assert_eq!(sandbox.results("shell")[0]["stdout"], (before + 7).min(19).to_string());
    assert_eq!(sandbox.results("python")[0], (before + 7).min(19));
    sandbox.run(&["--nice", "20"]).exits_with(2).says(&["--nice"]);
}

#[test]
fn a_script_whose_interpreter_is_missing_says_which_one_it_asks_for() {
    let run = |script: &str| {
        let workflow = "steps: [{name: work, for_each: [1], task: shell, inputs: {command: 'bin/convert {{ item }}'}}]";
        Sandbox::with(workflow).script("convert", "").file("bin/convert", script).run(&[]).exits_with(3)
    };
    run("#!/bin/sh\r\necho hi\r\n").says(&[
        "cannot start `bin/convert`: its lines end as on Windows, so it asks for the interpreter `/bin/sh\\r`",
        "convert it: `sed -i 's/\\r$//' bin/convert`",
    ]);
    run("#! /nowhere/python3 -u\nprint()\n").says(&[
        "cannot start `bin/convert`: its first line asks for the interpreter `/nowhere/python3 -u`, which is not there",
    ]);
    let missing = "steps: [{name: work, for_each: [1], task: shell, inputs: {command: 'bin/nothing {{ item }}'}}]";
    Sandbox::with(missing).run(&[]).exits_with(3).says(&["command not found: `bin/nothing`"]);
}
