//! A directory of CSV files, a file more each day, through pandas into one CSV file and a table of the whole month.

use crate::job::{Job, flights};
use crate::support::Sandbox;

const WORKFLOW: &str = r"
params:
  late: {type: number, default: 60}
steps:
  - name: days
    task: batch
    inputs:
      items: {glob: 'flights/*.csv'}
      max_parallel: 2
      continue_on_error: true
      task:
        type: python
        setup: |
          import os
          import time
          import pandas as pd
        code: |
          with open('ran', 'a') as file:
              file.write(item[-6:-4] + '\n')
          while os.path.exists('hold-' + item[-6:-4]):
              time.sleep(0.01)
          df = pd.read_csv(item)
          return {
              'day': item,
              'flights': len(df),
              'cancelled': int(df['dep_delay'].isna().sum()),
              'late': int((df['dep_delay'] > params.late).sum()),
              'mean': float(df['dep_delay'].mean()),
          }
      aggregate: {count: true, sum: [flights, cancelled, late], max: mean}
    outputs: {path: out/days.csv}
  - name: month
    task: python
    inputs:
      code: |
        with open('ran', 'a') as file:
            file.write('month\n')
        total = steps.days.aggregate
        share = total['sum']['late'] / total['sum']['flights']
        return {**total, 'share': share, 'bad': [bad.item for bad in steps.days.failed]}
    outputs: {path: out/month.jsonl}
";

fn job() -> Job {
    Job { sandbox: Sandbox::with(WORKFLOW), steps: &["days", "month"], made: &["out"] }
}

fn put(job: &Job, day: usize) {
    job.write(&format!("flights/{day:02}.csv"), flights(day));
}

#[test]
#[ignore = "heavy: each day starts pandas twice"]
fn a_month_of_csv_files_through_pandas() {
    let job = job();
    (1..=5).for_each(|day| put(&job, day));
    job.day(&[]).exits_with(0).says(&["5 records written to `out/days.csv`"]);
    assert_eq!(job.ran(), ["01", "02", "03", "04", "05", "month"]);
    job.is_as_fresh(0, &[]);

    // Two new files, one of them cut off within a quoted field, as a download that broke.
    put(&job, 6);
    job.write("flights/07.csv", flights(7) + "2013,1,7,\"54");
    job.day(&[]).exits_with(1).says(&["2 of 7 items will run: 2 new", "ParserError"]);
    assert_eq!(job.ran(), ["06", "07", "month"]);
    job.is_as_fresh(1, &[]);

    // Nothing new: the bad one is tried again, and what is there stays.
    job.day(&[]).exits_with(1).says(&["1 of 7 items will run: 1 failed before"]);
    assert_eq!(job.ran()[..1], ["07"]);
    job.is_as_fresh(1, &[]);
    job.ran();

    // It is mended, another file has vanished, and there is a new one. Killed in the middle; the next day does the rest.
    put(&job, 7);
    put(&job, 8);
    job.remove("flights/02.csv");
    job.write("hold-08", "");
    job.killed(&["run", "workflow.yaml", "--incremental"], ("days", 1), "08");
    assert_eq!(job.ran(), ["07", "08"]);
    job.remove("hold-08");
    job.day(&[]).exits_with(0).says(&["1 of 7 items will run"]);
    assert_eq!(job.ran(), ["08", "month"]);
    job.is_as_fresh(0, &[]);

    // Another threshold, for one run; then the first one again, whose results are there.
    job.day(&["late=15"]).exits_with(0);
    assert_eq!(job.ran().len(), 8);
    job.is_as_fresh(0, &["late=15"]);
    put(&job, 9);
    job.day(&[]).exits_with(0).says(&["1 of 8 items will run"]);
    assert_eq!(job.ran(), ["09", "month"]);
    job.is_as_fresh(0, &[]);
}

#[test]
#[ignore = "heavy: starts pandas again and again"]
fn a_second_run_beside_the_first_one_touches_nothing() {
    let job = job();
    (1..=3).for_each(|day| put(&job, day));
    job.day(&[]).exits_with(0);
    assert_eq!(job.ran(), ["01", "02", "03", "month"]);
    put(&job, 4);
    job.write("hold-04", "");
    let output = job.sandbox.read("out/days.csv");
    let first = job.under_way(&["run", "workflow.yaml", "--incremental"], "days", 0);
    for verb in ["resume", "retry"] {
        job.sandbox.batchmill(&[verb]).exits_with(5).says(&["is in use by another process"]);
    }
    job.day(&[]).exits_with(2).says(&["another run is writing to `out/days.csv`"]);
    assert_eq!(job.sandbox.read("out/days.csv"), output);
    job.remove("hold-04");
    assert_eq!(first.ends_with(), Some(0));
    assert_eq!(job.ran(), ["04", "month"]);
    // The run that was refused holds less than the first one, though it is the newer one.
    job.day(&[]).exits_with(0).says(&["0 of 4 items will run"]);
    assert_eq!(job.ran(), [""; 0]);
    job.is_as_fresh(0, &[]);
}
