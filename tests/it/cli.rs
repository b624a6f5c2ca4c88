//! Flags, exit codes, output formats.

use crate::support::Sandbox;
use serde_json::{Value, json};

const HELLO: &str = "
name: hello
steps:
  - name: greet
    task: batch
    inputs:
      items: [Ada, Grace]
      batch_size: 2
      continue_on_error: true
      task: {type: shell, command: 'greet {{ item }}'}
";

fn hello(greet: &str) -> Sandbox {
    Sandbox::with(HELLO).script("greet", greet)
}

#[test]
fn stdout_is_data_and_everything_else_is_stderr() {
    let sandbox = hello("echo hi $1");
    let run = sandbox.run(&[]).exits_with(0).says(&["run ", "greet", "2 items", "next: batchmill results "]);
    assert_eq!(run.stdout, "");
    let results = sandbox.batchmill(&["results"]).exits_with(0);
    assert_eq!(results.stdout.lines().count(), 2);
    assert_eq!(results.stderr, "");
}

#[test]
fn the_json_of_a_run_is_one_object() {
    let sandbox = hello("[ $1 = Ada ]");
    let json = sandbox.run(&["--format", "json", "--progress", "none"]).exits_with(1).json();
    assert_eq!(json["status"], "partial");
    let greet = &json["steps"]["greet"];
    assert_eq!(greet["results"], json!([{ "stdout": "", "stderr": "", "exit_code": 0 }]));
    assert_eq!(greet["failed"][0]["item"], "Grace");
    assert_eq!(greet["stats"]["percent"], json!(50.0));
    let runs = sandbox.batchmill(&["runs", "--format", "json"]).exits_with(0).json();
    assert_eq!((&runs[0]["run_id"], &runs[0]["failed"]), (&json["run_id"], &json!(1)));
}

#[test]
fn many_results_are_named_by_their_file() {
    let workflow = "steps:\n  - name: n\n    task: batch\n    inputs: {items: {range: 1001}, task: {type: echo, message: '{{ item }}'}}\n";
    let sandbox = Sandbox::with(workflow);
    let json = sandbox.run(&["--format", "json", "--progress", "none"]).exits_with(0).json();
    let path = json["steps"]["n"]["results_path"].as_str().unwrap();
    assert_eq!(sandbox.read(path).lines().count(), 1001);
    assert!(json["steps"]["n"].get("results").is_none());
}

#[test]
fn progress_can_be_json_lines() {
    let ended = hello("exit 0").run(&["--progress", "json"]).exits_with(0);
    let events: Vec<Value> = ended.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["run_started", "step_started", "batch_finished", "step_finished", "run_finished"]);
}

#[test]
fn plan_and_dry_run_show_what_would_run_and_run_nothing() {
    let sandbox = hello("touch ran");
    let plan = sandbox.batchmill(&["plan", "workflow.yaml"]).exits_with(0);
    assert!(
        plan.stdout.contains("1. greet (shell)\n   2 items in 1 batch of 2, 1 worker\n   `item` is one item"),
        "{}",
        plan.stdout
    );
    assert_eq!(sandbox.run(&["--dry-run"]).exits_with(0).stdout, plan.stdout);
    let json = sandbox.batchmill(&["plan", "workflow.yaml", "--format", "json"]).exits_with(0).json();
    assert_eq!(json["steps"][0]["work"]["items"], 2);
    assert!(!sandbox.exists("ran") && !sandbox.exists(".batchmill"));
}

#[test]
fn a_quiet_run_shows_errors_only() {
    for quiet in ["--quiet", "-q"] {
        assert_eq!(hello("true").run(&[quiet]).exits_with(0).stderr, "");
        let stops = Sandbox::with("steps: [{name: work, task: shell, inputs: {command: 'exit 1'}}]");
        stops.run(&[quiet]).exits_with(3).says(&["error: step `work` stopped"]);
    }
    hello("true").run(&["-q", "--progress", "bar"]).exits_with(2).says(&["cannot be used with"]);
}

#[test]
fn validate_says_what_is_right_and_what_item_is() {
    let valid = hello("").batchmill(&["validate", "workflow.yaml"]).exits_with(0);
    assert!(valid.stdout.contains("workflow.yaml is valid: 1 step\n  greet: `item` is one item"), "{}", valid.stdout);
    Sandbox::with("steps: 3\n").batchmill(&["validate", "workflow.yaml"]).exits_with(2).says(&["workflow.yaml:1:8"]);
}

#[test]
fn the_starter_workflow_runs_and_is_never_written_over_a_file() {
    let sandbox = Sandbox::new();
    let says = ["created workflow.yaml, and batchmill.schema.json for editors", "next: batchmill run workflow.yaml"];
    sandbox.batchmill(&["init"]).exits_with(0).says(&says);
    sandbox.run(&[]).exits_with(0).says(&["3 greetings; the first is: Hello, Ada!"]);
    sandbox.batchmill(&["init"]).exits_with(2).says(&["cannot create `workflow.yaml`", "help:"]);
    let sandbox = sandbox.file("batchmill.schema.json", "mine");
    sandbox
        .batchmill(&["init", "second.yaml"])
        .exits_with(0)
        .says(&["`batchmill schema -o batchmill.schema.json` renews"]);
    assert_eq!(sandbox.read("batchmill.schema.json"), "mine");
    assert!(sandbox.read("second.yaml").starts_with("# yaml-language-server: $schema=batchmill.schema.json\n"));
}

#[test]
fn schemas_are_written_to_files() {
    let sandbox = Sandbox::new();
    for arguments in [&["schema"][..], &["schema", "--events"]] {
        let printed = sandbox.batchmill(arguments).exits_with(0).json();
        let ended = sandbox.batchmill(&[arguments, &["-o", "a.json"]].concat()).exits_with(0).says(&["wrote a.json"]);
        assert_eq!(ended.stdout, "");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&sandbox.read("a.json")).unwrap(), printed);
    }
    let wrong = sandbox.batchmill(&["schema", "-o", "no/a.json"]).exits_with(2);
    wrong.says(&["cannot write `no/a.json`", "No such file", "help: name a file in a directory that exists"]);
}

#[test]
fn the_schema_is_json_schema_and_knows_the_keys() {
    let schema = Sandbox::new().batchmill(&["schema"]).exits_with(0).json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let text = schema.to_string();
    assert!(["batch_size", "continue_on_error", "on_item_error", "rate_limit"].iter().all(|key| text.contains(key)));
}

#[test]
fn runs_are_found_by_id_by_its_end_and_as_latest() {
    let sandbox = hello("echo $1");
    sandbox.run(&[]).exits_with(0);
    let id = sandbox.run(&["--format", "json", "--progress", "none"]).exits_with(0).json()["run_id"]
        .as_str()
        .unwrap()
        .to_owned();
    for name in [id.as_str(), &id[id.len() - 4..], "latest"] {
        sandbox.batchmill(&["results", name]).exits_with(0);
    }
    sandbox.batchmill(&["results", "nosuch"]).exits_with(2).says(&["no run `nosuch`", "batchmill runs"]);
    sandbox.batchmill(&["results", "2"]).exits_with(2).says(&["`2` matches 2 runs", "batchmill runs"]);
    sandbox.batchmill(&["results", "--step", "x"]).exits_with(2).says(&["no step `x`", "its steps are `greet`"]);
    let table = sandbox.batchmill(&["runs"]).exits_with(0).stdout;
    assert_eq!(table.lines().count(), 3, "{table}");
    Sandbox::new().batchmill(&["results"]).exits_with(2).says(&["no runs in"]);
}

#[test]
fn a_reader_of_results_may_leave_early() {
    let workflow = "steps:\n  - name: n\n    task: batch\n    inputs: {items: {range: 50000}, batch_size: 500, task: {type: echo, message: '{{ item }}'}}\n";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&["--progress", "none"]).exits_with(0);
    let mut results = sandbox.command(&["results"]);
    let mut child = results.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn the_first_interrupt_lets_the_item_end_and_the_second_ends_it() {
    use rustix::process::{Pid, Signal, kill_process};
    use std::io::{BufRead, BufReader};
    let workflow = "steps:\n  - name: w\n    task: batch\n    inputs: {items: {range: 1000}, task: {type: shell, command: 'work'}}\n";
    for (work, signals, signal, code) in [
        // An item takes the file along, so that the next one, begun before the signal has arrived, does not end by itself.
        ("echo >> ran; while [ ! -e go ]; do :; done; rm go", 1, Signal::TERM, 143),
        ("echo >> ran; exec sleep 600", 2, Signal::INT, 130),
    ] {
        let sandbox = Sandbox::with(workflow).script("work", work);
        let mut child = sandbox.command(&["run", "workflow.yaml", "--progress", "json"]);
        let mut child = child.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        // Wait until the first item has begun.
        while !sandbox.exists("ran") {
            assert!(child.try_wait().unwrap().is_none());
        }
        for _ in 0..signals {
            kill_process(Pid::from_child(&child), signal).unwrap();
            // Two signals sent at once may arrive as one: the second follows when the first has had an effect.
            std::thread::yield_now();
        }
        if signals == 1 {
            std::fs::write(sandbox.path().join("go"), "").unwrap();
        } else {
            while child.try_wait().unwrap().is_none() {
                let _ = kill_process(Pid::from_child(&child), signal);
            }
        }
        let last = lines.by_ref().last().unwrap().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{last}");
        assert!(last.contains("\"status\":\"interrupted\""), "{last}");
        assert!(sandbox.read("ran").lines().count() <= 2);
    }
}

#[test]
fn old_runs_are_deleted_when_asked() {
    let sandbox = hello("echo $1");
    let ids: Vec<String> = (0..3)
        .map(|_| {
            let json = sandbox.run(&["--format", "json", "--progress", "none"]).exits_with(0).json();
            json["run_id"].as_str().unwrap().to_owned()
        })
        .collect();
    sandbox.batchmill(&["runs", "clean"]).exits_with(2).says(&["--older-than"]);
    sandbox.batchmill(&["runs", "clean", "--older-than", "soon"]).exits_with(2).says(&["must be a number of seconds"]);
    assert_eq!(sandbox.batchmill(&["runs", "clean", "--older-than", "1h"]).exits_with(0).stdout, "");
    let would = sandbox.batchmill(&["runs", "clean", "--keep", "1", "--dry-run"]).exits_with(0).stdout;
    assert_eq!(would, format!("{}\n{}\n", ids[0], ids[1]));
    sandbox.batchmill(&["runs", "clean", "--keep", "1"]).exits_with(0);
    let left = sandbox.batchmill(&["runs", "--format", "json"]).exits_with(0).json();
    assert_eq!((left.as_array().unwrap().len(), left[0]["run_id"].as_str()), (1, Some(ids[2].as_str())));
}

#[test]
fn a_plan_leaves_open_what_earlier_steps_decide() {
    let step = |name: &str, items: &str, more: &str| {
        format!("  - {{name: {name}, for_each: {items}, {more}task: echo, inputs: {{message: hi}}}}\n")
    };
    let text = [
        "steps:\n".to_owned(),
        step("first", "[1, 2]", ""),
        step("a", "'{{ steps.first.result }}'", ""),
        step("b", "{range: '{{ steps.first.result | length }}'}", ""),
        step("c", "{glob: '{{ steps.first.result[0] }}/*'}", ""),
        step("d", "$(ls {{ steps.first.result[0] }})", ""),
        step("e", "[1]", "max_parallel: '{{ steps.first.result | length }}', "),
        step("f", "[1]", "timeout: '{{ steps.first.result | length }}', "),
    ];
    let sandbox = Sandbox::with(&text.concat());
    let planned = sandbox.batchmill(&["plan", "workflow.yaml"]).exits_with(0);
    assert_eq!(planned.stdout.matches("items or settings come from an earlier step").count(), 6, "{}", planned.stdout);
    sandbox.batchmill(&["plan", "workflow.yaml", "--format", "json"]).exits_with(0);
    sandbox.run(&[]).exits_with(4);
}
