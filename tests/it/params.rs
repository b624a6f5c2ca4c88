//! What is given to a run: how parameters are read, and that they belong to the run until they are given again.

use crate::support::{Ended, Sandbox};
use serde_json::{Value, json};

/// Prints all parameters as the steps see them.
const SHOW: &str = "
steps:
  - {name: show, task: echo, inputs: {message: '{{ params }}'}}
";

/// What a run of [`SHOW`] with these arguments sees.
fn seen(workflow: &str, arguments: &[&str]) -> Value {
    let sandbox = Sandbox::with(workflow);
    sandbox.run(arguments).exits_with(0);
    sandbox.results("show").remove(0)
}

#[test]
fn what_was_typed_for_a_string_arrives() {
    let workflow = format!("params: {{text: {{type: string}}}}\n{SHOW}");
    for typed in
        ["|", "Issue #5", "1", "1.10", "true", "null", "-", "?", "&a b", "Report: May", "two\nlines", "'q'", ""]
    {
        assert_eq!(seen(&workflow, &[&format!("text={typed}")]), json!({"text": typed}));
    }
}

#[test]
fn without_a_type_only_numbers_booleans_null_and_yaml_in_brackets_or_quotes_are_yaml() {
    for (typed, value) in [
        ("|", json!("|")),
        ("-", json!("-")),
        ("x=?", json!("x=?")),
        ("Issue #5", json!("Issue #5")),
        ("a: b", json!("a: b")),
        ("12", json!(12)),
        ("1.5", json!(1.5)),
        ("true", json!(true)),
        ("null", json!(null)),
        ("'12'", json!("12")),
        ("[1, a]", json!([1, "a"])),
        ("{a: 1}", json!({"a": 1})),
    ] {
        assert_eq!(seen(SHOW, &[&format!("v={typed}")])["v"], value, "{typed}");
    }
}

#[test]
fn a_parameter_file_is_read_by_the_rules_of_workflow_files() {
    let sandbox = Sandbox::with(SHOW).file("good.yaml", "a: 1\nb: [x, 'y']\nc: {d: yes}\n").file("empty.yaml", "");
    sandbox.run(&["--params-file", "good.yaml", "a=2"]).exits_with(0);
    assert_eq!(sandbox.results("show"), [json!({"a": 2, "b": ["x", "y"], "c": {"d": "yes"}})]);
    sandbox.run(&["--params-file", "empty.yaml"]).exits_with(0);
    let sandbox =
        sandbox.file("twice.yaml", "a: 1\na: 2\n").file("list.yaml", "[1]\n").file("twice.json", "{\"a\":1,\"a\":2}");
    sandbox.run(&["--params-file", "twice.yaml"]).exits_with(2).says(&["duplicate key `a`", "twice.yaml:2:1"]);
    sandbox.run(&["--params-file", "twice.json"]).exits_with(2).says(&["duplicate key `a`"]);
    sandbox
        .run(&["--params-file", "list.yaml"])
        .exits_with(2)
        .says(&["must be a mapping of names to values; found a list"]);
}

/// Fails until `go` exists, and writes down what it saw.
const WORK: &str = "
params: {x: {default: 1}, y: {default: one}}
steps:
  - {name: work, task: shell, inputs: {command: 'echo {{ x }} {{ y }} >> ran; test -e go'}}
";

fn ran(sandbox: &Sandbox) -> String {
    let ran = if sandbox.exists("ran") { sandbox.read("ran") } else { String::new() };
    let _ = std::fs::remove_file(sandbox.path().join("ran"));
    ran
}

#[test]
fn a_parameter_holds_for_every_way_to_go_on_until_it_is_given_again() {
    let ways: [&[&str]; 4] =
        [&["resume"], &["retry"], &["run", "workflow.yaml", "--resume"], &["repro", "latest", "0"]];
    for way in ways {
        let sandbox = Sandbox::with(WORK);
        sandbox.run(&["x=7"]).exits_with(3);
        assert_eq!(ran(&sandbox), "7 one\n");
        sandbox.batchmill(way);
        assert_eq!(ran(&sandbox), "7 one\n", "{way:?}");
        sandbox.batchmill(&["resume", "x=8"]).exits_with(3);
        assert_eq!(ran(&sandbox), "8 one\n");
        sandbox.batchmill(way);
        assert_eq!(ran(&sandbox), "8 one\n", "{way:?}: what was given last holds");
    }
}

#[test]
fn a_parameter_that_was_not_given_follows_the_file_and_the_change_is_named() {
    let sandbox = Sandbox::with(WORK).file("go", "");
    sandbox.run(&["x=7"]).exits_with(0);
    let sandbox = sandbox.file("workflow.yaml", WORK.replace("one", "two").replace("default: 1", "default: 9"));
    sandbox.batchmill(&["plan", "workflow.yaml", "--resume"]).exits_with(0);
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["because `params.y` changed"]);
    assert_eq!(ran(&sandbox), "7 one\n7 two\n");
}

#[test]
fn a_null_is_a_value_and_stars_are_no_mask() {
    let sandbox = Sandbox::with(&WORK.replace("{{ x }}", "{{ x is none }}"));
    sandbox.run(&["x=null", "y=a***b"]).exits_with(3);
    ran(&sandbox);
    sandbox.batchmill(&["resume"]).exits_with(3);
    assert_eq!(ran(&sandbox).to_lowercase(), "true a***b\n");
}

#[test]
fn a_secret_that_was_given_is_never_replaced_by_a_default() {
    let workflow = "
params: {key: {default: dev-key}, n: {default: 1}}
secrets: [key]
steps:
  - {name: work, task: shell, inputs: {command: 'echo {{ key }} {{ n }} >> ran; test -e go'}}
";
    let sandbox = Sandbox::with(workflow);
    // The digits of the secret stand in another number.
    sandbox.run(&["key=1234", "n=51234"]).exits_with(3);
    ran(&sandbox);
    for way in
        [&["resume"][..], &["retry"], &["run", "workflow.yaml", "--resume"], &["plan", "workflow.yaml", "--resume"]]
    {
        sandbox.batchmill(way).exits_with(2).says(&["contain a secret", "key=VALUE"]);
    }
    sandbox.batchmill(&["resume", "latest", "key=1234"]).exits_with(3);
    assert_eq!(ran(&sandbox), "1234 51234\n");
    assert!(!sandbox.everything_written("").contains("key\":{\"typed\":\"1234"));
}

#[test]
fn parameters_that_cannot_be_read_are_an_error() {
    let sandbox = Sandbox::with(WORK);
    sandbox.run(&["x=7"]).exits_with(3);
    let run = std::fs::read_dir(sandbox.path().join(".batchmill/runs")).unwrap().next().unwrap().unwrap().path();
    let connection = rusqlite::Connection::open(run.join("run.db")).unwrap();
    connection.execute_batch("DROP TRIGGER run_update; UPDATE run SET given = '{', checksum = NULL").unwrap();
    drop(connection);
    ran(&sandbox);
    sandbox.batchmill(&["resume"]).exits_with(2).says(&["cannot read the parameters of the run"]);
    assert_eq!(ran(&sandbox), "");
}

fn copied(sandbox: &Sandbox, to: &Sandbox) -> Ended {
    let from = format!("{}/.", sandbox.path().display());
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to.path()).status().unwrap();
    assert!(copied.success());
    to.batchmill(&["resume"])
}

#[test]
fn a_run_in_a_copied_or_moved_directory_continues_there() {
    let (from, to) = (Sandbox::with(WORK), Sandbox::new());
    from.run(&["x=7"]).exits_with(3);
    ran(&from);
    copied(&from, &to).exits_with(3).says(&["note: the run was started in", "continues in"]);
    assert_eq!((ran(&from), ran(&to)), (String::new(), "7 one\n".to_owned()), "not in the original");
    to.run(&["--resume"]).exits_with(3);
    assert_eq!(to.batchmill(&["runs"]).stdout.lines().count(), 2, "it is found by its file");
}

#[test]
fn a_run_whose_state_is_elsewhere_continues_where_it_was_started() {
    let (sandbox, elsewhere) = (Sandbox::with(WORK), Sandbox::new());
    let state = elsewhere.path().join("state").display().to_string();
    sandbox.run(&["x=7", "--state-dir", &state]).exits_with(3);
    ran(&sandbox);
    elsewhere.batchmill(&["resume", "--state-dir", &state]).exits_with(3);
    assert_eq!(ran(&sandbox), "7 one\n");
}

#[test]
fn run_resume_reads_relative_paths_where_the_run_was_started() {
    let workflow = "
steps:
  - name: work
    for_each: {glob: 'data/*.txt'}
    task: shell
    inputs: {command: 'cat {{ item }} >> ran'}
";
    let (sandbox, elsewhere) = (Sandbox::with(workflow).file("data/a.txt", "a\n"), Sandbox::new());
    sandbox.run(&[]).exits_with(0);
    let (file, state) = (sandbox.path().join("workflow.yaml"), sandbox.path().join(".batchmill"));
    let arguments = ["run", file.to_str().unwrap(), "--resume", "--state-dir", state.to_str().unwrap()];
    elsewhere.batchmill(&arguments).exits_with(0).says(&["0 of 1 items will run"]);
    assert_eq!(sandbox.results("work").len(), 1);
}
