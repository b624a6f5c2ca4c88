//! Results as files: whole or not at all, in item order, and written again when they have to be.

use crate::support::Sandbox;
use std::fs;

/// A batch step whose items 1 to 4 become their squares, unless the folder `broken` is there.
const SQUARES: &str = "
params:
  to: out/squares.jsonl
steps:
  - name: square
    task: batch
    inputs:
      items: {range: [1, 5]}
      max_parallel: 2
      task: {type: shell, command: 'echo {{ item }} >> ran; test ! -e broken || test {{ item }} != 3'}
    outputs: {name: squares, path: '{{ to }}', format: jsonl}
";

impl Sandbox {
    /// What stands in a folder, sorted.
    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path().join(folder)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn results_are_written_in_item_order_when_the_step_has_ended() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: count
    for_each: {range: 200}
    max_parallel: 2
    retry: {max_attempts: 2, delay: 0}
    task: shell
    inputs:
      command: 'test {{ batch.attempt }} = 2 || test $(( {{ item }} % 7 )) != 0 || exit 1; echo {{ item }}'
    outputs: {name: counted, path: 'out/deep/{{ run.name }}.jsonl'}
  - name: show
    task: echo
    inputs: {message: '{{ counted | length }}'}
    outputs: {path: message.ndjson}
",
    );
    let ended = sandbox.run(&[]).exits_with(0).says(&["count: 200 records written to `out/deep/workflow.jsonl`"]);
    assert!(ended.stderr.contains("show: 1 record written"), "{}", ended.stderr);
    let lines: Vec<String> = sandbox.read("out/deep/workflow.jsonl").lines().map(str::to_owned).collect();
    let expected: Vec<_> = (0..200).map(|at| format!(r#"{{"stdout":"{at}","stderr":"","exit_code":0}}"#)).collect();
    assert_eq!(lines, expected);
    assert_eq!(sandbox.read("message.ndjson"), "200\n");
    assert_eq!(sandbox.names("out/deep"), ["workflow.jsonl"]);
}

#[test]
fn the_list_of_a_plain_step_is_its_records() {
    let workflow = "steps: {a: {type: echo, inputs: {message: [1, {b: [2]}, 'x, y']}, outputs: {path: a.jsonl}}}";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.read("a.jsonl"), "1\n{\"b\":[2]}\n\"x, y\"\n");
}

#[test]
fn a_step_that_fails_leaves_the_file_of_before_and_resume_writes_the_new_one() {
    let sandbox = Sandbox::with(SQUARES).file("out/squares.jsonl", "old\n").file("broken", "");
    sandbox.run(&[]).exits_with(3);
    assert_eq!(sandbox.read("out/squares.jsonl"), "old\n");
    assert_eq!(sandbox.names("out"), ["squares.jsonl"]);
    fs::remove_file(sandbox.path().join("broken")).unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.read("out/squares.jsonl").lines().count(), 4);
}

#[test]
fn tolerated_failures_do_not_keep_the_file_back() {
    let sandbox = Sandbox::with(&SQUARES.replace("max_parallel: 2", "continue_on_error: true")).file("broken", "");
    sandbox.run(&[]).exits_with(1);
    assert_eq!(sandbox.read("out/squares.jsonl").lines().count(), 3);
    fs::remove_file(sandbox.path().join("broken")).unwrap();
    sandbox.batchmill(&["retry"]).exits_with(0);
    assert_eq!(sandbox.read("out/squares.jsonl").lines().count(), 4);
}

#[test]
fn a_file_that_cannot_be_written_fails_the_step_and_resume_writes_it_without_running_anything() {
    let sandbox = Sandbox::with(SQUARES).file("out", "a file where a folder is needed");
    let ended =
        sandbox.run(&[]).exits_with(3).says(&["SinkError: cannot write `out/squares.jsonl`", "batchmill resume"]);
    assert!(ended.stderr.contains("exists") || ended.stderr.contains("directory"), "{}", ended.stderr);
    assert_eq!(sandbox.results("square").len(), 4);
    fs::remove_file(sandbox.path().join("out")).unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["4 records written to `out/squares.jsonl`"]);
    assert_eq!(sandbox.read("out/squares.jsonl").lines().count(), 4);
    assert_eq!(sandbox.read("ran").lines().count(), 4);
}

#[test]
fn a_folder_at_the_path_is_not_replaced() {
    let sandbox = Sandbox::with(SQUARES).file("out/squares.jsonl/mine", "");
    sandbox.run(&[]).exits_with(3).says(&["SinkError: cannot write `out/squares.jsonl`: it is a folder"]);
    assert!(sandbox.exists("out/squares.jsonl/mine"));
}

#[test]
fn a_finished_step_writes_again_only_what_is_gone_or_asked_for_otherwise() {
    let sandbox = Sandbox::with(SQUARES);
    sandbox.run(&[]).exits_with(0);
    let quiet =
        |sandbox: &Sandbox, arguments: &[&str]| !sandbox.batchmill(arguments).exits_with(0).stderr.contains("written");
    assert!(quiet(&sandbox, &["resume"]));
    fs::remove_file(sandbox.path().join("out/squares.jsonl")).unwrap();
    assert!(!quiet(&sandbox, &["resume"]));
    assert!(!quiet(&sandbox, &["run", "workflow.yaml", "--resume", "to=other.jsonl"]));
    assert_eq!(sandbox.read("out/squares.jsonl"), sandbox.read("other.jsonl"));
    // Every one of these executions found all items done.
    assert_eq!(sandbox.read("ran").lines().count(), 4);
}

#[test]
fn a_path_that_cannot_be_rendered_stops_the_step_before_its_first_item() {
    let sandbox = Sandbox::with(SQUARES);
    sandbox.run(&["to="]).exits_with(2).says(&["`path` is no path", "workflow.yaml:"]);
    assert!(!sandbox.exists("ran"));
    let unknown = Sandbox::with(&SQUARES.replace("{{ to }}", "{{ two }}"));
    unknown.run(&[]).exits_with(2).says(&["`two` is not defined", "workflow.yaml:11:"]);
}

#[test]
fn a_killed_run_leaves_what_was_there_and_its_scraps_are_cleared_away() {
    let workflow = SQUARES.replace("echo {{ item }} >> ran;", "echo {{ item }} >> ran; test -e go || kill -9 $PPID;");
    let sandbox = Sandbox::with(&workflow).file("out/squares.jsonl", "old\n").file("out/squares.jsonl.1.part", "scrap");
    assert_eq!(sandbox.run(&[]).code, None);
    assert_eq!(sandbox.read("out/squares.jsonl"), "old\n");
    let sandbox = sandbox.file("go", "");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.names("out"), ["squares.jsonl"]);
    assert_eq!(sandbox.read("out/squares.jsonl").lines().count(), 4);
}
