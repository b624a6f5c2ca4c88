//! `run --incremental`: what is new since the last good run of the workflow.

use crate::support::{Ended, Sandbox};

const WORKFLOW: &str = "
steps:
  - name: work
    task: batch
    inputs:
      items: {glob: 'data/*.txt'}
      max_parallel: 2
      continue_on_error: true
      task: {type: shell, command: 'work {{ item }}'}
";

fn sandbox(count: usize) -> Sandbox {
    let sandbox = Sandbox::with(WORKFLOW).script("work", "echo $1 >> ran; ! grep -q bad $1");
    (0..count).fold(sandbox, |sandbox, number| sandbox.file(&format!("data/{number:03}.txt"), "text"))
}

impl Sandbox {
    fn incremental(&self, arguments: &[&str]) -> Ended {
        self.run(&[&["--incremental"], arguments].concat())
    }

    /// The files that were worked on since the last look.
    fn worked_on(&self) -> Vec<String> {
        let ran = if self.exists("ran") { self.read("ran") } else { String::new() };
        let _ = std::fs::remove_file(self.path().join("ran"));
        let mut ran: Vec<String> = ran.lines().map(str::to_owned).collect();
        ran.sort();
        ran
    }
}

#[test]
fn only_new_and_changed_files_run() {
    let sandbox = sandbox(40);
    sandbox.incremental(&[]).exits_with(0);
    assert_eq!(sandbox.worked_on().len(), 40);
    sandbox.incremental(&[]).exits_with(0).says(&["0 of 40 items will run", "40 unchanged"]);
    assert!(sandbox.worked_on().is_empty());
    let sandbox = sandbox.file("data/007.txt", "changed").file("data/999.txt", "new");
    let ended = sandbox.incremental(&["--format", "json"]).exits_with(0);
    let stats = &ended.json()["steps"]["work"]["stats"];
    assert_eq!(
        ["total", "succeeded", "unchanged", "skipped"].map(|name| stats[name].as_u64().unwrap()),
        [41, 41, 39, 0]
    );
    assert_eq!(sandbox.worked_on(), ["data/007.txt", "data/999.txt"]);
    assert_eq!(sandbox.results("work").len(), 41, "kept and new ones");
    sandbox.batchmill(&["audit"]).exits_with(0);
    std::fs::remove_file(sandbox.path().join("data/000.txt")).unwrap();
    sandbox.incremental(&[]).exits_with(0).says(&["0 of 40 items will run"]);
    let sandbox = sandbox.file("data/000.txt", "text");
    sandbox.incremental(&[]).exits_with(0);
    assert_eq!(sandbox.worked_on(), ["data/000.txt"], "what was gone in the last good run is new");
}

#[test]
fn a_file_that_failed_does_not_make_the_good_ones_run_again() {
    let sandbox = sandbox(3);
    sandbox.incremental(&[]).exits_with(0);
    sandbox.worked_on();
    let sandbox = sandbox.file("data/001.txt", "bad").file("data/100.txt", "new");
    sandbox.incremental(&[]).exits_with(1);
    assert_eq!(sandbox.worked_on(), ["data/001.txt", "data/100.txt"]);
    let sandbox = sandbox.file("data/001.txt", "mended");
    sandbox.incremental(&[]).exits_with(0);
    assert_eq!(sandbox.worked_on(), ["data/001.txt"]);
    sandbox.incremental(&[]).exits_with(0);
    assert!(sandbox.worked_on().is_empty());
}

#[test]
fn an_incremental_run_that_goes_on_passes_over_the_same() {
    let sandbox = sandbox(3);
    sandbox.incremental(&[]).exits_with(0);
    sandbox.worked_on();
    let sandbox = sandbox.file("data/001.txt", "bad");
    sandbox.incremental(&[]).exits_with(1);
    let sandbox = sandbox.file("data/001.txt", "good").file("data/002.txt", "changed");
    sandbox.worked_on();
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.worked_on(), ["data/001.txt", "data/002.txt"]);
    sandbox.incremental(&[]).exits_with(0);
    assert!(sandbox.worked_on().is_empty(), "it ended well in the end");
}

#[test]
fn a_changed_task_runs_everything_and_says_why() {
    let sandbox = sandbox(3);
    sandbox.incremental(&[]).exits_with(0);
    sandbox.worked_on();
    let sandbox = sandbox.file("workflow.yaml", WORKFLOW.replace("work {{ item }}", "work {{ item }} now"));
    sandbox.incremental(&[]).exits_with(0).says(&["work: everything runs again, because `task.command` changed"]);
    assert_eq!(sandbox.worked_on().len(), 3);
}

#[test]
fn files_are_compared_by_what_is_in_them_when_asked() {
    let sandbox = sandbox(3);
    sandbox.run(&["--incremental=content"]).exits_with(0);
    sandbox.worked_on();
    // Written anew, with the same text.
    let sandbox = sandbox.file("data/001.txt", "text").file("data/002.txt", "else");
    sandbox.run(&["--incremental=content"]).exits_with(0);
    assert_eq!(sandbox.worked_on(), ["data/002.txt"]);
    sandbox.run(&["--incremental=hash"]).exits_with(2).says(&["possible values: time, content"]);
    sandbox.run(&["--incremental", "--resume"]).exits_with(2).says(&["cannot be used with"]);
}

#[test]
fn rows_of_new_files_run_and_those_of_the_others_do_not() {
    let workflow = "
steps:
  - name: work
    task: batch
    inputs:
      items: {csv: 'data/*.csv'}
      batch_size: 2
      task: {type: python, code: 'return [row[\"n\"] for row in item]'}
";
    let sandbox = Sandbox::with(workflow).file("data/a.csv", "n\n1\n2\n3\n");
    sandbox.incremental(&[]).exits_with(0);
    let sandbox = sandbox.file("data/b.csv", "n\n4\n5\n");
    sandbox.incremental(&[]).exits_with(0).says(&["2 of 5 items will run"]);
    assert_eq!(sandbox.results("work"), ["1", "2", "3", "4", "5"]);
    sandbox.incremental(&[]).exits_with(0).says(&["0 of 5 items will run"]);
}
