//! A terminal that is closed, output that cannot be written, and items that are null.

use crate::support::{Running, Sandbox, ended};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::File;
use std::process::{Command, Stdio};

const LONG: &str = "
steps:
  - name: work
    for_each: {range: 100}
    task: shell
    inputs: {command: 'echo at {{ item }}; test {{ item }} != 3 || { touch began; until [ -e go ]; do sleep 0.05; done; }'}
finally: {type: shell, command: 'touch closed'}
on_failure: {type: shell, command: 'touch told'}
";

/// A script that becomes the program in its arguments. The tests themselves may have been started by `nohup`.
fn started(before: &str) -> String {
    let reset = if before.is_empty() { "env --default-signal=HUP " } else { "" };
    format!("{before} exec {reset}\"$0\" \"$@\"")
}

/// Starts the run by this shell, waits until item 3 runs, and returns the engine.
fn begun(sandbox: &Sandbox, before: &str) -> Running {
    let plain = sandbox.command(&["run", "workflow.yaml", "--grace", "200ms"]);
    let mut command = Command::new("sh");
    command.args(["-c", &started(before)]).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(sandbox.path()).stdin(Stdio::null()).stderr(Stdio::piped());
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let running = Running::since(command.spawn().unwrap(), |line| line.contains("step work"));
    while !sandbox.exists("began") {
        std::thread::yield_now();
    }
    running
}

#[test]
fn a_run_whose_terminal_is_closed_ends_as_one_that_is_terminated() {
    let sandbox = Sandbox::with(LONG);
    let running = begun(&sandbox, "");
    kill_process(Pid::from_child(&running.engine), Signal::HUP).unwrap();
    assert_eq!(running.ends_with(), Some(129));
    assert!(sandbox.exists("closed") && sandbox.exists("told"));
    assert_eq!(sandbox.results("work").len(), 3);
    sandbox.has_no_process();
    std::fs::write(sandbox.path().join("go"), "").unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.results("work").len(), 100);
}

#[test]
fn a_run_that_ignores_hang_ups_goes_on_and_so_do_its_commands() {
    let sandbox = Sandbox::with(LONG);
    let running = begun(&sandbox, "trap '' HUP;");
    kill_process(Pid::from_child(&running.engine), Signal::HUP).unwrap();
    std::fs::write(sandbox.path().join("go"), "").unwrap();
    assert_eq!(running.ends_with(), Some(0));
    assert_eq!(sandbox.results("work").len(), 100);
    // Bit 0 is signal 1.
    let mask = "steps: [{name: work, task: shell, inputs: {command: grep SigIgn /proc/self/status}}]";
    for (before, ignored) in [("trap '' HUP;", true), ("", false)] {
        let sandbox = Sandbox::with(mask);
        let mut command = Command::new("sh");
        let plain = sandbox.command(&["run", "workflow.yaml"]);
        command.args(["-c", &started(before)]).arg(plain.get_program()).args(plain.get_args());
        ended(command.current_dir(sandbox.path())).exits_with(0);
        let stdout = sandbox.results("work")[0]["stdout"].to_string();
        let digit = stdout.trim_end_matches('"').chars().last().and_then(|c| c.to_digit(16)).unwrap();
        assert_eq!(digit & 1 == 1, ignored, "{stdout}");
    }
}

#[test]
fn a_result_that_cannot_be_printed_is_not_taken_for_a_run_that_did_not_happen() {
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let sandbox = Sandbox::with("steps: [{name: work, for_each: [1, 2], task: shell, inputs: {command: 'true'}}]");
    let run = sandbox.command(&["run", "workflow.yaml", "--format", "json"]).stdout(full()).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(3), "{said}");
    assert!(
        said.contains("cannot write to stdout") && said.contains("the results are saved: `batchmill results"),
        "{said}"
    );
    assert_eq!(sandbox.results("work").len(), 2);
    let results = sandbox.command(&["results"]).stdout(full()).output().unwrap();
    assert_eq!(results.status.code(), Some(2), "nothing ran");
}

#[test]
fn null_and_bools_read_the_same_in_a_command_its_environment_and_a_message() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: work
    for_each: [null, true, false, [null, true], {a: null}, 'None']
    task: shell
    inputs:
      command: 'test {{ item }} = \"$BATCHMILL_ITEM\" && test {{ item }} = \"$GIVEN\" && printf %s {{ item }}'
      env: {GIVEN: '{{ item }}'}
  - name: listed
    for_each: [null, true]
    task: shell
    inputs: {command: [printf, '%s', 'x{{ item }}']}
  - name: said
    task: echo
    inputs: {message: 'of {{ none }} and {{ true }}'}
",
    );
    sandbox.run(&[]).exits_with(0).says(&["said: of null and true"]);
    let printed = |step: &str| sandbox.results(step).into_iter().map(|it| it["stdout"].clone()).collect::<Vec<Value>>();
    let all = ["null", "true", "false", "[null,true]", "{\"a\":null}", "None"];
    assert_eq!(printed("work"), all.map(|text| json!(text)));
    assert_eq!(printed("listed"), ["xnull", "xtrue"].map(|text| json!(text)));
}
