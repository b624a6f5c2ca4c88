//! Errors in workflow files for programs, and the help of a file.

use crate::support::{Sandbox, ended};
use serde_json::{Value, json};

const WRONG: &str = "\
steps:
  - name: ä
    task: shell
    inputs: {command: 'ls'}
    timeot: 3
  - name: ä
    task: echo
    inputs: {message: '{{ itm }}'}
";

#[test]
fn every_error_of_a_file_has_a_place_for_programs() {
    let sandbox = Sandbox::with(WRONG);
    let ended = sandbox.batchmill(&["validate", "workflow.yaml", "--format", "json"]).exits_with(2);
    assert_eq!(ended.stderr, "");
    let found = ended.json();
    assert_eq!((&found["valid"], &found["file"]), (&json!(false), &json!("workflow.yaml")));
    let diagnostics = found["diagnostics"].as_array().unwrap();
    assert_eq!(
        diagnostics[0],
        json!({
            "file": "workflow.yaml", "line": 5, "column": 5, "end_line": 5, "end_column": 11,
            "message": "unknown key `timeot`", "label": "did you mean `timeout`?", "path": "steps.ä.timeot",
            "notes": [], "help": null,
        })
    );
    let twice = &diagnostics[1];
    assert_eq!((&twice["line"], &twice["column"], &twice["end_column"]), (&json!(6), &json!(11), &json!(12)));
    assert_eq!(
        twice["notes"],
        json!([{"line": 2, "column": 11, "end_line": 2, "end_column": 12, "message": "first used here"}])
    );
    assert_eq!(twice["help"], "rename one of the steps");
}

#[test]
fn errors_that_are_found_later_have_a_place_too() {
    let sandbox = Sandbox::with("params: {x: 1}\nsteps:\n  a:\n    task: echo\n    inputs: {message: '{{ itm }}'}\n");
    let found = sandbox.batchmill(&["validate", "workflow.yaml", "--format", "json"]).exits_with(2).json();
    assert_eq!((&found["diagnostics"][0]["line"], &found["diagnostics"][0]["column"]), (&json!(5), &json!(27)));
}

#[test]
fn errors_without_a_place_are_told_to_programs() {
    let sandbox = Sandbox::with("steps:\n  a: {task: echo, inputs: {message: 1}}\n");
    for (arguments, message) in [
        (&["gone.yaml"][..], "cannot read workflow file `gone.yaml`"),
        (&["workflow.yaml", "a"], "`a` is not a parameter"),
        (&["workflow.yaml", "--params-file", "gone.yaml"], "cannot read parameters file `gone.yaml`"),
    ] {
        let ended = sandbox.batchmill(&[&["validate", "--format", "json"], arguments].concat()).exits_with(2);
        let found = ended.json();
        assert_eq!(found["diagnostics"][0]["message"], message);
        assert_eq!(found["diagnostics"][0]["line"], Value::Null);
        assert_eq!(found["diagnostics"][0]["file"], arguments[0]);
    }
    let sandbox = sandbox.file("params.yaml", "a: [\n");
    let ended = sandbox.batchmill(&["validate", "workflow.yaml", "--params-file", "params.yaml", "--format", "json"]);
    let found = ended.exits_with(2).json();
    assert_eq!(
        (&found["diagnostics"][0]["file"], found["diagnostics"].as_array().unwrap().len()),
        (&json!("params.yaml"), 1)
    );
}

#[test]
fn a_valid_file_has_its_steps_for_programs() {
    let sandbox = Sandbox::with("steps:\n  a: {task: echo, for_each: [1], inputs: {message: 1}}\n");
    let found = sandbox.batchmill(&["validate", "workflow.yaml", "--format", "json"]).exits_with(0).json();
    assert_eq!((&found["valid"], &found["diagnostics"]), (&json!(true), &json!([])));
    let item =
        "`item` is one item, because only Python tasks, and commands with `stdin: {batch: ..}`, take whole batches";
    assert_eq!(found["steps"], json!([{"name": "a", "type": "echo", "is_batch": true, "item": item}]));
}

const DOUBTFUL: &str = "\
params: {lr: 1}
steps:
  - name: pipe
    task: shell
    inputs: {command: 'ls | wc -l'}
  - name: code
    task: python
    inputs:
      code: |
        from math import *
        return lrr
  - {name: script, task: python, inputs: {script: a.py}}
";

fn doubtful() -> Sandbox {
    Sandbox::with(DOUBTFUL).file("a.py", "from math import *\n\nprint(lrr)\n")
}

#[test]
fn what_may_be_wrong_with_a_valid_file_has_a_place_for_programs() {
    let found = doubtful().batchmill(&["validate", "workflow.yaml", "--format", "json"]).exits_with(0).json();
    assert_eq!((&found["valid"], &found["diagnostics"]), (&json!(true), &json!([])));
    let warnings = found["warnings"].as_array().unwrap();
    let brief = |warning: &Value| {
        let text = |key: &str| warning[key].as_str().unwrap().to_owned();
        format!(
            "{} {}:{} {}",
            text("level"),
            text("file").rsplit('/').next().unwrap(),
            warning["line"],
            text("message")
        )
    };
    assert_eq!(
        warnings.iter().map(brief).collect::<Vec<_>>(),
        [
            "warning workflow.yaml:11 `lrr` may not be defined",
            "warning a.py:3 `lrr` may not be defined",
            "note workflow.yaml:5 in a pipe, `sh` reports only the failure of the last command",
        ]
    );
    assert_eq!(warnings[0]["help"], "did you mean `lr`?");
}

#[test]
fn github_shows_what_may_be_wrong_at_its_line() {
    let shown = doubtful().batchmill(&["validate", "workflow.yaml", "--format", "github"]).exits_with(0).stdout;
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 3, "{shown}");
    assert!(lines[0].starts_with("::warning file=workflow.yaml,line=11,title=batchmill::`lrr` may not"), "{shown}");
    assert!(lines[0].ends_with("%0Ahelp: did you mean `lr`?"), "{shown}");
    assert!(lines[2].starts_with("::notice file=workflow.yaml,line=5,title=batchmill::in a pipe"), "{shown}");
}

#[test]
fn github_shows_errors_at_their_lines() {
    let sandbox = Sandbox::new()
        .file("jobs/a,b.yaml", WRONG)
        .file("jobs/fine.yaml", "steps: {a: {task: echo, inputs: {message: 1}}}");
    let validate = |file: &str| {
        let mut command = sandbox.command(&["validate", file, "--format", "github"]);
        ended(command.env("GITHUB_WORKSPACE", sandbox.path()).current_dir(sandbox.path().join("jobs")))
    };
    let wrong = validate("a,b.yaml").exits_with(2).says(&["error: unknown key `timeot`", "a,b.yaml:5:5"]);
    let lines: Vec<&str> = wrong.stdout.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "::error file=jobs/a%2Cb.yaml,line=5,col=5,endLine=5,endColumn=11,title=batchmill%3A steps.ä.timeot::\
             unknown key `timeot`: did you mean `timeout`?",
            "::error file=jobs/a%2Cb.yaml,line=6,col=11,endLine=6,endColumn=12,title=batchmill%3A steps.ä::\
             duplicate step name `ä`%0Anote: line 2: first used here%0Ahelp: rename one of the steps",
        ]
    );
    let gone = validate("gone.yaml").exits_with(2);
    assert!(
        gone.stdout.starts_with(
            "::error file=gone.yaml,title=batchmill::cannot read workflow file `gone.yaml`%0Anote: No such"
        )
    );
    let fine = validate("fine.yaml").exits_with(0).says(&["fine.yaml is valid: 1 step"]);
    assert_eq!(fine.stdout, "");
    sandbox
        .batchmill(&["validate", "x.yaml", "--format", "xml"])
        .exits_with(2)
        .says(&["possible values: text, json, github"]);
}

#[test]
fn odd_files_have_lines_for_programs() {
    let sandbox = Sandbox::new().file("a.csv", "x,y\n1,2\n3,4\n").file("b.csv", "x,y\n1,2\n3\n");
    let found = sandbox.batchmill(&["inspect", "a.csv", "b.csv", "--format", "json"]).exits_with(1).json();
    assert_eq!(
        found["diagnostics"],
        json!([{
            "file": "b.csv", "line": 3, "column": null, "end_line": 3, "end_column": null,
            "message": "1 row has the wrong number of fields (line 3)", "label": null, "path": null, "notes": [], "help": null,
        }])
    );
}

const PARAMS: &str = "\
secrets: [token]
params:
  rate: {type: number, default: 1.5, description: the factor}
  day: {type: string, description: \"the day\\e[2J\\nto load\"}
  tag: {required: false}
  token: {default: hush}
  limit: 100
steps:
  a: {task: echo, inputs: {message: 1}}
";

#[test]
fn the_help_of_a_file_has_its_parameters() {
    let sandbox = Sandbox::with(PARAMS);
    for arguments in [
        &["run", "workflow.yaml", "--help"][..],
        &["run", "-h", "workflow.yaml"],
        &["plan", "workflow.yaml", "-h"],
        &["validate", "--jobs", "2", "workflow.yaml", "rate=2", "--help"],
        &["profile", "workflow.yaml", "--help"],
    ] {
        let help = sandbox.batchmill(arguments).exits_with(0).stdout;
        assert!(help.contains("Usage: batchmill") && help.contains("--params-file"), "{help}");
        let parameters = "Parameters of workflow.yaml:\n  rate=  the factor  [number, default: 1.5]\n  \
            day=  the day\\x1b[2J\\nto load  [string, required]\n  tag=  [any]\n  token=  [any, default: ***]\n  limit=  [any, default: 100]\n";
        assert!(help.ends_with(parameters), "{help}");
    }
}

#[test]
fn help_appears_whatever_the_file_is() {
    let sandbox =
        Sandbox::with("steps: 3\n").file("none.yaml", "params: {}\nsteps: {a: {task: echo, inputs: {message: 1}}}");
    for (file, says) in [
        ("workflow.yaml", "it has errors; `batchmill validate workflow.yaml` lists them"),
        ("gone.yaml", "The parameters of `gone.yaml` are not known: cannot read it: No such file"),
        (".", "cannot read it: Is a directory"),
        ("none.yaml", "none.yaml has no parameters"),
    ] {
        let help = sandbox.batchmill(&["run", file, "--help"]).exits_with(0).stdout;
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains("Usage: batchmill run") && help.contains(says), "{help}");
    }
    let plain = sandbox.batchmill(&["run", "--help"]).exits_with(0).stdout;
    assert!(plain.contains("Usage: batchmill run") && !plain.contains(".yaml"), "{plain}");
    let other = sandbox.batchmill(&["results", "latest", "--help"]).exits_with(0).stdout;
    assert!(other.contains("Usage: batchmill results") && !other.contains(".yaml"), "{other}");
}

#[test]
fn the_names_in_a_command_without_shell_syntax_are_checked_too() {
    let sandbox =
        Sandbox::with("params: {n: 1}\nsteps: [{name: a, task: shell, inputs: {command: 'echo {{ nothing }}'}}]");
    let stderr = sandbox.batchmill(&["validate", "workflow.yaml"]).exits_with(2).stderr;
    assert!(stderr.contains("nothing"), "{stderr}");
}
