//! A job that is larger than a night: each night it has a limited time, and goes on where it was. Files come in between.

use crate::job::{Job, some_flights};
use crate::support::Sandbox;

const WORKFLOW: &str = r#"
steps:
  - name: count
    for_each: {glob: 'in/*.csv'}
    max_parallel: 2
    task: shell
    inputs:
      command: |
        sleep 0.1
        echo {{ item | stem }} >> ran
        wc -l < {{ item }}
    outputs: {path: counts.csv, include: [item]}
"#;

#[test]
#[ignore = "heavy: several nights of a second"]
fn a_job_that_is_larger_than_a_night_runs_each_file_once() {
    let job = Job { sandbox: Sandbox::with(WORKFLOW), steps: &["count"], made: &["counts.csv"] };
    (1..=30).for_each(|file| job.write(&format!("in/{file:02}.csv"), some_flights(1, file)));
    // More than a night can do, however quick the machine is: the items sleep for 1.5 s together.
    job.sandbox.run(&["--time-limit", "1s"]).exits_with(6);
    assert!(!job.sandbox.exists("counts.csv"));
    let first = job.ran();
    assert!(first.len() < 30, "{first:?}");
    job.write("in/31.csv", some_flights(2, 31));
    let (mut ran, mut nights) = (first, 1);
    loop {
        let night = job.sandbox.batchmill(&["resume", "--time-limit", "1s"]);
        ran.extend(job.ran());
        nights += 1;
        match night.code {
            Some(0) => break,
            code => assert_eq!(code, Some(6), "{}", night.stderr),
        }
        assert!(nights < 60, "no night does anything: {ran:?}");
    }
    ran.sort();
    let files: Vec<String> = (1..=31).map(|file| format!("{file:02}")).collect();
    assert_eq!(ran, files, "each file runs once");
    job.is_as_fresh(0, &[]);

    // Enough time, and one file more.
    job.write("in/32.csv", some_flights(3, 32));
    job.sandbox.batchmill(&["resume", "--time-limit", "10m"]).exits_with(0).says(&["1 of 32 items will run"]);
    assert_eq!(job.ran(), ["32"]);
    job.is_as_fresh(0, &[]);
}
