//! Little room: limits of open files and of processes, and paths that are long.

use crate::support::{Ended, Sandbox, ended};
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

fn workflow(items: usize, workers: usize, command: &str) -> String {
    format!(
        "steps:\n  - name: work\n    for_each: {{range: {items}}}\n    task: shell\n    max_parallel: {workers}\n    \
         inputs: {{command: {command}}}\n"
    )
}

fn python(items: usize, workers: usize, code: &str) -> String {
    format!(
        "steps:\n  - name: work\n    for_each: {{range: {items}}}\n    task: python\n    max_parallel: {workers}\n    \
         inputs: {{code: {code}}}\n"
    )
}

/// The program in a shell that has set limits.
fn under(sandbox: &Sandbox, limits: &str, arguments: &[&str]) -> Ended {
    let plain = sandbox.command(arguments);
    let mut command = Command::new("bash");
    command.args(["-c", &format!("{limits} && exec \"$0\" \"$@\"")]).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(sandbox.path());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    ended(&mut command)
}

#[test]
fn a_step_that_needs_more_files_than_the_soft_limit_gets_them_and_its_commands_do_not() {
    // Each waits until all of them run, so all of their pipes are open at once.
    let together = "'touch at-{{ item }}; until [ $(ls | grep -c ^at-) = 60 ]; do sleep 0.05; done; ulimit -Sn'";
    let sandbox = Sandbox::with(&workflow(60, 60, together));
    under(&sandbox, "ulimit -Sn 128", &["run", "workflow.yaml"]).exits_with(0);
    let results = sandbox.results("work");
    assert_eq!(results.len(), 60);
    assert!(results.iter().all(|result| result["stdout"] == "128"), "{results:?}");
    let program = Sandbox::with(&workflow(4, 60, "[bash, -c, 'ulimit -Sn']"));
    under(&program, "ulimit -Sn 128", &["run", "workflow.yaml"]).exits_with(0);
    assert!(program.results("work").iter().all(|result| result["stdout"] == "128"));
    let code = "'import resource; return resource.getrlimit(resource.RLIMIT_NOFILE)[0]'";
    let worker = Sandbox::with(&python(2, 60, code));
    under(&worker, "ulimit -Sn 128", &["run", "workflow.yaml"]).exits_with(0);
    assert_eq!(worker.results("work"), [json!(128), json!(128)]);
}

#[test]
fn a_hard_limit_of_files_makes_a_step_narrower_and_fails_no_item() {
    let sandbox = Sandbox::with(&workflow(40, 200, "'echo {{ item }} | cat'"));
    let words = ["instead of 40 workers, because only 100 files may be open at once (`ulimit -Hn`)"];
    under(&sandbox, "ulimit -n 100", &["run", "workflow.yaml"]).exits_with(0).says(&words);
    assert_eq!(sandbox.results("work").len(), 40);
    let worker = Sandbox::with(&python(20, 50, "return item"));
    under(&worker, "ulimit -n 100", &["run", "workflow.yaml"]).exits_with(0).says(&["instead of 20 workers"]);
    assert_eq!(worker.results("work").len(), 20);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_step_that_can_start_nothing_waits_and_then_stops_without_a_failed_item() {
    let sandbox = Sandbox::with(&workflow(3, 1, "'echo {{ item }} | cat'")).env("BATCHMILL_TEST_SHORTAGE_MS", "300");
    // Enough for the run itself, and not for the pipes of a command.
    let said = (28..40).find_map(|files| {
        let ended = under(&sandbox, &format!("ulimit -n {files}"), &["run", "workflow.yaml"]);
        ended.stderr.contains("stopped by Shortage").then_some(ended)
    });
    let said = said.expect("one of these limits is enough for the run and not for a command");
    said.exits_with(3).says(&[
        "work: waiting until there is room to start more: cannot start `/bin/sh`: too many open files (`ulimit -n`)",
        "work stopped by Shortage: cannot start `/bin/sh`: too many open files (`ulimit -n`), and nothing runs that could make room",
        "3 skipped",
    ]);
    assert!(sandbox.failures().is_empty());
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.results("work").len(), 3);
}

#[test]
fn no_limit_of_files_however_low_is_a_panic_or_leaves_a_run_that_cannot_be_resumed() {
    let sandbox = Sandbox::with(&workflow(3, 2, "'echo {{ item }} | cat'")).env("BATCHMILL_TEST_SHORTAGE_MS", "0");
    for files in [6, 9, 12, 15, 18, 21, 24, 27] {
        let ended = under(&sandbox, &format!("ulimit -n {files}"), &["run", "workflow.yaml"]);
        assert!(matches!(ended.code, Some(2 | 3)), "{files}: {:?}: {}", ended.code, ended.stderr);
        assert!(!ended.stderr.contains("panicked"), "{files}: {}", ended.stderr);
        let runs = sandbox.batchmill(&["runs"]).exits_with(0);
        if !runs.stderr.contains("no runs") {
            sandbox.batchmill(&["resume"]).exits_with(0);
            sandbox.batchmill(&["audit"]).exits_with(0);
        }
    }
}

#[test]
fn a_path_that_is_too_long_for_the_ledger_is_named_with_its_length() {
    let sandbox = Sandbox::with("");
    let name = "x".repeat(100);
    let mut folder = sandbox.path().to_path_buf();
    let mut short = String::new();
    for _ in 0..5 {
        folder.push(&name);
        let _ = write!(short, "../");
    }
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("workflow.yaml"), workflow(1, 1, "'pwd | wc -c'")).unwrap();
    let run = |arguments: &[&str]| ended(sandbox.command(arguments).current_dir(&folder));
    run(&["run", "workflow.yaml"]).exits_with(2).says(&[
        "the path of the ledger has ",
        " bytes, but SQLite takes at most 500",
        "with `--state-dir DIR`",
    ]);
    run(&["run", "workflow.yaml", "--state-dir", &format!("{short}state")]).exits_with(0);
}
