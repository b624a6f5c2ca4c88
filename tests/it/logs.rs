//! What tasks print can be read: while they run, and afterwards.

use crate::support::{Running, Sandbox};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

const WORKFLOW: &str = r"
steps:
  - name: load
    task: batch
    inputs:
      items: [a, b, c]
      max_parallel: 2
      continue_on_error: true
      retry: {max_attempts: 2, delay: 0}
      task:
        type: python
        code: |
          import sys
          print('reading', item)
          print('in pieces: ', end='')
          print(item, file=sys.stderr)
          print(item * 3)
          if item == 'b':
              raise ValueError('no ' + item)
          print('without an end', end='')
  - name: sign
    task: batch
    inputs:
      items: [0, 3]
      continue_on_error: true
      task: {type: shell, command: 'echo to stdout; echo to stderr >&2; printf last >&2; exit {{ item }}'}
";

/// The lines without their times, sorted: slots take turns as they like.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| {
            let (time, rest) = line.split_once(' ').unwrap();
            assert_eq!(time.len(), "08:15:30.123".len(), "{line}");
            rest.to_owned()
        })
        .collect();
    lines.sort();
    lines
}

fn ran(workflow: &str, code: i32) -> Sandbox {
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(code);
    sandbox
}

#[test]
fn each_line_names_its_item_and_attempt() {
    let sandbox = ran(WORKFLOW, 1);
    let ended = sandbox.batchmill(&["logs", "--step", "load"]).exits_with(0);
    let item = |head: &str, item: &str| {
        ["reading ITEM", "in pieces: ITEMITEMITEM", "ITEM"].map(|line| format!("{head} {}", line.replace("ITEM", item)))
    };
    let mut all = [item("load[0]", "a"), item("load[1]", "b"), item("load[1]#2", "b"), item("load[2]", "c")].concat();
    all.extend(["load[0] without an end".to_owned(), "load[2] without an end".to_owned()]);
    all.sort();
    assert_eq!(lines(&ended.stdout), all);
}

#[test]
fn commands_log_stderr_and_only_where_they_fail_stdout() {
    let sandbox = ran(WORKFLOW, 1);
    let ended = sandbox.batchmill(&["logs", "--step", "sign"]).exits_with(0);
    assert_eq!(
        lines(&ended.stdout),
        ["sign[0] last", "sign[0] to stderr", "sign[1] last", "sign[1] to stderr", "sign[1] to stdout"]
    );
    // The failure shows the same output once.
    let detail = sandbox.batchmill(&["failures", "--step", "sign", "--detail"]).exits_with(0).stdout;
    assert_eq!(detail.matches("to stdout").count(), 1, "{detail}");
}

#[test]
fn lines_are_chosen_by_item_failure_and_pattern() {
    let sandbox = ran(WORKFLOW, 1);
    let chosen = |arguments: &[&str]| lines(&sandbox.batchmill(&[&["logs"], arguments].concat()).exits_with(0).stdout);
    assert_eq!(chosen(&["--item", "0", "--grep", "^(reading|to)"]), ["load[0] reading a", "sign[0] to stderr"]);
    assert_eq!(
        chosen(&["--failed", "--grep", "read|std"]),
        ["load[1] reading b", "load[1]#2 reading b", "sign[1] to stderr", "sign[1] to stdout"]
    );
    assert!(chosen(&["--item", "99"]).is_empty());
    sandbox.batchmill(&["logs", "--step", "lod"]).exits_with(2).says(&["no step `lod`", "`load`, `sign`"]);
    sandbox.batchmill(&["logs", "--grep", "("]).exits_with(2).says(&["--grep"]);
    sandbox.batchmill(&["logs", "--failed", "--follow"]).exits_with(2).says(&["cannot be used with"]);
    sandbox.batchmill(&["logs", "--item", "x"]).exits_with(2).says(&["--item"]);
}

#[test]
fn programs_get_an_object_a_line() {
    let sandbox = ran(WORKFLOW, 1);
    let ended = sandbox.batchmill(&["logs", "--step", "sign", "--item", "1", "--format", "json"]).exits_with(0);
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let brief = |line: &Value| format!("{} {} {} {}", line["step"], line["attempt"], line["stream"], line["text"]);
    let brief: Vec<String> = lines.iter().map(brief).collect();
    assert_eq!(
        brief,
        [
            r#""sign" 1 "stderr" "to stderr""#,
            // Printed last, because its line never ended.
            r#""sign" 1 "stdout" "to stdout""#,
            r#""sign" 1 "stderr" "last""#
        ]
    );
    assert!(lines.iter().all(|line| line["time"].as_i64().is_some_and(|time| time > 1_700_000_000_000)));
}

#[test]
fn a_run_that_printed_nothing_says_so() {
    let quiet = "steps: [{name: a, task: shell, inputs: {command: 'true'}}]";
    ran(quiet, 0).batchmill(&["logs"]).exits_with(0).says(&["printed nothing"]);
}

/// The item waits for a file, so whatever is seen before that was printed while it ran.
fn follows(task: &str) {
    let sandbox = Sandbox::with(&format!("steps: [{{name: work, task: batch, inputs: {{items: [x], task: {task}}}}}]"));
    let engine = sandbox.command(&["run", "workflow.yaml", "--progress", "plain"]);
    let engine = { engine }.stderr(Stdio::piped()).spawn().unwrap();
    let running = Running::since(engine, |line| line.contains("work"));
    let mut follow = sandbox.command(&["logs", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut seen = BufReader::new(follow.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(seen.next().unwrap().ends_with("work[0] before"));
    fs::write(sandbox.path().join("go"), "").unwrap();
    assert!(seen.next().unwrap().ends_with("work[0] after"));
    assert_eq!(seen.next(), None, "it ends with the run");
    assert_eq!(running.ends_with(), Some(0));
    assert!(follow.wait().unwrap().success());
}

#[test]
fn what_an_item_prints_is_seen_while_it_runs() {
    follows("{type: shell, command: 'echo before >&2; while ! test -e go; do :; done; echo after >&2'}");
    follows(
        r#"{type: python, code: "import os\nprint('before')\nwhile not os.path.exists('go'): pass\nprint('after')"}"#,
    );
}

#[test]
fn a_terminal_shows_colours_and_obeys_nothing_else() {
    let hostile = r"printf '\033[31mred\033[0m \033[2J\033]0;title\007 \342\200\256\n 10%%\r 50%%\r100%%\n' >&2";
    let workflow = format!("steps:\n  - name: a\n    task: shell\n    inputs: {{command: {hostile:?}}}\n");
    let sandbox = ran(&workflow, 0);
    let raw = sandbox.batchmill(&["logs"]).exits_with(0).stdout;
    assert!(raw.contains("\u{1b}[31mred\u{1b}[0m \u{1b}[2J") && raw.contains(" 10%\r 50%\r100%\n"), "{raw:?}");
    let plain = sandbox.command(&["logs"]);
    let mut shown = Command::new("script");
    shown.args(["-qec", &format!("{} logs", plain.get_program().display()), "/dev/null"]);
    shown.current_dir(sandbox.path()).stdin(Stdio::null());
    let shown = String::from_utf8(shown.output().unwrap().stdout).unwrap();
    assert!(shown.contains("\u{1b}[31mred\u{1b}[0m"), "{shown:?}");
    assert!(shown.contains(r"\x1b[2J\x1b]0;title\x07 \u{202e}"), "{shown:?}");
    assert!(shown.contains(" 100%") && !shown.contains("50%"), "{shown:?}");
}
