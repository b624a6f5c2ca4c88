//! A sweep over a grid of settings: wider, killed, with another threshold, with a value less.

use crate::job::{Job, some_flights};
use crate::support::Sandbox;
use serde_json::json;

const WORKFLOW: &str = r#"
params: {most: 60}
steps:
  - name: fit
    task: batch
    inputs:
      items:
        product:
          carrier: [UA, AA, B6]
          above: [0, 15]
          day: {glob: 'in/*.csv'}
      where: item.above < most
      max_parallel: 2
      continue_on_error: true
      task:
        type: python
        code: |
          import csv, os, time
          name = f"{item['carrier']}-{item['above']}-{item['day'][3:5]}"
          with open('ran', 'a') as ran:
              ran.write(name + '\n')
          while os.path.exists('hold-' + name):
              time.sleep(0.01)
          with open(item['day'], newline='') as file:
              rows = [row for row in csv.DictReader(file) if row['carrier'] == item['carrier']]
          late = [row for row in rows if row['dep_delay'] and float(row['dep_delay']) > item['above']]
          return {'flights': len(rows), 'late': round(len(late) / len(rows), 4)}
    outputs: {path: sweep.csv, include: [item, error]}
  - name: worst
    task: python
    inputs:
      code: |
        import csv
        with open('sweep.csv', newline='') as file:
            return max(csv.DictReader(file), key=lambda row: (float(row['late'] or 0), row['carrier'], row['day']))
"#;

fn job() -> Job {
    Job { sandbox: Sandbox::with(WORKFLOW), steps: &["fit", "worst"], made: &["sweep.csv"] }
}

fn put(job: &Job, day: usize) {
    job.write(&format!("in/{day:02}.csv"), some_flights(day, 200));
}

#[test]
#[ignore = "heavy: four days with kills"]
fn only_new_combinations_of_a_sweep_run_whatever_happens_meanwhile() {
    let job = job();
    put(&job, 1);
    put(&job, 2);
    job.sandbox.run(&[]).exits_with(0);
    assert_eq!(job.ran().len(), 12);
    job.is_as_fresh(0, &[]);

    // A wider grid; killed while it is at its last new combination.
    job.edit("workflow.yaml", "above: [0, 15]", "above: [0, 15, 30]");
    job.write("hold-B6-30-02", "");
    job.killed(&["resume"], ("fit", 5), "B6-30-02");
    assert_eq!(job.ran(), ["AA-30-01", "AA-30-02", "B6-30-01", "B6-30-02", "UA-30-01", "UA-30-02"]);
    job.remove("hold-B6-30-02");
    job.sandbox.batchmill(&["resume"]).exits_with(0).says(&["1 of 18 items will run"]);
    assert_eq!(job.ran(), ["B6-30-02"]);
    job.is_as_fresh(0, &[]);

    // A day more, and another one was mended: each concerns nine combinations.
    put(&job, 3);
    job.write("in/02.csv", some_flights(12, 200));
    job.sandbox.batchmill(&["resume"]).exits_with(0).says(&["18 of 27 items will run"]);
    assert!(job.ran().iter().all(|name| !name.ends_with("01")));
    job.is_as_fresh(0, &[]);

    // A lower threshold leaves some out, and nothing runs; a carrier that never flies fails alone.
    job.sandbox.batchmill(&["resume", "most=20"]).exits_with(0).says(&["0 of 18 items will run"]);
    assert!(job.ran().is_empty());
    job.is_as_fresh(0, &["most=20"]);
    job.edit("workflow.yaml", "[UA, AA, B6]", "[UA, AA, B6, XX]");
    job.sandbox.batchmill(&["resume"]).exits_with(1).says(&["6 of 24 items will run", "ZeroDivisionError"]);
    assert_eq!(job.ran().len(), 6);
    let fresh = job.is_as_fresh(1, &["most=20"]);
    assert_eq!(fresh.results("worst")[0]["error"], json!(""));
    assert_eq!(job.sandbox.read("sweep.csv").matches("ZeroDivisionError").count(), 6);
}
