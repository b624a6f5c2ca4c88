//! Early and late instants of a run: it is there as a whole or not at all, and goes as a whole.

use crate::support::Sandbox;
use rusqlite::Connection;
use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

const WORKFLOW: &str = "steps:\n  - {name: one, for_each: [a, b], task: echo, inputs: {message: '{{ item }}'}}\n";

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The folder of a run, or of what is left of one, with these files.
fn make(sandbox: &Sandbox, name: &str, files: &[&str]) {
    let folder = sandbox.path().join(".batchmill/runs").join(name);
    ["results", "logs"].iter().for_each(|inside| fs::create_dir_all(folder.join(inside)).unwrap());
    files.iter().for_each(|file| fs::write(folder.join(file), "").unwrap());
    File::open(&folder).unwrap().set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH)).unwrap();
}

#[test]
fn a_run_that_never_began_is_passed_over_and_can_be_deleted() {
    let sandbox = Sandbox::with(WORKFLOW);
    sandbox.run(&[]).exits_with(0);
    let run = sandbox.run_folder().file_name().unwrap().to_str().unwrap().to_owned();
    // As an older version left them: empty, or without tables.
    make(&sandbox, "29990101-000000000-half-0000", &["lock", "run.db"]);
    make(&sandbox, "29990101-000000000-half-1111", &["lock"]);
    let database = sandbox.path().join(".batchmill/runs/29990101-000000000-half-1111/run.db");
    Connection::open(database).unwrap().query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    for verb in [&["results"][..], &["failures"], &["audit"], &["resume"], &["retry"]] {
        sandbox
            .batchmill(verb)
            .exits_with(0)
            .says(&["note: ignoring run `29990101-000000000-half-0000`", "runs clean"]);
    }
    assert_eq!(sandbox.results("one"), ["a", "b"]);
    let would = sandbox.batchmill(&["runs", "clean", "--keep", "1", "--dry-run"]).exits_with(0);
    assert_eq!(would.stdout, "29990101-000000000-half-0000\n29990101-000000000-half-1111\n");
    sandbox.batchmill(&["runs", "clean", "--keep", "1"]).exits_with(0);
    assert_eq!(names(&sandbox.path().join(".batchmill/runs")), [run]);
}

#[test]
fn what_an_interrupted_deletion_left_is_deleted_by_the_next_one() {
    let sandbox = Sandbox::with(WORKFLOW);
    sandbox.run(&[]).exits_with(0);
    make(&sandbox, ".trash-20260101-000000000-a-0000-0123456789abcdef", &["lock", "run.db"]);
    make(&sandbox, ".new-20260101-000000000-a-0000", &["lock", "run.db"]);
    make(&sandbox, "20260101-000000000-a-0000", &["lock", "run.db-wal"]);
    sandbox.batchmill(&["runs"]).exits_with(0);
    assert_eq!(sandbox.results("one"), ["a", "b"]);
    sandbox.batchmill(&["runs", "clean", "--keep", "1"]).exits_with(0);
    assert_eq!(names(&sandbox.path().join(".batchmill/runs")).len(), 1);
    sandbox.batchmill(&["runs", "clean", "--keep", "0"]).exits_with(0);
    assert_eq!(names(&sandbox.path().join(".batchmill/runs")), [""; 0]);
}

#[test]
fn a_run_that_cannot_be_made_leaves_nothing() {
    for files in 4..20 {
        let sandbox = Sandbox::with(WORKFLOW);
        let engine = env!("CARGO_BIN_EXE_batchmill");
        let limited = format!("ulimit -n {files}; exec {engine} run workflow.yaml");
        let ended = Command::new("sh").args(["-c", &limited]).current_dir(sandbox.path()).output().unwrap();
        let runs = sandbox.path().join(".batchmill/runs");
        let left = if runs.exists() { names(&runs) } else { Vec::new() };
        assert!(!left.iter().any(|name| name.starts_with('.')), "{files} files: {left:?} after {ended:?}");
        // Whatever it came to, the runs that are there can be read.
        let listed = sandbox.batchmill(&["runs"]).exits_with(0);
        assert!(!listed.stderr.contains("cannot read"), "{files} files: {}", listed.stderr);
        assert!(left.iter().all(|name| listed.stdout.contains(name.as_str())), "{files} files: {left:?}");
    }
}

#[test]
fn git_is_told_to_ignore_only_what_batchmill_made() {
    let sandbox = Sandbox::with(WORKFLOW).file("mine/notes", "");
    for state in [".", "mine", "new/state"] {
        sandbox.run(&["--state-dir", state]).exits_with(0);
    }
    sandbox.run(&[]).exits_with(0);
    assert!(!sandbox.exists(".gitignore") && !sandbox.exists("mine/.gitignore"));
    assert_eq!([sandbox.read("new/state/.gitignore"), sandbox.read(".batchmill/.gitignore")], ["*\n", "*\n"]);
}

#[test]
fn every_item_has_one_outcome_after_executions_that_stop_at_a_failure() {
    let sandbox = Sandbox::with(
        "
steps:
  - {name: one, for_each: {range: 60}, batch_size: 4, max_parallel: 2, task: shell, inputs: {command: 'test -e go'}}
",
    );
    sandbox.run(&[]).exits_with(3);
    for _ in 0..3 {
        sandbox.batchmill(&["resume"]).exits_with(3);
        sandbox.batchmill(&["audit"]).exits_with(0);
    }
    sandbox.batchmill(&["retry"]).exits_with(3);
    sandbox.batchmill(&["audit"]).exits_with(0);
    let sandbox = sandbox.file("go", "");
    sandbox.batchmill(&["resume"]).exits_with(0);
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
fn a_run_that_cannot_be_read_is_none_of_those_that_clean_keeps() {
    let sandbox = Sandbox::with("steps:\n  - {name: a, task: echo, inputs: {message: hi}}\n");
    sandbox.run(&[]).exits_with(0);
    // The latest by its name: damaged, with results that may be needed; and begun by an older version, with nothing at all.
    let sandbox = sandbox
        .file(".batchmill/runs/20990101-000000000-w-aaaa/run.db", "no database")
        .file(".batchmill/runs/20990101-000000000-w-aaaa/results/a.jsonl", "1\n")
        .file(".batchmill/runs/20990102-000000000-w-bbbb/run.db", "");
    let cleaned = sandbox.batchmill(&["runs", "clean", "--keep", "1"]).exits_with(0);
    assert_eq!(cleaned.stdout, "20990102-000000000-w-bbbb\n");
    let listed = sandbox.batchmill(&["runs"]).exits_with(0).says(&["cannot read run `20990101-000000000-w-aaaa`"]);
    assert_eq!(listed.stdout.lines().count(), 2, "{}", listed.stdout);
}
