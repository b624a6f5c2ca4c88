//! `batchmill report`: its figures are those of the ledger, and true for loads that are known by construction.

use crate::support::Sandbox;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::Command;

fn figures(sandbox: &Sandbox) -> Value {
    let report = sandbox.batchmill(&["report", "--format", "json", "-o", "-"]).exits_with(0);
    serde_json::from_str(&report.stdout).unwrap()
}

fn sum(values: &Value) -> f64 {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).sum()
}

/// The figures of a step agree with each other: samples with counts, states with the time of the slots, frames with batches.
fn adds_up(step: &Value) {
    let (counts, time, samples) = (&step["counts"], &step["time"], &step["samples"]);
    let done = |part: &str| sum(&samples[part]) as u64;
    assert!(done("succeeded") <= counts["succeeded"].as_u64().unwrap(), "{step:#}");
    let states: BTreeMap<String, f64> = serde_json::from_value(time["states"].clone()).unwrap();
    let slot_seconds = time["slot_seconds"].as_f64().unwrap();
    assert!((states.values().sum::<f64>() - slot_seconds).abs() < 1e-3, "{time:#}");
    let took = sum(&samples["took"]);
    let slots = time["slots"].as_f64().unwrap();
    // Slots begin a moment after the step, and end a moment before it.
    assert!(slot_seconds <= 1.01 * took * slots, "{slot_seconds} of {took} x {slots}");
    let by_slot = time["by_slot"].as_array().unwrap();
    assert_eq!(by_slot.len(), slots as usize);
    for (state, seconds) in states {
        let all: f64 = by_slot.iter().map(|slot| slot[&state].as_f64().unwrap()).sum();
        assert!((all - seconds).abs() < 1e-3, "{state}: {all} and {seconds}");
    }
}

#[test]
fn the_figures_are_those_of_the_ledger() {
    let sandbox = Sandbox::with(
        "
name: prices
steps:
  - name: load
    task: batch
    inputs:
      items: {range: 100}
      batch_size: 3
      max_parallel: 2
      continue_on_error: true
      retry: {max_attempts: 2, delay: 1ms}
      task:
        type: python
        code: |
          if item % 10 == 7: raise ValueError(f'no price for {item}')
          return {'price': item}
    outputs: {name: prices, path: prices.jsonl}
  - name: tell
    task: shell
    inputs: {command: echo done}
",
    );
    sandbox.run(&[]).exits_with(1);
    let report = figures(&sandbox);
    assert_eq!((&report["status"], &report["workflow"]), (&"partial".into(), &"prices".into()));
    let load = &report["steps"][0];
    adds_up(load);
    adds_up(&report["steps"][1]);
    let counts = &load["counts"];
    assert_eq!((&counts["total"], &counts["succeeded"], &counts["failed"]), (&100.into(), &90.into(), &10.into()));
    assert_eq!(counts["retried"], 10);
    for (part, expected) in [("succeeded", 90.0), ("failed", 10.0), ("retried", 10.0)] {
        assert!((sum(&load["samples"][part]) - expected).abs() < 0.5, "{part}: {load:#}");
    }
    // Each attempt has a time.
    assert_eq!(load["items"]["timed"], 110);
    let histogram = load["items"]["histogram"].as_array().unwrap();
    assert_eq!(histogram.iter().map(|bin| bin["count"].as_u64().unwrap()).sum::<u64>(), 110);
    assert_eq!(load["failures"].as_array().unwrap().len(), 1, "{:#}", load["failures"]);
    assert_eq!(load["failures"][0]["count"], 10);
    assert_eq!(load["failures"][0]["indexes"][0], 7);
    let bytes = std::fs::metadata(sandbox.path().join("prices.jsonl")).unwrap().len();
    assert_eq!(load["output"]["bytes"], bytes);
    assert!(report["source"].as_str().unwrap().contains("no price for"));
    assert!(report["machine"]["cores"].as_u64().unwrap() >= 1);
    assert!(report["machine"]["python"]["version"].as_str().unwrap().starts_with("3."));
}

#[test]
fn waiting_and_computing_show_where_they_happen() {
    let sandbox = Sandbox::with(
        "
steps:
  - {name: sleeps, for_each: [1, 2, 3, 4], max_parallel: 2, task: shell, inputs: {command: sleep 0.2}}
  - name: spins
    task: batch
    inputs:
      items: {range: 4}
      max_parallel: 2
      task:
        type: python
        code: |
          import time
          began = time.process_time()
          while time.process_time() < began + 0.1: pass
          return time.process_time() - began
",
    );
    sandbox.run(&[]).exits_with(0);
    let report = figures(&sandbox);
    let (sleeps, spins) = (&report["steps"][0], &report["steps"][1]);
    [sleeps, spins].into_iter().for_each(adds_up);
    let of = |step: &Value, path: &str| {
        step.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {step:#}"))
    };
    // What slept took at least as long as it slept, and computed next to nothing meanwhile. On a busy machine a command sleeps already
    // when the engine learns that it has started.
    assert!(of(sleeps, "/time/states/start") + of(sleeps, "/time/states/task") >= 0.8);
    assert!(of(sleeps, "/time/task_cpu") < 0.4, "{:#}", sleeps["time"]);
    assert!(of(sleeps, "/items/p50") >= 0.2 * 0.99 && of(sleeps, "/items/max") >= 0.2 * 0.99);
    // What computed used the CPU for at least as long as it says.
    let own: f64 = sandbox.results("spins").iter().map(|result| result.as_f64().unwrap()).sum();
    assert!(own >= 0.4 && of(spins, "/time/task_cpu") >= 0.95 * own, "{own}: {:#}", spins["time"]);
    assert!(of(spins, "/time/workers/task") >= 0.95 * own);
    assert!(of(spins, "/time/workers/task") <= 1.01 * of(spins, "/time/slot_seconds"));
    assert!(of(spins, "/time/states/start") > 0.0, "workers are started: {:#}", spins["time"]);
    assert!(of(spins, "/time/memory/largest_process") > 1e6);
}

#[test]
fn slots_that_wait_for_a_slow_source_are_idle() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: reads
    task: batch
    inputs: {items: {lines: pipe}, max_parallel: 2, task: {type: shell, command: 'touch ran-{{ item }}'}}
",
    );
    let pipe = sandbox.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut engine = sandbox.command(&["run", "workflow.yaml", "--progress", "none"]).spawn().unwrap();
    let mut source = std::fs::File::options().write(true).open(&pipe).unwrap();
    source.write_all(b"1\n").unwrap();
    while !sandbox.exists("ran-1") {
        assert!(engine.try_wait().unwrap().is_none());
    }
    // The slowness of the source is the load under test.
    assert!(Command::new("sleep").arg("0.3").status().unwrap().success());
    source.write_all(b"2\n").unwrap();
    drop(source);
    assert!(engine.wait().unwrap().success());
    let report = figures(&sandbox);
    let step = &report["steps"][0];
    adds_up(step);
    assert!(step["time"]["states"]["idle"].as_f64().unwrap() >= 0.4, "{:#}", step["time"]);
    let says = step["time"]["limited_by"].as_str().unwrap();
    assert!(says.contains("for items") || says.contains("idle"), "{says}");
}

#[test]
fn a_resumed_run_is_the_sum_of_its_executions() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: work
    task: batch
    inputs:
      items: {range: 20}
      max_parallel: 2
      continue_on_error: true
      task: {type: shell, command: 'test -e mended -o {{ item }} != 7 && sleep 0.01'}
",
    );
    sandbox.run(&[]).exits_with(1);
    let before = figures(&sandbox);
    std::fs::write(sandbox.path().join("mended"), "").unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0);
    let after = figures(&sandbox);
    assert_eq!(after["executions"].as_array().unwrap().len(), 2);
    let step = &after["steps"][0];
    adds_up(step);
    assert!((sum(&step["samples"]["succeeded"]) - 20.0).abs() < 0.5, "{step:#}");
    assert_eq!((&before["steps"][0]["items"]["timed"], &step["items"]["timed"]), (&20.into(), &21.into()));
    assert!(step["seconds"].as_f64() > before["steps"][0]["seconds"].as_f64());
    assert!(step["failures"].as_array().unwrap().is_empty());
}

#[test]
fn a_run_is_compared_with_an_earlier_one_by_step_and_item() {
    let workflow = "
steps:
  - name: work
    task: batch
    inputs: {items: [a, b, c, d], batch_size: 1, queue_size: 4, continue_on_error: true, task: {type: shell, command: 'test {{ item }} != BAD && test {{ item }} != d'}}
";
    let sandbox = Sandbox::with(&workflow.replace("BAD", "a"));
    sandbox.run(&[]).exits_with(1);
    let first = sandbox.run_folder().file_name().unwrap().to_str().unwrap().to_owned();
    let sandbox = sandbox.file("workflow.yaml", workflow.replace("BAD", "c"));
    sandbox.run(&[]).exits_with(1);
    let arguments = ["report", "latest", "--against", &first, "--format", "json", "-o", "-"];
    let report: Value = serde_json::from_str(&sandbox.batchmill(&arguments).exits_with(0).stdout).unwrap();
    let step = &report["against"]["steps"][0];
    assert_eq!(step["newly_failed"], serde_json::json!([2]));
    assert_eq!((&step["failed_again"], &step["no_longer_failed"]), (&1.into(), &1.into()));
    // Only this one has a time in both: it did not fail, and ran alone.
    let slowest = step["slowest"].as_array().unwrap();
    assert_eq!(
        slowest.iter().map(|item| (&item["index"], &item["input"])).collect::<Vec<_>>(),
        [(&1.into(), &"\"b\"".into())]
    );
    assert!(slowest[0]["seconds"].as_array().unwrap().iter().all(|seconds| seconds.as_f64().unwrap() > 0.0));
    sandbox.batchmill(&["report", "--against", "latest", "-o", "-"]).exits_with(2).says(&["compared with itself"]);
    let sandbox = sandbox.file("other.yaml", "name: other\nsteps: [{name: a, task: echo, inputs: {message: hi}}]");
    sandbox.batchmill(&["run", "other.yaml"]).exits_with(0);
    sandbox.batchmill(&["report", "--against", &first, "-o", "-"]).exits_with(2).says(&["is of another workflow"]);
}

#[test]
fn hostile_text_is_dead_on_the_page() {
    let sandbox = Sandbox::with(
        "
name: '<b>bold</b>'
params: {note: {default: '</script><script>alert(1)</script>'}}
secrets: [TOKEN]
steps:
  - name: work
    task: batch
    inputs:
      items: ['<script>alert(2)</script>', \"\\e[31mred\\e]0;title\\a\", \"\\u202eevil\", \"nul\\0byte\", 'a', '</script>']
      max_parallel: 2
      continue_on_error: true
      task:
        type: python
        code: |
          import os
          raise ValueError(f'<img src=x onerror=alert(3)> {item} {os.environ[\"TOKEN\"]}' + 'x' * 1000000)
",
    )
    .env("TOKEN", "hunter2-secret");
    sandbox.run(&[]).exits_with(1);
    sandbox
        .batchmill(&["report", "-o", "r.html", "--trace", "t.json"])
        .exits_with(0)
        .says(&["wrote r.html", "wrote t.json"]);
    let page = sandbox.read("r.html");
    for live in ["<script>alert", "<img", "<b>bold", "</script><script>alert", "\u{1b}", "\u{202e}", "\0", "hunter2"] {
        assert!(!page.contains(live), "{live:?} is live");
    }
    assert!(
        page.contains("&lt;script&gt;alert(2)")
            || page.contains("&lt;script&gt;alert(2)".replace('(', "&#40;").as_str())
    );
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("<script").count(), 2, "the data of the time lines, and the page's own code");
    let trace: Vec<Value> = serde_json::from_str(&sandbox.read("t.json")).unwrap();
    assert!(trace.iter().any(|event| event["ph"] == "X" && event["cat"] == "failed"));
}

#[test]
fn the_page_counts_failures_in_no_group_and_names_the_packages() {
    // Words of letters only, each different: 2,100 causes.
    let sandbox = Sandbox::with(
        "
steps:
  - name: work
    for_each: {range: 2100}
    batch_size: 100
    continue_on_error: true
    task: python
    inputs: {code: 'raise ValueError(str().join(chr(103 + int(digit)) for digit in str(item)))'}
",
    );
    sandbox.run(&[]).exits_with(1);
    let report = figures(&sandbox);
    let (step, python) = (&report["steps"][0], &report["machine"]["python"]);
    let grouped: u64 = step["failures"].as_array().unwrap().iter().map(|group| group["count"].as_u64().unwrap()).sum();
    assert_eq!((grouped, &step["other_failures"]), (100, &2000.into()));
    let version = python["packages"]["pandas"].as_str().unwrap();
    let page = sandbox.batchmill(&["report", "-o", "-"]).exits_with(0).stdout;
    for part in ["2,000 other failures in work, each different", &format!("pandas {version}")] {
        assert!(page.contains(part), "`{part}` is not on the page");
    }
}

#[test]
fn what_cannot_be_written_or_read_is_named() {
    let sandbox = Sandbox::with("steps: [{name: a, task: echo, inputs: {message: hi}}]");
    sandbox.batchmill(&["report"]).exits_with(2).says(&["no run"]);
    sandbox.run(&[]).exits_with(0);
    sandbox
        .batchmill(&["report", "-o", "missing/r.html"])
        .exits_with(2)
        .says(&["cannot write `missing/r.html`", "the directory `missing` does not exist"]);
    for (target, option) in [("workflow.yaml", "-o"), ("./workflow.yaml", "--trace")] {
        sandbox.batchmill(&["report", option, target]).exits_with(2).says(&["is the workflow file"]);
    }
    sandbox.batchmill(&["report", "-o", "."]).exits_with(2).says(&["cannot write `.`"]);
    sandbox.batchmill(&["report", "-o", "x", "--trace", "./x"]).exits_with(2).says(&["cannot both be `./x`"]);
    sandbox.batchmill(&["report", "--against", "nothing"]).exits_with(2).says(&["nothing"]);
    assert!(!sandbox.exists("x"));
    let report = sandbox.batchmill(&["report"]).exits_with(0);
    report.says(&["wrote report-", ".html"]);
}

/// Nobody measured them then.
#[test]
fn runs_of_earlier_versions_have_a_report_without_measurements() {
    let sandbox = crate::migrations::stored(5, "workflow");
    let report = figures(&sandbox);
    assert_eq!(report["steps"][0]["time"], Value::Null);
    assert_eq!(report["steps"][0]["counts"]["failed"], 1);
    sandbox.batchmill(&["report", "-o", "r.html"]).exits_with(0);
    assert!(sandbox.read("r.html").contains("not measured"));
}
