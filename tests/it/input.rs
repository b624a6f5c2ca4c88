//! Wrong input: every fault of a file at once, with its place; and nothing runs.

use crate::support::Sandbox;
use serde_json::json;
use std::fmt::Write as _;

#[test]
fn all_faults_of_a_file_come_at_once_with_their_places() {
    let workflow = "\
name: bad
parmas: {}
steps:
  - name: resize
    task: batch
    inputs:
      items: [a]
      max_parallel: 0
      batch_size: ten
      task:
        type: shell
        comand: echo
";
    let sandbox = Sandbox::with(workflow);
    let ended = sandbox.run(&[]).exits_with(2).says(&[
        "workflow.yaml:2:1",
        "unknown key `parmas`",
        "did you mean `params`?",
        "workflow.yaml:8:21",
        "`max_parallel` must be at least 1",
        "help: remove it to use every core",
        "workflow.yaml:9:19",
        "`batch_size` must be a positive integer or `auto`; found the string \"ten\"",
        "unknown key `comand`",
        "did you mean `command`?",
    ]);
    assert_eq!(ended.stderr.matches("error:").count(), 4, "{}", ended.stderr);
    assert!(!sandbox.exists(".batchmill"));
}

#[test]
fn undefined_names_are_found_before_the_run_wherever_they_stand() {
    let workflow = "
params: {known: {default: 1}}
steps:
  - name: first
    task: shell
    inputs: {command: touch ran}
    outputs: said
  - name: second
    task: batch
    inputs:
      items: '{{ sayd }}'
      batch_size: '{{ params.sise }}'
      on_item_error: {task: echo, inputs: {message: '{{ err }}'}}
      task: {type: http_request, url: 'http://x/{{ itm }}', headers: {X: '{{ env.NO_SUCH_VARIABLE }}'}}
  - name: third
    task: python
    inputs: {code: return x, x: '{{ steps.secnd.result }}', y: '{{ item }}', z: '{{ known | nofilter }}'}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(2).says(&[
        "`sayd` is not defined",
        "defined names: `env`, `known`, `params`, `run`, `said`, `steps`",
        "`params.sise` is not defined",
        "parameters: `known`",
        "`err` is not defined",
        "`itm` is not defined",
        "defined names: `batch`",
        "environment variable `NO_SUCH_VARIABLE` is not set",
        "help: set it, or define it under `env` in the workflow",
        "`steps.secnd` is not defined",
        "earlier steps: `first`, `second`",
        "`item` is not defined",
        "unknown filter `nofilter`",
    ]);
    assert!(!sandbox.exists("ran"));
}

#[test]
fn a_template_that_does_not_parse_is_found_before_the_run() {
    let workflow = "steps:\n  - name: a\n    task: echo\n    inputs: {message: 'x {{ 1 + }} y'}\n";
    Sandbox::with(workflow).run(&[]).exits_with(2).says(&["invalid template", "workflow.yaml:4:"]);
}

#[test]
fn parameters_are_checked_against_their_declaration() {
    let workflow = "
params:
  n: {type: integer}
  mode: {type: string, default: fast}
steps:
  - {name: a, task: echo, inputs: {message: '{{ n }} {{ mode }}'}}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(2).says(&["parameter `n` is required", "workflow.yaml:3:3", "`n=VALUE`"]);
    sandbox.run(&["n=x"]).exits_with(2).says(&["`n` must be an integer; found the string \"x\""]);
    sandbox.run(&["n=1", "mod=2"]).exits_with(2).says(&["no parameter `mod`", "did you mean `mode`?"]);
    sandbox.run(&["n=1", "oops"]).exits_with(2).says(&["`oops` is not a parameter", "NAME=VALUE"]);
    sandbox.run(&["--params-file", "none.yaml"]).exits_with(2).says(&["cannot read parameters file `none.yaml`"]);
    sandbox.run(&["n=1"]).exits_with(0).says(&["a: 1 fast"]);
}

#[test]
fn undeclared_parameters_that_are_used_but_not_given_are_named() {
    let workflow = "steps:\n  - name: a\n    task: batch\n    inputs:\n      items: {{ input_records }}\n      task: {type: shell, command: exit}\n";
    Sandbox::with(workflow).run(&[]).exits_with(2).says(&["`input_records` is not defined", "workflow.yaml:5:"]);
}

#[test]
fn broken_files_give_an_error_and_no_crash() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, of) in ('b'..='i').zip('a'..='h') {
        let list = vec![format!("*{of}"); 10].join(", ");
        let _ = writeln!(bomb, "{name}: &{name} [{list}]");
    }
    let deep = format!("steps: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    let cases: [(&[u8], &str); 7] = [
        (b"", "empty"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"- a\n- b\n", "mapping"),
        (b"steps:\n\t- x\n", "workflow.yaml:2:"),
        (b"name: x\n", "`steps`"),
        (bomb.as_bytes(), "alias"),
        (deep.as_bytes(), "nest"),
    ];
    for (text, says) in cases {
        let sandbox = Sandbox::new().file("workflow.yaml", text);
        let ended = sandbox.run(&[]).exits_with(2);
        assert!(ended.stderr.contains(says), "`{says}` is not in:\n{}", ended.stderr);
    }
    Sandbox::new().run(&[]).exits_with(2).says(&["cannot read workflow file `workflow.yaml`", "batchmill init"]);
}

#[test]
fn a_command_for_items_that_fails_is_an_error_before_any_item_runs() {
    let workflow = "
steps:
  - name: a
    task: batch
    inputs:
      items: $(ls none/*.csv)
      task: {type: shell, command: touch ran}
";
    let sandbox = Sandbox::with(workflow);
    sandbox
        .run(&[])
        .exits_with(2)
        .says(&["command `ls none/*.csv` failed with exit status: 2: ls:", "workflow.yaml:6:14"]);
    assert!(!sandbox.exists("ran"));
}

#[test]
fn a_command_for_items_bears_the_marks_by_which_what_it_leaves_is_found() {
    let workflow = "
steps:
  - name: a
    for_each: $(echo $BATCHMILL_RUN_ID; echo attempt $BATCHMILL_ATTEMPT_ID)
    task: shell
    inputs: {command: 'printf %s {{ item }}'}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(0);
    let results = sandbox.results("a");
    let run = sandbox.batchmill(&["runs", "--format", "json"]).exits_with(0).json()[0]["run_id"].clone();
    assert!(
        run.is_string() && results[0]["stdout"].as_str().unwrap().contains(run.as_str().unwrap()),
        "{run} {results:?}"
    );
    assert!(results[1]["stdout"].as_str().unwrap().len() > "attempt ".len(), "{results:?}");
}

#[test]
fn items_that_are_no_list_or_cannot_be_read_say_so() {
    let workflow = "steps:\n  - name: a\n    task: batch\n    inputs:\n      items: ITEMS\n      task: {type: shell, command: exit}\n";
    for (items, says) in [
        ("'{{ params.x }}'", "`{{ params.x }}` is a string, not a list of items"),
        ("{lines: none.txt}", "cannot read `none.txt`"),
        ("{glob: 'a/***'}", "invalid pattern `a/***`"),
        ("{range: '{{ params.x }}'}", "must be an integer"),
    ] {
        Sandbox::with(&workflow.replace("ITEMS", items)).run(&["x=text"]).exits_with(2).says(&[says]);
    }
}

#[test]
fn a_command_that_is_not_there_fails_its_item_and_says_so() {
    let workflow = "
steps:
  - name: a
    task: batch
    inputs:
      items: [1]
      retry: {max_attempts: 3, delay: 60}
      task: {type: shell, command: 'no-such-program {{ item }}'}
";
    // Trying again would not help, so nobody waits a minute for it.
    Sandbox::with(workflow).run(&[]).exits_with(3).says(&["command not found: `no-such-program`"]);
}

#[test]
fn a_state_folder_that_cannot_be_written_is_named() {
    let sandbox = Sandbox::with("steps:\n  - {name: a, task: echo, inputs: {message: x}}\n").file("taken", "a file");
    sandbox.run(&["--state-dir", "taken"]).exits_with(2).says(&["taken", "--state-dir DIR"]);
}

#[test]
fn values_in_a_pattern_are_no_wildcards() {
    let files = |sandbox: Sandbox| {
        sandbox.file("data[1]/a.csv", "n\n1\n").file("data1/a.csv", "n\n2\n").file("x*.csv", "n\n3\n")
    };
    for (items, given, expected) in [
        ("{glob: '{{ dir }}/*.csv'}", "dir=data[1]", vec![json!("data[1]/a.csv")]),
        ("{csv: '{{ dir }}/*.csv'}", "dir=data[1]", vec![json!({"n": "1"})]),
        ("{csv: '{{ dir }}/a.csv'}", "dir=data[1]", vec![json!({"n": "1"})]),
        ("{csv: '{% if dir %}{{ dir }}{% endif %}.csv'}", "dir=x*", vec![json!({"n": "3"})]),
        // What is one parameter as a whole is a pattern that the user gives.
        ("{csv: '{{ dir }}'}", "dir=data[1]/*", vec![json!({"n": "2"})]),
        ("{glob: '{{ params.dir }}'}", "dir=data?*/*", vec![json!("data1/a.csv"), json!("data[1]/a.csv")]),
        ("{glob: ['data1/*', './data1/*', 'data[0-9]/../data1/a.csv']}", "dir=x", vec![json!("data1/a.csv")]),
    ] {
        let workflow = format!(
            "params: {{dir: {{type: string, required: true}}}}\nsteps:\n  - {{name: one, for_each: {items}, task: echo, inputs: {{message: '{{{{ item }}}}'}}}}\n"
        );
        let sandbox = files(Sandbox::with(&workflow));
        sandbox.run(&[given]).exits_with(0);
        assert_eq!(sandbox.results("one"), expected, "{items} with {given}");
    }
    let missing = files(Sandbox::with(
        "params: {dir: 'no[1]'}\nsteps:\n  - {name: one, for_each: {csv: '{{ dir }}/a.csv'}, task: echo, inputs: {message: x}}\n",
    ));
    missing.run(&[]).exits_with(2).says(&["cannot read `no[1]/a.csv`"]);
}

#[test]
fn links_in_circles_and_strange_names_are_no_trouble() {
    use std::os::unix::ffi::OsStrExt;
    let strange = std::ffi::OsStr::from_bytes(b"d/bad\xff.csv");
    let echo = "task: echo, inputs: {message: '{{ item }}'}}";
    let workflow = format!(
        "steps:\n  - {{name: files, for_each: {{glob: '**/*.csv'}}, {echo}\n  - {{name: rows, for_each: {{csv: 'd/*.csv'}}, {echo}\n"
    );
    let sandbox = Sandbox::with(&workflow).file("d/a.csv", "n\n1\n");
    std::fs::write(sandbox.path().join(strange), "n\n2\n").unwrap();
    std::os::unix::fs::symlink(".", sandbox.path().join("d/loop")).unwrap();
    let ended = sandbox.run(&[]).exits_with(0);
    assert_eq!(ended.stderr.matches("skipped `").count(), 1, "{}", ended.stderr);
    assert_eq!(sandbox.results("files"), ["d/a.csv"]);
    assert_eq!(sandbox.results("rows"), [json!({"n": "1"}), json!({"n": "2"})]);
    sandbox.batchmill(&["plan", "workflow.yaml"]).exits_with(0);
    sandbox.batchmill(&["inspect", "d/*.csv"]).exits_with(0);
    sandbox.batchmill(&["resume"]).exits_with(0);
}

#[test]
fn settings_that_are_compared_with_files_are_no_templates() {
    for setting in ["null: ['{{ na }}', x]", "null: '{{ na }}'", "header: ['{{ na }}']", "columns: ['{{ na }}']"] {
        let key = setting.split(':').next().unwrap();
        let workflow = format!(
            "params: {{na: x}}\nsteps:\n  - {{name: one, for_each: {{csv: a.csv, {setting}}}, task: echo, inputs: {{message: x}}}}\n"
        );
        let sandbox = Sandbox::with(&workflow).file("a.csv", "x\n1\n");
        sandbox.run(&[]).exits_with(2).says(&[&format!("`{key}` cannot contain a template"), "{{ na }}"]);
    }
}
