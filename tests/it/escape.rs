//! Text of others reaches no terminal as anything but text.

use crate::support::Sandbox;
use serde_json::{Value, json};

/// What a terminal would obey, hide, or take for another line.
const HOSTILE: &str = "x\u{1b}]52;c;aGk=\u{7}\u{1b}[2J\u{9b}1A\u{8}\r\u{202e}\u{200b}\nerror: faked";

fn sandbox() -> Sandbox {
    let item = serde_json::to_string(HOSTILE).unwrap();
    Sandbox::with(&format!(
        "
name: {item}
steps:
  - name: fail
    task: batch
    inputs:
      items: [{item}]
      continue_on_error: true
      task: {{type: shell, command: 'printf %s {{{{ item }}}} >&2; exit 3'}}
  - name: say
    task: batch
    inputs:
      items: [{item}]
      task: {{type: echo, message: '{{{{ item }}}}'}}
"
    ))
}

#[track_caller]
fn assert_inert(text: &str) {
    let unsafe_char = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{200b}' | '\u{202e}');
    assert!(!text.contains(unsafe_char), "{text:?}");
    assert!(text.lines().all(|line| !line.starts_with("error: faked")), "{text}");
}

#[test]
fn whatever_items_and_tasks_say_is_shown_and_not_obeyed() {
    let sandbox = sandbox();
    let path = "no\u{1b}[2J\u{202e}\nerror: faked.yaml";
    for (arguments, code) in [
        (&["run", "workflow.yaml"][..], 1),
        (&["run", "workflow.yaml", "--progress", "bar"], 1),
        (&["run", "workflow.yaml", "--progress", "json"], 1),
        (&["plan", "workflow.yaml"], 0),
        (&["plan", "workflow.yaml", "--resume"], 0),
        (&["validate", "workflow.yaml"], 0),
        (&["resume"], 1),
        (&["runs"], 0),
        (&["failures"], 0),
        (&["failures", "--detail"], 0),
        (&["failures", "--group"], 0),
        (&["audit"], 0),
        (&["status"], 0),
        (&["run", path], 2),
        (&["run", "workflow.yaml", "\u{1b}[2J"], 2),
        (&["run", "workflow.yaml", "--\u{1b}[2J\u{202e}"], 2),
        (&["run", "workflow.yaml", "--params-file", path], 2),
        (&["results", path], 2),
        (&["results", "--step", path], 2),
        (&["failures", "--state-dir", path], 2),
        (&["repro", "latest", path], 2),
        (&["inspect", path], 2),
        (&["init", "nowhere/\u{1b}[2J"], 2),
    ] {
        let ended = sandbox.batchmill(arguments).exits_with(code);
        assert_inert(&ended.stdout);
        assert_inert(&ended.stderr);
    }
}

#[test]
fn data_is_what_it_is() {
    let sandbox = sandbox();
    sandbox.run(&[]).exits_with(1);
    assert_eq!(sandbox.failures()[0]["item"], HOSTILE);
    assert_eq!(sandbox.results("say"), [json!(HOSTILE)]);
    let runs: Value = sandbox.batchmill(&["runs", "--format", "json"]).json();
    assert_eq!(runs[0]["workflow"], HOSTILE);
}

#[test]
fn a_plan_shows_no_secret() {
    let workflow = "
secrets: [token, pin]
params: {token: {required: true}, pin: {required: true}}
steps:
  - name: a
    task: batch
    inputs:
      items: ['{{ token }}', '{{ pin }}']
      task: {type: echo, message: x}
  - name: b
    task: batch
    inputs:
      items: {glob: '{{ token }}/['}
      task: {type: echo, message: x}
";
    let only_a = &workflow[..workflow.find("  - name: b").unwrap()];
    let sandbox = Sandbox::with(only_a);
    let arguments = ["plan", "workflow.yaml", "token=hunter2-\"long\"", "pin=51234"];
    for arguments in [&arguments[..], &[&arguments[..], &["--format", "json"]].concat()] {
        let plan = sandbox.batchmill(arguments).exits_with(0).stdout;
        assert!(plan.contains("***") && !plan.contains("hunter2"), "{plan}");
    }
    let sandbox = sandbox.file("workflow.yaml", workflow);
    let ended = sandbox.batchmill(&arguments);
    assert!(!ended.stdout.contains("hunter2") && !ended.stderr.contains("hunter2"), "{ended:?}");
}
