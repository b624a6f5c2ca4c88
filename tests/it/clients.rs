//! The engine as other programs use it: it ends with its client, and its answers are JSON.

use crate::support::Sandbox;
use serde_json::{Value, json};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

/// A process that lives until its stdin is closed.
fn client() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

const STUCK: &str = "
steps:
  - name: work
    for_each: {range: 10}
    task: shell
    inputs: {command: 'touch began; sleep 600; true'}
";

#[test]
fn a_run_stops_in_order_when_its_client_is_killed() {
    let (sandbox, mut client) = (Sandbox::with(STUCK), client());
    let pid = client.id().to_string();
    let mut engine = sandbox.command(&["--client", &pid, "run", "workflow.yaml", "--grace", "100ms"]);
    let mut engine = engine.stderr(Stdio::null()).spawn().unwrap();
    while !sandbox.exists("began") {
        assert!(engine.try_wait().unwrap().is_none());
    }
    client.kill().unwrap();
    // Nobody has waited for it yet: it is dead all the same.
    assert_eq!(engine.wait().unwrap().code(), Some(143));
    client.wait().unwrap();
    sandbox.has_no_process();
    let status = sandbox.batchmill(&["status", "--format", "json"]).exits_with(0).json();
    assert_eq!(status["status"], "interrupted");
}

#[test]
fn a_verb_that_is_no_run_ends_with_its_client_too() {
    // Its items never end.
    let text = "steps: [{name: a, for_each: $(sleep 600), task: echo, inputs: {message: x}}]";
    let (sandbox, mut client) = (Sandbox::with(text), client());
    let pid = client.id().to_string();
    let mut engine = sandbox.command(&["--client", &pid, "plan", "workflow.yaml"]).spawn().unwrap();
    client.kill().unwrap();
    assert_eq!(engine.wait().unwrap().signal(), Some(15));
    client.wait().unwrap();
}

#[test]
fn a_client_that_has_ended_already_has_nothing_run_for_long() {
    let (sandbox, mut client) = (Sandbox::with(STUCK), client());
    client.kill().unwrap();
    client.wait().unwrap();
    let pid = client.id().to_string();
    let ended = sandbox.batchmill(&["--client", &pid, "run", "workflow.yaml", "--grace", "100ms"]);
    assert_ne!(ended.code, Some(0), "{ended:?}");
    sandbox.has_no_process();
}

#[test]
fn a_client_is_a_process() {
    for wrong in ["0", "x", "-4"] {
        Sandbox::new()
            .batchmill(&["--client", wrong, "runs"])
            .exits_with(2)
            .says(&["expected the number of a process"]);
    }
}

/// The error in a line of stderr.
fn error(sandbox: &Sandbox, code: i32, arguments: &[&str]) -> Value {
    let ended = sandbox.batchmill(&[&["--errors", "json"], arguments].concat()).exits_with(code);
    let line = ended.stderr.lines().find(|line| line.starts_with(r#"{"error":"#));
    let line = line.unwrap_or_else(|| panic!("{}", ended.stderr));
    serde_json::from_str::<Value>(line).unwrap()["error"].take()
}

#[test]
fn errors_are_a_line_of_json_on_demand() {
    let sandbox = Sandbox::with("steps:\n  - name: a\n    task: ecoh\n    inputs: {message: x}\n");
    let wrong = error(&sandbox, 2, &["run", "workflow.yaml"]);
    assert_eq!((&wrong["topic"], &wrong["exit_code"]), (&json!("workflow"), &json!(2)));
    let text = sandbox.batchmill(&["run", "workflow.yaml"]).exits_with(2).stderr;
    assert_eq!(wrong["text"].as_str(), Some(text.trim_end()), "the text is what people see");
    let found = &wrong["diagnostics"][0];
    assert_eq!((&found["file"], &found["line"], &found["column"]), (&json!("workflow.yaml"), &json!(3), &json!(11)));
    for (arguments, topic) in [
        (vec!["run", "none.yaml"], "workflow"),
        (vec!["results"], "run_not_found"),
        (vec!["status", "20260101"], "run_not_found"),
        (vec!["run", "workflow.yaml", "x"], "other"),
    ] {
        assert_eq!(error(&sandbox, 2, &arguments)["topic"], topic, "{arguments:?}");
    }
}

#[test]
fn a_run_that_another_process_has_is_an_error_of_its_own() {
    let sandbox = Sandbox::with(STUCK);
    let running = sandbox.run_until(&["--grace", "100ms"], "step work");
    assert_eq!(error(&sandbox, 5, &["resume"])["topic"], "run_locked");
    let pid = rustix::process::Pid::from_child(&running.engine);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(running.ends_with(), Some(130));
}

#[test]
fn results_are_a_file_in_item_order_for_programs() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: late
    for_each: {range: 4}
    task: python
    retry: {max_attempts: 2, delay: 0}
    inputs: {code: \"assert item or batch.attempt == 2; return {'value': item}\"}
    aggregate: {sum: value}
  - name: plain
    task: python
    inputs: {code: 'return [1, 2]'}
",
    );
    sandbox.run(&[]).exits_with(0);
    let answer =
        |step, format| sandbox.batchmill(&["results", "--step", step, "--format", format]).exits_with(0).json();
    let file = answer("late", "file");
    assert_eq!(file["count"], 4);
    assert_eq!(
        std::fs::read_to_string(file["path"].as_str().unwrap()).unwrap(),
        "{\"value\":0}\n{\"value\":1}\n{\"value\":2}\n{\"value\":3}\n"
    );
    assert_eq!(answer("plain", "file")["count"], 1);
    assert_eq!(answer("late", "aggregate"), json!({"sum": {"value": 6}}));
    assert_eq!(answer("plain", "aggregate"), Value::Null);
}

#[test]
fn status_has_counts_failures_and_output_files_of_each_step() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: rows
    for_each: {range: 3}
    task: echo
    inputs: {message: '{{ item }}'}
    outputs: {path: out/rows.jsonl}
  - name: stop
    task: shell
    inputs: {command: exit 3}
",
    );
    sandbox.run(&[]).exits_with(3);
    let status = sandbox.batchmill(&["status", "--format", "json"]).exits_with(0).json();
    let (rows, stop) = (&status["steps"][0], &status["steps"][1]);
    assert_eq!((&rows["is_batch"], &rows["stats"]["succeeded"]), (&json!(true), &json!(3)));
    assert_eq!((&rows["output"], &rows["failure"]), (&json!("out/rows.jsonl"), &Value::Null));
    assert_eq!((&stop["output"], &stop["failure"]["type"]), (&Value::Null, &json!("ExitStatus")));
}

#[test]
fn failures_are_limited_over_all_steps() {
    let step = |name| {
        format!(
            "  - name: {name}\n    for_each: {{range: 3}}\n    task: shell\n    continue_on_error: true\n    inputs: {{command: 'false'}}\n"
        )
    };
    let sandbox = Sandbox::with(&format!("steps:\n{}{}", step("one"), step("two")));
    sandbox.run(&[]).exits_with(1);
    for (limit, found) in [("1", 1), ("3", 3), ("4", 4), ("9", 6)] {
        let json = sandbox.batchmill(&["failures", "--limit", limit, "--format", "json"]).exits_with(0).json();
        assert_eq!(json.as_array().unwrap().len(), found);
        let lines = sandbox.batchmill(&["failures", "--limit", limit]).exits_with(0).stdout.lines().count();
        assert_eq!(lines, 1 + found);
    }
    for wrong in [vec!["--limit", "0"], vec!["--limit", "2", "--group"]] {
        sandbox.batchmill(&[&["failures"], wrong.as_slice()].concat()).exits_with(2).says(&["--limit"]);
    }
}

#[test]
fn a_resumed_run_takes_parameters_from_a_file_too() {
    let sandbox = Sandbox::with(
        "
params: {least: {type: integer}, word: {type: string, default: a}}
steps:
  - name: check
    for_each: [1, 2, 3]
    task: python
    continue_on_error: true
    inputs: {code: \"assert item >= params.least; return params.word\"}
",
    )
    .file("more.json", r#"{"least": 0, "word": "file"}"#);
    sandbox.run(&["least=3"]).exits_with(1);
    sandbox.batchmill(&["retry", "latest", "word=line", "--params-file", "more.json"]).exits_with(0);
    assert_eq!(sandbox.results("check"), [json!("line"), json!("line"), json!("a")]);
}

/// A program that makes a workflow keeps it in the state directory, and means its own directory.
#[test]
fn a_workflow_in_the_state_directory_finds_modules_in_the_working_directory() {
    let text = r#"{"steps": [{"name": "a", "task": "python", "inputs": {"function": "mine:f"}}]}"#;
    let sandbox = Sandbox::new()
        .file("mine.py", "def f():\n    return 'found'\n")
        .file(".batchmill/workflows/made.json", text)
        .file("elsewhere/workflows/made.json", text);
    sandbox.batchmill(&["run", ".batchmill/workflows/made.json"]).exits_with(0);
    assert_eq!(sandbox.results("a"), [json!("found")]);
    sandbox.batchmill(&["resume"]).exits_with(0);
    let other = &["run", "elsewhere/workflows/made.json"];
    sandbox.batchmill(other).exits_with(2).says(&["mine"]);
    sandbox.batchmill(&[other.as_slice(), &["--state-dir", "elsewhere"]].concat()).exits_with(0);
}
