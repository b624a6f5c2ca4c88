//! `on_failure` and `finally`: the alert and the cleaning up.

use crate::support::{Sandbox, Server};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const WORKFLOW: &str = "
name: nightly
steps:
  - name: work
    task: batch
    inputs:
      items: [a, b]
      continue_on_error: true
      task: {type: shell, command: 'work {{ item }}'}
on_failure:
  type: http_request
  url: 'http://127.0.0.1:PORT/alert'
  json: '{{ summary }}'
finally:
  task: shell
  inputs: {command: 'echo {{ summary.status }} >> closed'}
";

fn nightly(server: &Server, work: &str) -> Sandbox {
    Sandbox::with(&WORKFLOW.replace("PORT", &server.port.to_string())).script("work", work)
}

#[test]
fn an_alert_gets_the_summary_and_the_cleaning_up_always_runs() {
    let server = Server::start(|_| (200, vec![], String::new()));
    let sandbox = nightly(&server, "[ $1 = a ] && echo done");
    sandbox.run(&[]).exits_with(1);
    let alert: Value = serde_json::from_str(&server.requests()[0].body).unwrap();
    assert_eq!(
        (&alert["workflow"], &alert["status"], &alert["failed"]),
        (&json!("nightly"), &json!("partial"), &json!(1))
    );
    assert_eq!(alert["steps"]["work"]["stats"]["succeeded"], 1);
    assert_eq!(sandbox.read("closed"), "partial\n");
    let results = sandbox.batchmill(&["results"]).exits_with(0).stdout;
    assert_eq!(
        results, "{\"stdout\":\"done\",\"stderr\":\"\",\"exit_code\":0}\n",
        "the step's results, not the cleaning up's"
    );
    // They are about this execution: going on runs them again, although they have run.
    let sandbox = sandbox.script("work", "true");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.read("closed"), "partial\nsucceeded\n");
    assert!(server.requests().is_empty(), "no alert for a run that succeeded");
}

#[test]
fn the_cleaning_up_runs_after_a_stop_and_after_an_interrupt() {
    let server = Server::start(|_| (200, vec![], String::new()));
    let text = WORKFLOW
        .replace("PORT", &server.port.to_string())
        .replace("continue_on_error: true", "continue_on_error: false");
    let sandbox = Sandbox::with(&text).script("work", "exit 1");
    sandbox.run(&[]).exits_with(3);
    assert_eq!(sandbox.read("closed"), "failed\n");
    let sandbox = nightly(&server, "touch began; while [ ! -e go ]; do :; done");
    let mut engine = sandbox.command(&["run", "workflow.yaml", "--progress", "none"]).spawn().unwrap();
    while !sandbox.exists("began") {
        assert!(engine.try_wait().unwrap().is_none());
    }
    kill_process(Pid::from_child(&engine), Signal::TERM).unwrap();
    std::fs::write(sandbox.path().join("go"), "").unwrap();
    let code = engine.wait().unwrap().code();
    // The signal may arrive after the last item: then the run is over before it is noticed.
    let closed = sandbox.read("closed");
    assert!((code, closed.as_str()) == (Some(143), "interrupted\n") || closed == "succeeded\n", "{code:?} {closed}");
}

#[test]
fn cleaning_up_that_fails_fails_the_run() {
    let server = Server::start(|_| (200, vec![], String::new()));
    let sandbox = nightly(&server, "true");
    let text = sandbox.read("workflow.yaml").replace("echo {{ summary.status }} >> closed", "exit 9");
    let sandbox = sandbox.file("workflow.yaml", text);
    sandbox.run(&[]).exits_with(3).says(&["finally", "command exited with status 9"]);
}

#[test]
fn what_is_wrong_with_them_is_found_before_the_run() {
    let workflow = "
steps:
  - {name: finally, task: echo, inputs: {message: '{{ summary }}'}}
on_failure: {type: shell, comand: x}
finally: {type: echo, message: '{{ sumary }}'}
";
    Sandbox::with(workflow)
        .run(&[])
        .exits_with(2)
        .says(&["step name `finally` clashes with `finally` of the workflow", "did you mean `command`?"]);
    let workflow = workflow.replace("{name: finally,", "{name: first,").replace("comand", "command");
    Sandbox::with(&workflow).run(&[]).exits_with(2).says(&[
        "`summary` is not defined",
        "`sumary` is not defined",
        "defined names: `env`, `params`, `run`, `steps`, `summary`",
    ]);
}

#[test]
fn cleaning_up_runs_after_what_was_under_way_had_to_be_ended() {
    let workflow = "
steps:
  - {name: stuck, task: shell, inputs: {command: 'touch began; sleep 600; true'}}
finally: {type: shell, command: 'echo {{ summary.status }} >> closed; [ -e go ] || { touch closing; sleep 600; }'}
";
    let sandbox = Sandbox::with(workflow).file("go", "");
    let start = |sandbox: &Sandbox| {
        let mut engine =
            sandbox.command(&["run", "workflow.yaml", "--progress", "none", "--grace", "200ms"]).spawn().unwrap();
        while !sandbox.exists("began") {
            assert!(engine.try_wait().unwrap().is_none());
        }
        kill_process(Pid::from_child(&engine), Signal::INT).unwrap();
        engine
    };
    assert_eq!(start(&sandbox).wait().unwrap().code(), Some(130));
    assert_eq!(sandbox.read("closed"), "interrupted\n");
    std::fs::remove_file(sandbox.path().join("go")).unwrap();
    std::fs::remove_file(sandbox.path().join("began")).unwrap();
    let mut engine = start(&sandbox);
    while !sandbox.exists("closing") {
        assert!(engine.try_wait().unwrap().is_none());
    }
    kill_process(Pid::from_child(&engine), Signal::INT).unwrap();
    assert_eq!(engine.wait().unwrap().code(), Some(130), "a further signal ends the cleaning up");
    sandbox.has_no_process();
}

#[test]
fn a_signal_ends_the_cleaning_up_of_a_run_that_succeeded_too() {
    let workflow = "
steps:
  - {name: quick, task: echo, inputs: {message: hi}}
finally: {type: shell, command: 'touch closing; sleep 600; true'}
";
    for signal in [Signal::INT, Signal::TERM] {
        let sandbox = Sandbox::with(workflow);
        let mut engine = sandbox.command(&["run", "workflow.yaml", "--progress", "none"]).spawn().unwrap();
        while !sandbox.exists("closing") {
            assert!(engine.try_wait().unwrap().is_none());
        }
        kill_process(Pid::from_child(&engine), signal).unwrap();
        assert_eq!(engine.wait().unwrap().code(), Some(128 + signal.as_raw()));
        sandbox.has_no_process();
    }
}
