//! Clocks that were set wrong, or go backwards.

use crate::support::{Sandbox, Server};
use std::fs;
use std::path::{Path, PathBuf};

const WORKFLOW: &str = "
steps:
  - {name: work, for_each: [1, 2], task: echo, inputs: {message: '{{ item }}'}}
";

fn runs(sandbox: &Sandbox) -> Vec<PathBuf> {
    let entries = fs::read_dir(sandbox.path().join(".batchmill/runs")).unwrap().map(|entry| entry.unwrap().path());
    let mut runs: Vec<PathBuf> = entries.filter(|path| path.join("run.db").exists()).collect();
    runs.sort();
    runs
}

/// Makes a run one of another year, as its directory says.
fn date(run: &Path, year: u16) {
    let name = run.file_name().unwrap().to_str().unwrap();
    fs::rename(run, run.with_file_name(format!("{year}{}", &name[4..]))).unwrap();
}

#[test]
fn the_latest_run_is_the_one_that_was_started_last_even_if_the_clock_was_set_back() {
    let sandbox = Sandbox::with(WORKFLOW);
    sandbox.run(&[]).exits_with(0);
    date(&runs(&sandbox)[0], 2999);
    let fails = "steps:\n  - {name: work, for_each: [1], task: shell, inputs: {command: 'exit {{ item }}'}}\n";
    fs::write(sandbox.path().join("workflow.yaml"), fails).unwrap();
    sandbox.run(&[]);
    let all = runs(&sandbox);
    assert_eq!(all.len(), 2);
    assert!(all[1].file_name().unwrap().to_str().unwrap().starts_with("2999"), "{all:?}");
    assert_eq!(sandbox.failures().len(), 1, "`latest` is the second run");
}

/// No time is too long to be waited for. The run waits, and ends when it is told to.
#[test]
#[ignore = "heavy: takes seconds"]
fn a_server_may_ask_for_any_delay() {
    let answer = |_: &_| (503, vec![("retry-after", u64::MAX.to_string())], String::new());
    let server = Server::start(answer);
    let workflow = format!(
        "steps:\n  - name: work\n    task: batch\n    inputs:\n      items: [1]\n      retry: {{max_attempts: 2, delay: 0}}\n      timeout: 10s\n      task: {{type: http_request, url: '{}'}}\n    timeout: 1s\n",
        server.url("/")
    );
    Sandbox::with(&workflow).run(&[]).exits_with(3).says(&["StepTimeout: took longer than 1s"]);
    assert_eq!(server.requests().len(), 1);
}
