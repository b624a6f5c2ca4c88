//! How far a run is can be asked from elsewhere.

use crate::support::{Running, Sandbox};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// The third item waits for a file, the second one fails.
const WORKFLOW: &str = r"
name: flights
steps:
  - name: first
    task: shell
    inputs: {command: 'true'}
  - name: load
    task: batch
    inputs:
      items: [a, b, c, d]
      continue_on_error: true
      queue_size: 1
      task:
        type: shell
        command: 'case {{ item }} in b) exit 3;; c) while ! test -e go; do :; done;; esac'
";

fn started(sandbox: &Sandbox) -> Running {
    let engine = sandbox.command(&["run", "workflow.yaml", "--progress", "json"]);
    let engine = { engine }.stderr(Stdio::piped()).spawn().unwrap();
    Running::since(engine, |line| line.contains(r#""failed":1"#))
}

#[test]
fn a_run_under_way_says_how_far_it_is() {
    let sandbox = Sandbox::with(WORKFLOW);
    let running = started(&sandbox);
    let text = sandbox.batchmill(&["status"]).exits_with(0).stdout;
    assert!(text.starts_with("flights: run 20") && text.contains(" running for "), "{text}");
    let load = text.lines().find(|line| line.starts_with("load")).unwrap();
    assert!(load.contains("running") && load.contains("2 of 4 (50%)"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("first") && line.contains("succeeded")), "{text}");
    assert!(!text.contains("next:"), "{text}");
    let status: Value = sandbox.batchmill(&["status", "--format", "json"]).json();
    let load = &status["steps"][1];
    assert_eq!((&load["total"], &load["succeeded"], &load["failed"]), (&4.into(), &1.into(), &1.into()));
    assert_eq!(status["status"], "running");
    assert!(load["seconds_left"].as_f64().is_some_and(|left| left > 0.0), "{load}");
    fs::write(sandbox.path().join("go"), "").unwrap();
    assert_eq!(running.ends_with(), Some(1));
    let text = sandbox.batchmill(&["status"]).exits_with(0).stdout;
    assert!(text.contains(" finished with failures after ") && text.contains("next: batchmill failures 20"), "{text}");
    let load = text.lines().find(|line| line.starts_with("load")).unwrap();
    assert!(load.contains(" 4 ") && load.contains(" 1 "), "{text}");
}

#[test]
fn a_run_can_be_watched_to_its_end() {
    let sandbox = Sandbox::with(WORKFLOW);
    let running = started(&sandbox);
    let mut watch = sandbox.command(&["status", "--watch", "--format", "json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut seen = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first: Value = serde_json::from_str(&seen.next().unwrap()).unwrap();
    assert_eq!(first["status"], "running");
    fs::write(sandbox.path().join("go"), "").unwrap();
    let last: Value = serde_json::from_str(&seen.last().unwrap()).unwrap();
    assert_eq!((&last["status"], &last["steps"][1]["succeeded"]), (&"partial".into(), &3.into()));
    assert!(watch.wait().unwrap().success());
    assert_eq!(running.ends_with(), Some(1));
}

#[test]
fn a_killed_run_is_interrupted_and_keeps_its_total() {
    let sandbox = Sandbox::with(WORKFLOW);
    let mut running = started(&sandbox);
    running.engine.kill().unwrap();
    assert_eq!(running.ends_with(), None);
    let text = sandbox.batchmill(&["status"]).exits_with(0).stdout;
    assert!(text.contains(" interrupted\n") && text.contains("2 of 4 (50%)"), "{text}");
    assert!(text.contains("next: batchmill resume 20"), "{text}");
    fs::write(sandbox.path().join("go"), "").unwrap();
    sandbox.batchmill(&["resume"]).exits_with(1);
    assert!(sandbox.batchmill(&["status"]).exits_with(0).stdout.contains("finished with failures"));
    sandbox.batchmill(&["status", "2031"]).exits_with(2);
}
