//! Many lines through a program that reads whole batches. Lines are mended, the program breaks, the engine is killed.

use crate::job::Job;
use crate::support::Sandbox;
use std::fmt::Write;

const WORKFLOW: &str = r#"
shell: bash
steps:
  - name: upper
    task: batch
    inputs:
      items: {csv: in.csv}
      batch_size: 1000
      max_parallel: 2
      continue_on_error: true
      bisect_on_error: true
      task:
        type: shell
        stdin: {batch: csv}
        command: |
          echo {{ index }} >> ran
          while test -e hold-{{ index }}; do sleep 0.01; done
          tr a-z A-Z | sed '/BROKEN/d'
    outputs: {path: out.csv}
"#;

/// Rows of text with a comma and a letter beyond ASCII; one of them is broken.
fn rows(broken: Option<u32>) -> String {
    (0..20_000).fold("id,name\n".to_owned(), |mut text, id| {
        let name = if broken == Some(id) { "broken" } else { "name" };
        writeln!(text, "{id},\"{name} {id}, é\"").unwrap();
        text
    })
}

#[test]
#[ignore = "heavy: 20,000 rows, three days, a kill"]
fn rows_go_through_a_program_in_batches_whatever_happens_meanwhile() {
    let job = Job { sandbox: Sandbox::with(WORKFLOW), steps: &["upper"], made: &["out.csv"] };
    job.write("in.csv", rows(None));
    job.write("hold-19000", "");
    job.killed(&["run", "workflow.yaml"], ("upper", 19_000), "19000");
    assert_eq!(job.ran().len(), 20);
    job.remove("hold-19000");
    job.sandbox.batchmill(&["resume"]).exits_with(0).says(&["1,000 of 20,000 items will run"]);
    assert_eq!(job.ran(), ["19000"]);
    job.is_as_fresh(0, &[]);

    // The program drops a line: halving finds it, and the others have their results.
    job.write("in.csv", rows(Some(4321)));
    job.sandbox.run(&[]).exits_with(1).says(&["upper[4321]", "the command printed 0 records for 1 item"]);
    assert_eq!(job.sandbox.results("upper").len(), 19_999);
    job.ran();

    // It is mended, and only that runs.
    job.write("in.csv", rows(None));
    job.sandbox.batchmill(&["resume"]).exits_with(0).says(&["1 of 20,000 items will run"]);
    assert_eq!(job.ran(), ["4321"]);
    job.is_as_fresh(0, &[]);
}
