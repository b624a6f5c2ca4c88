//! Rows of a CSV file into a database in which a row that runs twice breaks a constraint.

use crate::job::{Job, some_flights};
use crate::support::{Sandbox, ended, python};
use std::process::Command;

const WORKFLOW: &str = r#"
params:
  table: {type: string, default: flights}
steps:
  - name: load
    task: batch
    inputs:
      items:
        csv: 'rows/*.csv'
        columns: [day, carrier, flight, origin, dest, sched_dep_time, dep_delay]
        types: {day: integer, sched_dep_time: integer, dep_delay: number}
        where_from: file
      batch_size: 20
      batched: false
      max_parallel: 2
      continue_on_error: true
      task:
        type: python
        setup: |
          import os
          import sqlite3
          import time
          # Each statement is a transaction of its own.
          db = sqlite3.connect('flights.db', timeout=60, isolation_level=None)
          db.execute('PRAGMA synchronous = OFF')
          db.execute(f'''CREATE TABLE IF NOT EXISTS {params.table} (
              day INTEGER, carrier TEXT, flight TEXT, origin TEXT, sched INTEGER, delay REAL NOT NULL,
              UNIQUE (day, carrier, flight, origin, sched))''')
        code: |
          name = f"{item['day']}-{item['carrier']}{item['flight']}"
          with open('ran', 'a') as file:
              file.write(name + '\n')
          while os.path.exists('hold-' + name):
              time.sleep(0.01)
          row = [item[name] for name in ('day', 'carrier', 'flight', 'origin', 'sched_dep_time', 'dep_delay')]
          db.execute(f'INSERT INTO {params.table} VALUES (?, ?, ?, ?, ?, ?)', row)
          return {'name': name, 'delay': item['dep_delay']}
      aggregate: {count: true, mean: delay}
    outputs: {path: out/loaded.csv}
  - name: count
    task: python
    inputs:
      code: |
        return {'loaded': steps.load.aggregate, 'failed': [bad.item['flight'] for bad in steps.load.failed]}
"#;

/// What the database of a folder answers, a row in each line.
fn sql(sandbox: &Sandbox, statement: &str) -> Vec<String> {
    let code = "import sqlite3, sys
db = sqlite3.connect('flights.db', isolation_level=None)
for row in db.execute(sys.argv[1]): print(*row)";
    let mut ask = Command::new(python());
    let asked = ended(ask.args(["-c", code, statement]).current_dir(sandbox.path())).exits_with(0);
    asked.stdout.lines().map(str::to_owned).collect()
}

/// Checks that the folder is as a fresh run makes it, the rows of this table too.
#[track_caller]
fn is_as_fresh(job: &Job, code: i32, table: &str) {
    let fresh = job.is_as_fresh(code, &[&format!("table={table}")]);
    let rows = |sandbox: &Sandbox| {
        sql(sandbox, &format!("SELECT * FROM {table} ORDER BY day, carrier, flight, origin, sched"))
    };
    assert_eq!(rows(&job.sandbox), rows(&fresh));
}

/// A row of a day without a delay, and the same with one.
fn cancelled(day: usize, flight: &str) -> (String, String) {
    let row =
        |delay: &str| format!("2013,1,{day},,600,{delay},,,,ZZ,{flight},,EWR,IAH,,1400,6,0,2013-01-01T11:00:00Z\n");
    (row(""), row("12"))
}

#[test]
#[ignore = "heavy: six days of inserts"]
fn a_row_is_inserted_once_whatever_happens_to_its_file() {
    let job = Job { sandbox: Sandbox::with(WORKFLOW), steps: &["load", "count"], made: &["out", "flights.db"] };
    // A flight without a delay, which the table does not take.
    let (bad, mended) = cancelled(5, "1");
    let rows = some_flights(5, 200);
    job.write("rows/05.csv", rows.clone() + &bad + &some_flights(5, 300)[rows.len()..]);
    job.sandbox.run(&[]).exits_with(1).says(&["IntegrityError: NOT NULL", "load     301  300       1"]);
    assert_eq!(job.ran().len(), 301);
    is_as_fresh(&job, 1, "flights");

    // It is mended, and there is a row more at the top: the other rows have moved, and are not inserted again.
    job.edit("rows/05.csv", &bad, &mended);
    job.edit("rows/05.csv", "time_hour\n", &format!("time_hour\n{}", cancelled(5, "2").1));
    job.sandbox.batchmill(&["resume"]).exits_with(0).says(&["2 of 302 items will run"]);
    assert_eq!(job.ran(), ["5-ZZ1", "5-ZZ2"]);
    is_as_fresh(&job, 0, "flights");

    // A new file, and a row that vanished. Meanwhile others try to load the same.
    job.write("rows/06.csv", some_flights(6, 50) + &cancelled(6, "3").1);
    job.edit("rows/05.csv", &cancelled(5, "2").1, "");
    sql(&job.sandbox, "DELETE FROM flights WHERE carrier = 'ZZ' AND flight = '2'");
    job.write("hold-6-ZZ3", "");
    let first = job.under_way(&["run", "workflow.yaml", "--incremental"], "load", 0);
    job.noted("6-ZZ3");
    for verb in ["resume", "retry"] {
        job.sandbox.batchmill(&[verb]).exits_with(5).says(&["is in use by another process"]);
    }
    job.day(&[]).exits_with(2).says(&["another run is writing to `out/loaded.csv`"]);
    job.remove("hold-6-ZZ3");
    assert_eq!(first.ends_with(), Some(0));
    assert_eq!(job.ran().len(), 51);
    // The run that was refused is the newer one, and holds less.
    job.day(&[]).exits_with(0).says(&["0 of 352 items will run"]);
    assert_eq!(job.ran(), [""; 0]);
    is_as_fresh(&job, 0, "flights");

    // Killed at the first row of a new file, while the rest of the file is loaded.
    let new = cancelled(7, "4").1;
    job.write("rows/07.csv", some_flights(7, 59).replace("time_hour\n", &format!("time_hour\n{new}")));
    job.write("hold-7-ZZ4", "");
    job.killed(&["run", "workflow.yaml", "--incremental"], ("load", 40), "7-ZZ4");
    assert_eq!(job.ran().len(), 41);
    job.remove("hold-7-ZZ4");
    job.day(&[]).exits_with(0).says(&["20 of 412 items will run"]);
    assert_eq!(job.ran().len(), 20);
    is_as_fresh(&job, 0, "flights");

    // Another table takes them all; the first one has them still.
    job.day(&["table=copies"]).exits_with(0);
    assert_eq!(job.ran().len(), 412);
    is_as_fresh(&job, 0, "copies");
    job.day(&["table=flights"]).exits_with(0).says(&["0 of 412 items will run"]);
    assert_eq!(job.ran(), [""; 0]);
    is_as_fresh(&job, 0, "flights");
}
