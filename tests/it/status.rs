//! How far a run is can be asked from elsewhere.

use crate::progress::{on_terminal, screen};
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
    assert!(text.starts_with("run 20") && text.contains("-flights-") && text.contains(" running for "), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 3 && lines[1].starts_with("first  1 item in "), "{text}");
    assert!(lines[2].starts_with("load 2/4 (50%) ok 1 failed 1"), "{text}");
    let status: Value = sandbox.batchmill(&["status", "--format", "json"]).json();
    let load = &status["steps"][1];
    assert_eq!((&load["total"], &load["succeeded"], &load["failed"]), (&4.into(), &1.into(), &1.into()));
    assert_eq!(status["status"], "running");
    assert!(load["seconds_left"].as_f64().is_some_and(|left| left > 0.0), "{load}");
    fs::write(sandbox.path().join("go"), "").unwrap();
    assert_eq!(running.ends_with(), Some(1));
    let text = sandbox.batchmill(&["status"]).exits_with(0).stdout;
    assert!(text.contains(" finished with failures in ") && text.contains("next: batchmill failures 20"), "{text}");
    assert!(!sandbox.path().join(".batchmill/runs").join(running_id(&text)).join("progress.json").exists());
}

/// The ID in `run ID finished with failures`.
fn running_id(text: &str) -> &str {
    text.split_whitespace().nth(1).unwrap()
}

#[test]
fn another_terminal_shows_the_same_bars() {
    let sandbox = Sandbox::with(WORKFLOW);
    let running = started(&sandbox);
    let widths = [(40, "  50%  2/4"), (80, "  50%  2/4 items"), (160, "  50%  2/4 items")];
    let screens = widths.map(|(columns, _)| screen(&on_terminal(&sandbox, columns, ("", "status")), columns));
    fs::write(sandbox.path().join("go"), "").unwrap();
    assert_eq!(running.ends_with(), Some(1));
    for (screen, (_, counts)) in screens.iter().zip(widths) {
        let lines: Vec<&str> = screen.trim_end().lines().collect();
        assert!(lines[0].starts_with("run 20") && lines[1].starts_with("first  1 item in "), "{screen}");
        let bar = lines[2];
        assert!(bar.starts_with("load  ━━━━") && bar.contains('─') && bar.contains(counts), "{screen}");
        assert!(lines.len() == 3 || lines[3].starts_with("      failed 1"), "{screen}");
    }
}

#[test]
fn the_slowest_item_is_named_on_another_terminal_too() {
    let workflow = r"
steps:
  - name: load
    for_each: [quick, data/slow.csv]
    task: shell
    inputs: {command: 'case {{ item }} in data*) until test -e go; do :; done;; esac'}
";
    let sandbox = Sandbox::with(workflow);
    let running = sandbox.run_until(&["--slow-after", "1ms"], "data/slow.csv has been running for");
    let shown = || screen(&on_terminal(&sandbox, 160, ("", "status")), 160);
    // It is noted twice a second.
    let screen = std::iter::repeat_with(shown).find(|screen| screen.contains("slowest")).unwrap();
    fs::write(sandbox.path().join("go"), "").unwrap();
    assert_eq!(running.ends_with(), Some(0));
    assert!(screen.contains("load  ━") && screen.contains("1/2 items"), "{screen}");
    assert!(screen.lines().any(|line| line.contains("slowest data/slow.csv ")), "{screen}");
}

/// A text without times and rates.
fn steady(text: &str) -> Vec<String> {
    let unit = |word: &&str| ["ms", "s", "min", "h"].contains(&word.trim_end_matches([')', ',']));
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let next = |at: usize| words.get(at + 1);
        let kept = words.iter().enumerate().filter(|(at, word)| {
            !(unit(word)
                || next(*at).is_some_and(|next| unit(next) || next.starts_with("items/s"))
                || word.contains("/s"))
        });
        kept.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect()
}

#[test]
fn a_run_that_is_over_is_shown_as_it_ended() {
    let failing = WORKFLOW.replace("b) exit 3;; c) while ! test -e go; do :; done;;", "[abc]) exit 3;;");
    let alone = failing.replace("  - name: first\n    task: shell\n    inputs: {command: 'true'}\n", "");
    for workflow in [failing.clone(), alone, failing.replace("continue_on_error: true", "continue_on_error: false")] {
        let sandbox = Sandbox::with(&workflow);
        let said = sandbox.run(&[]).stderr;
        let (_, end) = said.split_once(" started\n").unwrap();
        let end = &end[end.find("\nrun 20").unwrap() + 1..];
        let status = sandbox.batchmill(&["status"]).exits_with(0).stdout;
        assert_eq!(steady(&status), steady(end));
        assert!(end.contains("next: "), "{end}");
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
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
    assert!(text.contains(" was interrupted\n"), "{text}");
    let load: Vec<&str> =
        text.lines().find(|line| line.trim().starts_with("load")).unwrap().split_whitespace().collect();
    assert_eq!(load[..5], ["load", "4", "1", "1", "2"], "items, ok, failed, skipped: {text}");
    assert!(text.contains("next: batchmill resume 20"), "{text}");
    fs::write(sandbox.path().join("go"), "").unwrap();
    sandbox.batchmill(&["resume"]).exits_with(1);
    assert!(sandbox.batchmill(&["status"]).exits_with(0).stdout.contains("finished with failures"));
    sandbox.batchmill(&["status", "2031"]).exits_with(2);
}
