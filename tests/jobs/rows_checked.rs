//! JSON Lines whose rows are checked by an expression: some are wrong, are mended, and `retry` runs them; `resume` does the rest.

use crate::job::{Job, some_flights};
use crate::support::Sandbox;
use serde_json::{Map, Value};

const WORKFLOW: &str = r#"
steps:
  - name: check
    task: batch
    inputs:
      items: {jsonl: 'rows/*.jsonl'}
      batch_size: 7
      batched: false
      max_parallel: 2
      continue_on_error: true
      task:
        type: python
        setup: log = open('ran', 'a', buffering=1)
        code: |
          print(item['id'], file=log)
          if item['dep_delay'] is None:
              raise ValueError(f"{item['carrier']}{item['flight']} has no delay")
          return {'id': item['id'], 'flight': item['carrier'] + item['flight'], 'late': item['dep_delay'] > 30}
      aggregate: {count: true, group_by: late}
    outputs: {path: out/checked.csv}
  - name: report
    task: echo
    inputs: {message: "{{ steps.check.aggregate }} {{ steps.check.failed | map(attribute='error') | list }}"}
    outputs: {path: out/report.jsonl}
"#;

/// The first flights of a day as lines of JSON, each with an id.
fn lines(day: usize, rows: usize) -> Vec<String> {
    let text = some_flights(day, rows);
    let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let kept = ["dep_delay", "carrier", "flight", "origin", "dest", "distance"];
    let line = |(number, row): (usize, &str)| {
        let fields = header.iter().zip(row.split(',')).filter(|(name, _)| kept.contains(name));
        let value = |name: &str, field: &str| match name {
            "dep_delay" | "distance" => field.parse::<i64>().map_or(Value::Null, Value::from),
            _ => Value::from(field),
        };
        let fields = fields.map(|(name, field)| ((*name).to_owned(), value(name, field)));
        let row: Map<String, Value> =
            [("id".to_owned(), Value::from(day * 1000 + number))].into_iter().chain(fields).collect();
        Value::from(row).to_string()
    };
    text.lines().skip(1).enumerate().map(line).collect()
}

fn write(job: &Job, day: usize, lines: &[String]) {
    job.write(&format!("rows/{day:02}.jsonl"), lines.iter().fold(String::new(), |text, line| text + line + "\n"));
}

/// The places of the lines that say no delay.
fn without_delay(lines: &[String]) -> Vec<usize> {
    (0..lines.len()).filter(|at| lines[*at].contains("\"dep_delay\":null")).collect()
}

fn ids(day: usize, places: &[usize]) -> Vec<String> {
    places.iter().map(|at| (day * 1000 + at).to_string()).collect()
}

#[test]
fn rows_that_were_mended_are_retried_and_the_rest_is_resumed() {
    let job = Job { sandbox: Sandbox::with(WORKFLOW), steps: &["check", "report"], made: &["out"] };
    let (mut first, second) = (lines(12, 120), lines(13, 60));
    // Flights that were cancelled, and a line that was cut.
    for at in [11, 50, 51, 110] {
        let mut row: Value = serde_json::from_str(&first[at]).unwrap();
        row["dep_delay"] = Value::Null;
        first[at] = row.to_string();
    }
    let (cut, whole) = (80, first[80].clone());
    first[cut].truncate(40);
    write(&job, 12, &first);
    job.sandbox.run(&[]).exits_with(1).says(&["has no delay", "5 failures, "]);
    assert_eq!(job.ran().len(), 119);
    job.is_as_fresh(1, &[]);

    // Two are mended, and the line that was cut.
    for at in [11, 51] {
        first[at] = first[at].replace("null", "45");
    }
    first[cut] = whole;
    write(&job, 12, &first);
    job.sandbox.batchmill(&["retry"]).exits_with(1);
    let mut tried = ids(12, &[11, 50, 51, 80, 110]);
    assert_eq!(job.ran(), tried);
    job.is_as_fresh(1, &[]);
    job.sandbox.batchmill(&["resume"]).exits_with(1).says(&["2 of 120 items will run: 2 failed before"]);
    tried = ids(12, &without_delay(&first));
    assert_eq!(job.ran(), tried);
    job.is_as_fresh(1, &[]);

    // A new file. `retry` leaves it to `resume`.
    first[50] = first[50].replace("null", "-3");
    write(&job, 12, &first);
    write(&job, 13, &second);
    job.sandbox.batchmill(&["retry"]).exits_with(1);
    assert_eq!(job.ran(), ids(12, &[50, 110]));
    let cancelled = without_delay(&second).len();
    job.sandbox.batchmill(&["resume"]).exits_with(1).says(&["61 of 180 items will run"]);
    assert_eq!(job.ran().len(), 61);
    job.is_as_fresh(1, &[]);
    assert_eq!(job.sandbox.failures().len(), 1 + cancelled);

    // Another threshold in the code: `retry` runs what failed and says so, `resume` brings all up to date.
    job.edit("workflow.yaml", "> 30", "> 15");
    job.sandbox.batchmill(&["retry"]).exits_with(1);
    assert_eq!(job.ran().len(), 1 + cancelled);
    job.sandbox.batchmill(&["resume"]).exits_with(1).says(&["`task.code` changed"]);
    assert_eq!(job.ran().len(), 180);
    job.is_as_fresh(1, &[]);
}

#[test]
#[ignore = "heavy: checks thousands of rows"]
fn rows_are_checked_while_the_disk_is_full() {
    let job = Job { sandbox: Sandbox::with(WORKFLOW), steps: &["check", "report"], made: &["out"] };
    // Results that take some room.
    job.edit("workflow.yaml", "'late': item", "'text': 'x' * 2000, 'late': item");
    for day in 1..=2 {
        write(&job, day, &lines(day, 700));
    }
    let stopped = job.sandbox.limited(2048, &["run", "workflow.yaml"]).exits_with(3);
    stopped.says(&["File too large", "finished results are saved", "resume"]);
    assert!(!job.sandbox.exists("out/checked.csv"));
    // No more room the next day either, and a row less that was not done yet.
    job.sandbox.limited(2048, &["resume"]).exits_with(3);
    let done = job.sandbox.batchmill(&["results", "--step", "check"]).exits_with(0).stdout.lines().count();
    assert!((100..1390).contains(&done), "{done}");
    let mut second = lines(2, 700);
    second.pop();
    write(&job, 2, &second);
    job.ran();
    job.sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(job.ran().len(), 1399 - done);
    job.is_as_fresh(0, &[]);
    // The results fit, and their file does not: nothing runs again.
    job.remove("out/checked.csv");
    job.sandbox.limited(2048, &["resume"]).exits_with(3).says(&["out/checked.csv"]);
    assert!(!job.sandbox.exists("out/checked.csv"));
    job.ran();
    job.sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(job.ran(), [""; 0]);
    job.is_as_fresh(0, &[]);
}
