//! `partitions: true`: parts of paths as columns, compared with pyarrow's data sets.

use crate::rows::{reads, run_python};
use crate::support::Sandbox;
use serde_json::{Value, json};
use std::fs;

/// A table that pyarrow and pandas have written in partitions.
const WRITE: &str = "
import os, pyarrow as pa, pyarrow.dataset as ds
table = pa.table({'n': [1, 2, 3, 4, 5], 'year': ['2024', '2024', '2023', '2023', None],
                  'place': ['01', 'a/b: ü', '01', 'x y', '01']})
by = ds.partitioning(pa.schema([('year', pa.string()), ('place', pa.string())]), flavor='hive')
for kind in ['csv', 'parquet']:
    ds.write_dataset(table, kind, format=kind, partitioning=by)
";

/// The same read again by pyarrow.
const READ: &str = "
import json, pyarrow as pa, pyarrow.dataset as ds
by = ds.partitioning(pa.schema([('year', pa.string()), ('place', pa.string())]), flavor='hive')
rows = ds.dataset('csv', format='csv', partitioning=by).to_table().to_pylist()
json.dump(rows, open('rows.json', 'w'))
";

fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(|row| row["n"].as_i64());
    rows
}

#[test]
#[ignore = "heavy: takes seconds"]
fn parts_of_paths_are_columns() {
    let sandbox = Sandbox::new();
    run_python(&sandbox, &["-c", WRITE]);
    run_python(&sandbox, &["-c", READ]);
    let expected: Vec<Value> = serde_json::from_str(&sandbox.read("rows.json")).unwrap();
    for items in ["csv: 'csv/**/*.csv', types: {n: integer}", "parquet: 'parquet/**/*.parquet'"] {
        for more in ["batch_size: 1", "batch_size: 10\n      batched: true\n      batch_format: pandas"] {
            let text = reads(&format!("{items}, partitions: true"), more);
            fs::write(sandbox.path().join("workflow.yaml"), text).unwrap();
            sandbox.run(&["--progress", "none"]).exits_with(0);
            assert_eq!(sorted(sandbox.results("read")), sorted(expected.clone()), "{items}, {more}");
        }
    }
    let items = "csv: 'csv/**/*.csv', partitions: true, types: {n: integer, year: integer}, columns: [year, n]";
    fs::write(sandbox.path().join("workflow.yaml"), reads(items, "")).unwrap();
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sorted(sandbox.results("read"))[2], json!({"year": 2023, "n": 3}));
    let items = "csv: 'csv/**/*.csv', partitions: true, types: {place: integer}";
    fs::write(sandbox.path().join("workflow.yaml"), reads(items, "continue_on_error: true")).unwrap();
    sandbox.run(&[]).exits_with(1).says(&["column `place`: \"x y\" is not a valid integer"]);
}

#[test]
fn partitions_that_fit_nothing_are_refused_with_the_way_out() {
    let refused = |items: &str, says: &[&str]| {
        let sandbox = Sandbox::with(&reads(items, "")).file("y=1/a.csv", "x,y\n1,2\n").file("b.csv", "x\n1\n");
        let sandbox = sandbox.file("y=1/c.csv", "x\n1\n");
        sandbox.run(&[]).exits_with(2).says(says).says(&["workflow.yaml:5:"]);
    };
    refused("csv: y=1/a.csv, partitions: true", &["column `y` is in the file and in its path", "header: [..]"]);
    refused(
        "csv: b.csv, partitions: true",
        &["no path has a part such as `year=2024`: `b.csv`", "remove `partitions`"],
    );
    refused("csv: [y=1/c.csv, b.csv], partitions: true", &["the columns of `b.csv` differ", "it lacks `y`"]);
    refused("csv: y=1/c.csv, partitions: some", &["`partitions` must be"]);
    refused("jsonl: y=1/c.csv, partitions: true", &["`partitions` cannot be used with JSON Lines"]);
    refused("csv: y=1/c.csv, types: {y: integer}", &["`types` lists `y`, but the columns are `x`"]);
}
