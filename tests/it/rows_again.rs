//! Going on with a run over rows, and the memory that it takes.

use crate::rows::run_python;
use crate::support::Sandbox;
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// A step that notes each row that it is run for.
const NOTES: &str = "
steps:
  - name: read
    task: batch
    inputs:
      items: {csv: 'data/*.csv', types: {n: integer}}
      batch_size: 10
      max_parallel: 2
      continue_on_error: true
      task:
        type: python
        setup: log = open('ran', 'a', buffering=1)
        code: |
          for row in item:
              print(row['n'], file=log)
          return [row['n'] * 2 for row in item]
";

#[test]
#[ignore = "heavy: kills the engine again and again"]
fn a_run_over_rows_goes_on_however_often_it_is_killed() {
    const ROWS: usize = 6000;
    let mut sandbox = Sandbox::with(NOTES);
    for file in 0..3 {
        let rows = (file * ROWS / 3..(file + 1) * ROWS / 3).fold(String::new(), |text, row| text + &format!("{row}\n"));
        sandbox = sandbox.file(&format!("data/{file}.csv"), format!("n\n{rows}"));
    }
    let mut arguments = vec!["run", "workflow.yaml", "--progress", "json"];
    let (mut kills, mut events) = (0, 3);
    let mut done: Vec<u64> = Vec::new();
    loop {
        let (mut engine, lines) = sandbox.spawn_in_step(&arguments);
        events = events % 60 + 17;
        if lines.take(events).count() == events {
            engine.kill().unwrap();
            kills += 1;
        }
        let status = engine.wait().unwrap();
        sandbox.has_no_process();
        // What was under way may run twice, which is some milliseconds of rows; what was done never does.
        let again = sandbox
            .take_numbers("ran")
            .into_iter()
            .filter(|row| done.binary_search(&(*row as u64 * 2)).is_ok())
            .count();
        assert_eq!(again, 0, "rows that were done ran again, after {kills} kills");
        done = sandbox.results("read").iter().map(|result| result.as_u64().unwrap()).collect();
        if status.code() == Some(0) {
            break;
        }
        done.sort_unstable();
        arguments = vec!["resume", "--progress", "json"];
    }
    assert!(kills >= 5, "only {kills} kills");
    assert!(done == (0..ROWS as u64).map(|row| row * 2).collect::<Vec<_>>());
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
fn only_files_that_changed_or_are_new_run_again() {
    let sandbox = Sandbox::with(NOTES).file("data/a.csv", "n\n1\n2\n").file("data/b.csv", "n\n3\n4\n");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.take_numbers("ran"), [1, 2, 3, 4]);
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert!(sandbox.take_numbers("ran").is_empty());
    let sandbox = sandbox.file("data/b.csv", "n\n3\n5\n6\n").file("data/0.csv", "n\n7\n");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.take_numbers("ran"), [3, 5, 6, 7]);
    assert_eq!(sandbox.results("read"), [14, 2, 4, 6, 10, 12]);
    fs::remove_file(sandbox.path().join("data/a.csv")).unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert!(sandbox.take_numbers("ran").is_empty());
    assert_eq!(sandbox.results("read"), [14, 6, 10, 12]);
    // How rows are read is a part of what they are.
    let workflow = NOTES.replace("n: integer", "n: number");
    let sandbox = sandbox.file("workflow.yaml", workflow.replace("row['n']", "int(row['n'])"));
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.take_numbers("ran"), [3, 5, 6, 7]);
}

#[test]
fn failed_rows_are_tried_again_and_looked_at_one_by_one() {
    let workflow = "
steps:
  - name: read
    task: batch
    inputs:
      items: {csv: a.csv, types: {day: date, n: integer}}
      batch_size: 4
      batched: BATCHED
      continue_on_error: true
      task:
        type: python
        code: |
          import os
          rows = item if isinstance(item, list) else [item]
          print([row['day'].year for row in rows])
          return [10 // (row['n'] or int(os.environ.get('GOOD', 0))) for row in rows]
";
    let text = "day,n\n2026-01-31,1\n2025-01-31,0\n2024-01-31\n2023-01-31,5\n2022-01-31,0\n";
    let sandbox = Sandbox::with(&workflow.replace("BATCHED", "false")).file("a.csv", text);
    sandbox.run(&[]).exits_with(1);
    let failures = sandbox.failures();
    let indexes: Vec<u64> = failures.iter().map(|failure| failure["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, [1, 2, 4]);
    assert_eq!(failures[0]["item"], json!({"day": "2025-01-31", "n": 0}));
    assert_eq!(failures[1]["item"], "2024-01-31");
    // A row is what it was: its date is a date.
    let again = sandbox.batchmill(&["repro", "latest", "1"]).exits_with(1).says(&["ZeroDivisionError"]);
    assert_eq!(again.stdout, "[2025]\n");
    sandbox.batchmill(&["repro", "latest", "2"]).exits_with(1).says(&["a.csv:4: expected 2 fields, found 1"]);
    let sandbox = sandbox.env("GOOD", "2");
    let key = failures[2]["key"].as_str().unwrap();
    sandbox.batchmill(&["retry", "--only", key]).exits_with(1);
    assert_eq!(sandbox.results("read"), [json!([10]), json!([2]), json!([5])]);
    sandbox.batchmill(&["retry"]).exits_with(1).says(&["a.csv:4: expected 2 fields, found 1"]);
    assert_eq!(sandbox.failures().len(), 1);

    let sandbox = Sandbox::with(&workflow.replace("BATCHED", "true")).file("a.csv", text);
    sandbox.run(&[]).exits_with(1);
    assert_eq!(sandbox.failures().len(), 5, "the batches of two rows failed as they are, and so did the bad row");
    sandbox.batchmill(&["repro", "latest", "2"]).exits_with(1).says(&["a.csv:4: expected 2 fields, found 1"]);
    let sandbox = sandbox.env("GOOD", "2");
    sandbox.batchmill(&["retry"]).exits_with(1);
    assert_eq!(sandbox.results("read"), [10, 5, 2, 5]);
    sandbox.batchmill(&["audit"]).exits_with(0);
}

/// The most memory that a process has held, in MiB.
fn high_water(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|size| size >> 10)
}

/// Runs the program with `arguments` and gives the exit code and the most memory that it held as far as was seen at its events.
pub fn memory(sandbox: &Sandbox, arguments: &[&str]) -> (Option<i32>, u64) {
    let mut engine = sandbox.command(arguments).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let pid = engine.id().to_string();
    let lines = BufReader::new(engine.stderr.take().unwrap()).lines().map_while(Result::ok);
    let most = lines.filter_map(|_| high_water(&pid)).max().unwrap_or(0);
    (engine.wait().unwrap().code(), most)
}

/// Of rows that are large, few are held.
#[test]
#[ignore = "heavy: takes seconds"]
fn going_on_holds_few_large_rows() {
    let workflow = NOTES
        .replace("data/*.csv', types: {n: integer}", "data/*.csv', skip: 20")
        .replace("batch_size: 10", "batch_size: 1\n      batched: true");
    let workflow = workflow
        .replace("log = open('ran', 'a', buffering=1)", "log = None")
        .replace("print(row['n'], file=log)", "1 // (row['n'] != 'no')")
        .replace("return [row['n'] * 2 for row in item]", "return 1");
    let wide = |row: usize| format!("{},{}\n", if row % 50 == 49 { "no" } else { "yes" }, "x".repeat(1 << 18));
    let text = (0..200).fold("n,text\n".to_owned(), |text, row| text + &wide(row));
    let sandbox = Sandbox::with(&workflow).file("data/a.csv", text);
    let (code, _) = memory(&sandbox, &["run", "workflow.yaml", "--progress", "json"]);
    assert_eq!(code, Some(1));
    let (code, engine) = memory(&sandbox, &["resume", "--progress", "json"]);
    assert_eq!(code, Some(1));
    assert_eq!(sandbox.failures().len(), 4);
    // The program itself takes some 30 MiB, and all rows together 50.
    assert!((1..64).contains(&engine), "the engine held {engine} MiB to go on");
}

#[test]
#[ignore = "heavy: reads rows by the million"]
fn memory_is_flat_in_the_number_of_rows() {
    let workflow = "
steps:
  - name: read
    task: batch
    inputs:
      items: {csv: a.csv, types: {id: integer, x: number}}
      batch_size: 1000
      max_parallel: 2
      task:
        type: python
        code: return len(item)
        teardown: |
          line = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))
          print(int(line.split()[1]) // 1024, file=open('workers', 'a'))
";
    let sandbox = Sandbox::with(workflow);
    let code = "import sys
with open('a.csv', 'w') as out:
    out.write('id,name,x,text\\n')
    for block in range(1000):
        first = block * 1000
        out.write(''.join([f'{n},name {n},{n}.5,\"a, b\"\\n' for n in range(first, first + 1000)]))";
    run_python(&sandbox, &["-c", code]);
    let (code, engine) = memory(&sandbox, &["run", "workflow.yaml", "--progress", "json"]);
    assert_eq!(code, Some(0));
    let counts = sandbox.results("read");
    assert_eq!(counts.len(), 1000);
    assert_eq!(counts.iter().map(|count| count.as_u64().unwrap()).sum::<u64>(), 1_000_000);
    assert!((1..100).contains(&engine), "the engine held {engine} MiB");
    let workers: Vec<u64> = sandbox.read("workers").lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(workers.len(), 2);
    assert!(workers.iter().all(|worker| *worker < 150), "workers held {workers:?} MiB");
    // Going on reads all rows, and holds a bit and a place for each.
    fs::rename(sandbox.path().join("a.csv"), sandbox.path().join("old.csv")).unwrap();
    let text = sandbox.read("old.csv");
    let rows = text.lines().take(300_001).fold(String::new(), |text, line| text + line + "\n");
    let sandbox = sandbox.file("a.csv", rows);
    let (code, engine) = memory(&sandbox, &["resume", "--progress", "json"]);
    assert_eq!(code, Some(0));
    assert_eq!(sandbox.results("read").len(), 300);
    assert!((1..150).contains(&engine), "the engine held {engine} MiB to go on");
    let (code, engine) = memory(&sandbox, &["resume", "--progress", "json"]);
    assert_eq!(code, Some(0));
    assert!((1..100).contains(&engine), "the engine held {engine} MiB to see that all is done");
}
