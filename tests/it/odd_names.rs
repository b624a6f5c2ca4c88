//! Names and values that are not UTF-8.

use crate::support::{Sandbox, ended};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

fn odd(before: &str) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&[before.as_bytes(), b"\xff"].concat()))
}

const WORK: &str =
    "steps: [{name: work, for_each: [1, 2], task: shell, continue_on_error: true, inputs: {command: 'test -e go'}}]\n";

#[test]
fn a_workflow_whose_name_is_not_utf_8_runs_and_resumes() {
    let sandbox = Sandbox::new();
    let file = sandbox.path().join(odd("nightly"));
    fs::write(&file, WORK).unwrap();
    ended(sandbox.command(&["run"]).arg(odd("nightly"))).exits_with(1);
    fs::write(sandbox.path().join("go"), "").unwrap();
    sandbox.batchmill(&["repro", "latest", "0"]).exits_with(0);
    sandbox.batchmill(&["retry", "--only", "0"]).exits_with(1);
    sandbox.batchmill(&["resume"]).exits_with(0);
    ended(sandbox.command(&["run", "--resume"]).arg(odd("nightly"))).exits_with(0);
    sandbox.batchmill(&["audit"]).exits_with(0);
    let runs = sandbox.batchmill(&["runs"]).exits_with(0).stdout;
    assert_eq!(runs.lines().count(), 2, "one run, and the heading: {runs}");
    ended(sandbox.command(&["validate"]).arg(odd("nightly"))).exits_with(0);
}

#[test]
fn a_folder_whose_name_is_not_utf_8_is_a_folder_like_any_other() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path().join(odd("work"));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("workflow.yaml"), WORK).unwrap();
    let run = |arguments: &[&str]| ended(sandbox.command(arguments).current_dir(&folder));
    run(&["run", "workflow.yaml"]).exits_with(1);
    fs::write(folder.join("go"), "").unwrap();
    run(&["resume"]).exits_with(0);
    run(&["results"]).exits_with(0);
    // Also as the place of the state.
    ended(sandbox.command(&["run"]).arg(folder.join("workflow.yaml")).arg("--state-dir").arg(odd("state")))
        .exits_with(1);
    ended(sandbox.command(&["runs", "--state-dir"]).arg(odd("state"))).exits_with(0);
}

#[test]
fn an_argument_that_is_not_utf_8_is_named() {
    let sandbox = Sandbox::with("params: {x: {}}\nsteps: [{name: a, task: echo, inputs: {message: '{{ x }}'}}]");
    for verb in [&["run", "workflow.yaml"][..], &["inspect"], &["results"]] {
        let words = ["error: the argument `x=\\xff` is not UTF-8", "help: "];
        ended(sandbox.command(verb).arg(odd("x="))).exits_with(2).says(&words);
    }
}

#[test]
fn a_variable_that_is_not_utf_8_is_not_called_unset() {
    let sandbox =
        Sandbox::with("steps: [{name: a, for_each: [1], task: shell, inputs: {command: 'echo {{ env.ODD }}'}}]");
    let run = |name: &str| ended(sandbox.command(&["run", name]).env("ODD", odd("a")));
    run("workflow.yaml").exits_with(2).says(&["environment variable `ODD` is not UTF-8, so it is not text"]);
    // Its bytes go through.
    let through = sandbox.file(
        "through.yaml",
        "steps:\n  - {name: a, for_each: [1], task: shell, inputs: {command: 'printf %s \"$ODD\" | od -An -tx1'}}\n  \
         - {name: b, task: python, inputs: {code: 'import os; return list(os.environb[b\"ODD\"])'}}\n",
    );
    ended(through.command(&["run", "through.yaml"]).env("ODD", odd("a"))).exits_with(0);
    assert_eq!(through.results("a")[0]["stdout"], " 61 ff");
    assert_eq!(through.results("b")[0], serde_json::json!([0x61, 0xff]));
}

#[test]
fn files_whose_names_are_not_utf_8_are_no_items_but_can_be_read() {
    let sandbox = Sandbox::new().file("d/good.csv", "a\n1\n").file("d/sub/good.csv", "a\n2\n");
    fs::write(sandbox.path().join("d").join(odd("bad")), "a\n3\n").unwrap();
    fs::create_dir(sandbox.path().join("d").join(odd("sub"))).unwrap();
    fs::write(sandbox.path().join("d").join(odd("sub")).join("x.csv"), "a\n3\n").unwrap();
    let run = |items: &str| {
        let task = "task: shell, inputs: {command: 'echo {{ item }}'}";
        fs::write(sandbox.path().join("workflow.yaml"), format!("steps: [{{name: a, for_each: {items}, {task}}}]"))
            .unwrap();
        sandbox.run(&[]).exits_with(0)
    };
    for items in ["{glob: 'd/*'}", "{glob: 'd/**/*'}"] {
        run(items).says(&["skipped `d/", "because its name is not UTF-8"]);
    }
    // Their names are no items there, so they are read.
    run("{csv: 'd/**/*.csv'}");
    assert_eq!(sandbox.results("a").len(), 3);
    sandbox.batchmill(&["inspect", "d/**/*.csv"]).exits_with(0);
}

#[test]
fn a_command_that_prints_nul_bytes_ends_its_items_with_them() {
    let names = ["a", "b\nc", "d e"];
    for source in
        ["$(cd f && find . -type f -print0 | sort -z)", "$(cd f && find . -type f -print0 | sort -z | head -c -1)"]
    {
        let text = format!(
            "steps:\n  - name: names\n    for_each: \"{source}\"\n    task: python\n    inputs: {{code: return item}}\n"
        );
        let sandbox = Sandbox::with(&text);
        fs::create_dir(sandbox.path().join("f")).unwrap();
        names.iter().for_each(|name| fs::write(sandbox.path().join("f").join(name), "").unwrap());
        sandbox.run(&[]).exits_with(0);
        assert_eq!(sandbox.results("names"), names.map(|name| serde_json::json!(format!("./{name}"))));
    }
}
