//! Failures looked at closely: what is listed of them, one of them again in the foreground, what a resume would run.

use crate::support::{Ended, Sandbox};
use serde_json::json;
use std::io::Write;
use std::process::Stdio;

const WORKFLOW: &str = "
params: {bonus: 3}
steps:
  - {name: first, task: python, inputs: {code: 'return [1, 2]'}}
  - name: work
    task: batch
    inputs:
      items: [1, 0, 2]
      continue_on_error: true
      task:
        type: python
        setup: base = 10
        code: |
          print('item', item, 'of', steps.first.result, label)
          return base / (item + good) + params.bonus
        inputs: {label: 'n{{ index }}', good: \"{{ env.GOOD | default('0') | int }}\"}
  - name: shell
    task: batch
    inputs:
      items: [a, b]
      continue_on_error: true
      task: {type: shell, command: 'echo said {{ item }}; read line; echo got $line; test {{ item }} = b'}
";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with(WORKFLOW).env("GOOD", "0");
    sandbox.run(&["--progress", "none"]).exits_with(1);
    sandbox
}

#[test]
fn failures_are_listed_with_their_time_and_what_was_printed() {
    let sandbox = sandbox();
    let failures = sandbox.failures();
    assert_eq!(failures[0]["log"], "item 0 of [1, 2] n1\n");
    assert!(failures[0]["duration"].as_f64().is_some() && failures[1]["duration"].as_f64().is_some());
    assert!(failures[1]["detail"].as_str().unwrap().contains("stdout: said a\ngot"), "{}", failures[1]);
    let detail = sandbox.batchmill(&["failures", "--detail"]).exits_with(0).stdout;
    assert!(detail.contains("ZeroDivisionError") && detail.contains("output:\n  item 0 of"), "{detail}");
}

#[test]
fn what_was_printed_belongs_to_the_attempt_that_failed_last() {
    let workflow = "
steps:
  - name: work
    task: batch
    inputs:
      items: [1]
      retry: {max_attempts: 2, delay: 0}
      task: {type: python, code: \"print('attempt', batch.attempt); raise ValueError\"}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(3);
    assert_eq!(sandbox.failures()[0]["log"], "attempt 2\n");
    sandbox.batchmill(&["retry"]).exits_with(3);
    assert_eq!(sandbox.failures()[0]["log"], "attempt 2\n", "not what an earlier execution printed");
}

#[test]
fn one_failed_item_is_run_again_in_the_foreground() {
    let sandbox = sandbox();
    let again = sandbox.batchmill(&["repro", "latest", "1"]).exits_with(1);
    let again = again.says(&[
        "rerunning work[1] 0, which failed with ZeroDivisionError",
        "ZeroDivisionError: division by zero",
        "work[1] failed again: ",
    ]);
    assert_eq!(again.stdout, "item 0 of [1, 2] n1\n");
    let key = sandbox.failures()[0]["key"].as_str().unwrap()[..6].to_owned();
    let sandbox = sandbox.file(
        "workflow.yaml",
        WORKFLOW.replace("base = 10", "base = 0; import os; os.environ['X'] = '1'").replace("item + good", "item or 1"),
    );
    let again = sandbox
        .batchmill(&["repro", "latest", &key, "bonus=4"])
        .exits_with(0)
        .says(&["succeeded this time", "next: batchmill retry "]);
    assert!(again.stdout.ends_with("\n4.0\n"), "{}", again.stdout);
    assert_eq!(sandbox.failures().len(), 2, "nothing was written to the ledger");
}

#[test]
fn a_command_has_the_terminal_when_it_is_run_again() {
    let sandbox = sandbox();
    let mut again = sandbox.command(&["repro", "latest", "0"]);
    let mut again = again.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    again.stdin.take().unwrap().write_all(b"something\n").unwrap();
    let output = again.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"said a\ngot something\n".as_slice()));
}

#[test]
fn the_debugger_opens_where_the_code_raised() {
    let sandbox = sandbox();
    let mut again = sandbox.command(&["repro", "latest", "1", "--pdb"]);
    let mut again = again.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    again.stdin.take().unwrap().write_all(b"p 'item is %d' % item\np label\nq\n").unwrap();
    let output = again.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("'item is 0'") && said.contains("'n1'"), "{said}");
    assert!(said.contains("-> return base / (item + good)"), "it shows the line: {said}");
}

#[test]
fn what_cannot_be_run_again_is_said() {
    let sandbox = sandbox();
    sandbox.batchmill(&["repro", "latest", "7"]).exits_with(2).says(&["has no failed item `7`", "help:"]);
    sandbox.batchmill(&["repro", "latest", "0", "--step", "work"]).exits_with(2).says(&["has no failed item"]);
    let workflow = "
secrets: [TOKEN]
steps:
  - {name: work, for_each: ['x-s3cret'], task: shell, inputs: {command: 'false {{ item }}'}}
";
    let sandbox = Sandbox::with(workflow).env("TOKEN", "s3cret");
    sandbox.run(&[]).exits_with(3);
    sandbox.batchmill(&["repro", "latest", "0"]).exits_with(2).says(&["contains a secret", "batchmill retry"]);
}

#[test]
fn a_plan_of_going_on_runs_nothing() {
    let sandbox = sandbox();
    let plan = |expected: &[&str]| {
        let plan = sandbox.batchmill(&["plan", "workflow.yaml", "--resume"]).exits_with(0).stdout;
        expected.iter().for_each(|line| assert!(plan.contains(line), "{plan}"));
    };
    plan(&["first: 0 of 1 items will run", "work: 1 of 3 items will run: 1 failed before", "shell: 1 of 2"]);
    std::fs::write(sandbox.path().join("workflow.yaml"), WORKFLOW.replace("base = 10", "base = 11")).unwrap();
    plan(&["work: everything runs again, because `task.setup` changed"]);
    let changed = WORKFLOW.replace("return [1, 2]", "return [1, 3]");
    std::fs::write(sandbox.path().join("workflow.yaml"), changed).unwrap();
    plan(&[
        "first: everything runs again, because `task.code` changed",
        "work: depends on step `first`, which will run",
    ]);
    let json =
        sandbox.batchmill(&["run", "workflow.yaml", "--resume", "--dry-run", "--format", "json"]).exits_with(0).json();
    assert_eq!(json["steps"][2]["because"], json!({ "failed before": 1 }));
    assert_eq!(sandbox.batchmill(&["runs"]).stdout.lines().count(), 2);
    let fresh = Sandbox::with(WORKFLOW).env("GOOD", "0");
    fresh.batchmill(&["plan", "workflow.yaml", "--resume"]).exits_with(0).says(&["this file has no run yet"]);
}

#[test]
fn a_resumed_run_and_a_failed_item_see_when_the_run_was_started_and_how_its_steps_ended() {
    let workflow = "
steps:
  - {name: a, for_each: [1, 2], continue_on_error: true, task: shell, inputs: {command: 'echo {{ run.started }}; test {{ item }} = 1'}}
finally: {type: shell, command: 'echo {{ summary.status }} {{ summary.failed }} {{ summary.steps | list }} {{ run.started }}; exit 1'}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(1);
    let started = sandbox.results("a")[0]["stdout"].as_str().unwrap().to_owned();
    let mend = |ended: Ended| ended.stdout.trim().to_owned();
    // The clock goes on to another second.
    let now = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let second = now();
    while now() == second {
        std::thread::yield_now();
    }
    assert_eq!(mend(sandbox.batchmill(&["repro", "latest", "1", "--step", "a"]).exits_with(1)), started);
    let closing = sandbox.batchmill(&["repro", "latest", "0", "--step", "finally"]).exits_with(1);
    assert_eq!(mend(closing), format!("partial 1 [\"a\"] {started}"));
    let sandbox = sandbox.file("workflow.yaml", workflow.replace("[1, 2]", "[1, 2, 1]"));
    sandbox.batchmill(&["resume"]).exits_with(1);
    let all: Vec<String> = sandbox.results("a").iter().map(|it| it["stdout"].as_str().unwrap().to_owned()).collect();
    assert_eq!(all, [started.clone(), started]);
}
