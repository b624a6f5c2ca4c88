//! What people see every day: lines about failures, the list of runs, limits of commands.

use crate::support::Sandbox;
use serde_json::json;

#[test]
fn the_line_of_a_failure_names_its_item() {
    let long = "l".repeat(90);
    let sandbox = Sandbox::with(&format!(
        "
params: {{token: {{default: hidden-word}}}}
secrets: [token]
steps:
  - name: a
    for_each: [data/f037.csv, '{long}', hidden-word, {{id: 7}}, 5]
    task: shell
    continue_on_error: true
    inputs: {{command: 'exit $((BATCHMILL_INDEX + 1))'}}
"
    ));
    let said = sandbox.run(&[]).exits_with(1).says(&[
        "a[0] (data/f037.csv) failed: ExitStatus: command exited with status 1",
        &format!("a[1] ({}…) failed: ", "l".repeat(49)),
    ]);
    assert!(!said.stderr.contains("hidden-word"), "{}", said.stderr);
}

#[test]
fn the_list_of_runs_shows_the_parameters_that_were_given() {
    let sandbox = Sandbox::with(
        "params: {lr: 0.1, token: x}\nsecrets: [token]\nsteps: {a: {task: echo, inputs: {message: '{{ lr }}'}}}\n",
    );
    sandbox.run(&[]).exits_with(0);
    let plain = sandbox.batchmill(&["runs"]).exits_with(0).stdout;
    assert!(!plain.contains("params") && !plain.contains("step"), "{plain}");
    sandbox.run(&["lr=0.2", "token=hidden-word"]).exits_with(0);
    let table = sandbox.batchmill(&["runs"]).exits_with(0).stdout;
    assert!(table.contains("params") && table.contains("lr=0.2 token=***"), "{table}");
    let runs = sandbox.batchmill(&["runs", "--format", "json"]).exits_with(0).json();
    assert_eq!((&runs[0]["params"], &runs[1]["params"]["lr"]), (&json!({}), &json!(0.2)));
}

#[test]
fn a_run_that_is_under_way_shows_its_step_and_how_far_it_is() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: slow
    for_each: [0, 1]
    task: shell
    inputs: {command: 'test $BATCHMILL_INDEX = 0 || { touch here; while ! test -e go; do sleep 0.02; done; }'}
",
    );
    let mut run = sandbox.command(&["run", "workflow.yaml"]).spawn().unwrap();
    while !sandbox.exists("here") {
        std::thread::yield_now();
    }
    let table = sandbox.batchmill(&["runs"]).exits_with(0).stdout;
    let json = sandbox.batchmill(&["runs", "--format", "json"]).exits_with(0).json();
    let sandbox = sandbox.file("go", "");
    assert!(run.wait().unwrap().success());
    assert!(table.contains("running") && table.contains("slow ") && table.contains("1/2 items"), "{table}");
    assert_eq!((&json[0]["step"], &json[0]["percent"]), (&json!("slow"), &json!(50)));
    assert!(json[0]["duration"].is_number());
    drop(sandbox);
}

#[test]
fn a_command_that_uses_too_much_memory_fails_alone() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: a
    for_each: [0, 1, 2]
    task: shell
    continue_on_error: true
    inputs:
      max_memory: 100MB
      command: test $BATCHMILL_INDEX != 1 || python3 -c 'x = bytearray(300_000_000); input()' < /dev/zero
",
    );
    sandbox.run(&[]).exits_with(1).says(&["a[1] failed: MemoryLimit: command used", "`max_memory` is 100.0 MB"]);
    assert_eq!(sandbox.results("a").len(), 2);
    sandbox.has_no_process();
    let wrong = "steps: {a: {task: shell, inputs: {command: ls, max_memory: 5}}}\n";
    Sandbox::with(wrong)
        .batchmill(&["validate", "workflow.yaml"])
        .exits_with(2)
        .says(&["`max_memory` is too small", "add a unit, for example `512MB`"]);
}

#[test]
#[ignore = "heavy: advice on workers comes after a step of ten seconds"]
fn a_long_step_on_one_worker_is_advised_to_use_the_other_cores() {
    let advice = "add `parallel: true`";
    let step = |keys: &str, first: u32| {
        let items =
            format!("    for_each: [{first}, 0]\n    task: shell\n    inputs: {{command: 'sleep {{{{ item }}}}'}}\n");
        format!("steps:\n  - name: work\n{keys}{items}")
    };
    let says = |workflow: String| Sandbox::with(&workflow).run(&[]).exits_with(0).stderr.contains(advice);
    // Whoever has said how many workers there are knows, and a short step is not worth a word.
    let cases =
        [("", 11, true), ("    parallel: false\n", 11, false), ("    max_parallel: 1\n", 11, false), ("", 1, false)];
    std::thread::scope(|threads| {
        let cases = cases.map(|(keys, first, advised)| {
            let says = threads.spawn(move || says(step(keys, first)));
            (keys, first, advised, says)
        });
        for (keys, first, advised, says) in cases {
            assert_eq!(says.join().unwrap(), advised, "{keys}{first}");
        }
    });
}
