//! `on_bad_row: {save: FILE}`: rows that cannot be read, kept to be mended and read again.

use crate::rows::{reads, run_python};
use crate::support::Sandbox;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;

/// The records of a CSV file, as Python's `csv` module reads them.
fn read_by_python(sandbox: &Sandbox, name: &str) -> Vec<Value> {
    let code = format!(
        "import csv, json\nrows = list(csv.DictReader(open({name:?}, newline='')))\njson.dump(rows, open('read.json', 'w'))"
    );
    run_python(sandbox, &["-c", &code]);
    serde_json::from_str(&sandbox.read("read.json")).unwrap()
}

fn saved(items: &str, more: &str) -> String {
    reads(&format!("{items}, on_bad_row: {{save: bad.csv}}"), more)
}

#[test]
fn bad_rows_are_saved_as_they_stand_with_file_line_and_reason() {
    let long = "x".repeat(20_000);
    let text = format!("n,t\n1,a\nx,\"b, \"\"b\"\"\"\n2,c\n3,\"d\nd\",e\n4,f\n{long}\n");
    for more in ["batch_size: 1", "batch_size: 10\n      batched: true"] {
        let sandbox = Sandbox::with(&saved("csv: a.csv, types: {n: integer}", more)).file("a.csv", &text);
        let ended = sandbox.run(&["--format", "json"]).exits_with(0).says(&["3 bad rows written to `bad.csv`"]);
        assert_eq!(ended.json()["steps"]["read"]["stats"]["bad_rows"], 3);
        let expected = json!([
            {"file": "a.csv", "line": "3", "reason": "column `n`: \"x\" is not a valid integer", "text": "x,\"b, \"\"b\"\"\""},
            {"file": "a.csv", "line": "5", "reason": "expected 2 fields, found 3", "text": "3,\"d\nd\",e"},
            {"file": "a.csv", "line": "8", "reason": "expected 2 fields, found 1", "text": long},
        ]);
        assert_eq!(Value::from(read_by_python(&sandbox, "bad.csv")), expected, "{more}");
        assert_eq!(sandbox.results("read").len(), 3);
    }
}

/// A messy file is rewritten for tasks, but its rows are saved as it has them.
#[test]
fn rows_of_a_messy_file_are_saved_as_the_file_has_them() {
    let text = "title\r\n#c\r\na;b\r\n1;x\\\"y\r\nq;\"1\\\"\r\n2\"\r\n\r\n# more\r\n3;a\"b\r\n4;5;6\r\n7;8\r\n";
    let options = "csv: a.csv.gz, delimiter: ';', skip_lines: 1, comment: '#', escape: \"\\\\\", types: {a: integer}, \
                   stray_quotes: fail, on_bad_row: {save: bad.jsonl.gz}";
    let sandbox = Sandbox::with(&reads(options, "batch_size: 3")).file("a.csv", text);
    run_python(&sandbox, &["-c", "import gzip; gzip.open('a.csv.gz', 'wb').write(open('a.csv', 'rb').read())"]);
    sandbox.run(&[]).exits_with(0).says(&["3 bad rows written to `bad.jsonl.gz`"]);
    run_python(&sandbox, &["-c", "import gzip; open('bad.jsonl', 'wb').write(gzip.open('bad.jsonl.gz').read())"]);
    let rows: Vec<Value> = sandbox.read("bad.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: Vec<_> = rows.iter().map(|row| (row["line"].as_u64().unwrap(), row["text"].as_str().unwrap())).collect();
    assert_eq!(found, [(5, "q;\"1\\\"\r\n2\""), (9, "3;a\"b"), (10, "4;5;6")]);
}

#[test]
fn lines_that_are_no_json_are_saved_and_a_file_that_is_gone_is_told() {
    let items = "jsonl: [a.jsonl, b.jsonl], on_bad_row: {save: bad.jsonl}";
    let sandbox = Sandbox::with(&reads(items, "continue_on_error: true")).file("a.jsonl", "1\n{\"a\": \n2\n");
    sandbox.run(&[]).exits_with(1).says(&["b.jsonl: No such file"]);
    let row: Value = serde_json::from_str(&sandbox.read("bad.jsonl")).unwrap();
    assert_eq!((&row["file"], &row["line"], &row["text"]), (&json!("a.jsonl"), &json!(2), &json!("{\"a\": ")));
    let reason = row["reason"].as_str().unwrap();
    assert!(reason.starts_with("invalid JSON: ") && !reason.contains("a.jsonl"), "{reason}");
}

#[test]
fn rows_that_were_saved_are_those_of_all_executions() {
    let mut text = "n\n".to_owned();
    for row in 0..60 {
        let _ = writeln!(text, "{}", if row % 10 == 5 { "1,2".to_owned() } else { row.to_string() });
    }
    let workflow = saved("csv: a.csv", "batch_size: 5\n      batched: false").replace(
        "code: return item",
        "code: \"import os\\nif item['n'] == '42' and not os.path.exists('go'): raise ValueError('stop')\\nreturn item\"",
    );
    let sandbox = Sandbox::with(&workflow).file("a.csv", &text);
    sandbox.run(&["-j", "1"]).exits_with(3);
    let before = read_by_python(&sandbox, "bad.csv").len();
    assert!((1..6).contains(&before), "{before} rows before the stop");
    fs::write(sandbox.path().join("go"), "").unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["6 bad rows written to `bad.csv`"]);
    let lines = |rows: Vec<Value>| rows.into_iter().map(|row| row["line"].clone()).collect::<Vec<_>>();
    assert_eq!(lines(read_by_python(&sandbox, "bad.csv")), ["7", "17", "27", "37", "47", "57"]);
    // A file that is gone is written again.
    fs::remove_file(sandbox.path().join("bad.csv")).unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(read_by_python(&sandbox, "bad.csv").len(), 6);
    // Without bad rows, none are left from before.
    fs::write(sandbox.path().join("a.csv"), "n\n1\n").unwrap();
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.read("bad.csv"), "file,line,reason,text\n");
}

#[test]
fn secrets_in_saved_rows_are_masked() {
    let workflow = saved("csv: a.csv, delimiter: '::'", "").replace("steps:", "secrets: [TOKEN]\nsteps:");
    let sandbox = Sandbox::with(&workflow).file("a.csv", "n::m\n1::2\nhush-hush\n").env("TOKEN", "hush-hush");
    sandbox.run(&[]).exits_with(0);
    assert!(!sandbox.read("bad.csv").contains("hush"), "{}", sandbox.read("bad.csv"));
    assert!(sandbox.read("bad.csv").ends_with(",***\n"));
}

#[test]
fn a_wrong_place_for_bad_rows_is_refused_with_the_way_out() {
    let refused = |option: &str, more: &str, says: &[&str]| {
        let sandbox = Sandbox::with(&reads(&format!("csv: a.csv, on_bad_row: {option}"), more)).file("a.csv", "x\n1\n");
        sandbox.run(&[]).exits_with(2).says(says);
    };
    refused("{save: bad.txt}", "", &["`save` must end in `.csv` or `.jsonl`", "workflow.yaml:5:", "{save: bad.csv}"]);
    refused("{save: bad.parquet}", "", &["`save` must end in"]);
    refused("{save: ''}", "", &["`save` is empty"]);
    refused("{}", "", &["missing key `save`"]);
    refused("{safe: bad.csv}", "", &["unknown key `safe`", "did you mean `save`?"]);
    refused("{save: '{{ params.x }}.csv'}", "", &["x"]);
    refused("7", "", &["`on_bad_row` must be a word, or a mapping with `save`", "{save: bad.csv}"]);
    refused("keep", "", &["unknown value `keep` for `on_bad_row`"]);
    let outputs = "\n    outputs: {path: o.csv}";
    refused("{save: ./o.csv}", outputs, &["`save`: the step also writes its results to `./o.csv`"]);
}
