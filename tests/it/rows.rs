//! Rows of CSV and JSON Lines files: what is read of them.

use crate::support::{Sandbox, python, repository};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;

/// A workflow of one step that gives each row back.
pub fn reads(items: &str, more: &str) -> String {
    let step = "steps:\n  - name: read\n    task: batch\n    inputs:\n";
    format!("{step}      items: {{{items}}}\n      task: {{type: python, code: return item}}\n      {more}\n")
}

/// The rows that a sandbox with such a workflow gives.
pub fn rows(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.run(&["--progress", "none"]).exits_with(0);
    sandbox.results("read")
}

/// What stands in `a.csv`, read so.
fn rows_of(text: impl AsRef<[u8]>, options: &str) -> Vec<Value> {
    rows(&Sandbox::with(&reads(&format!("csv: a.csv, {options}"), "")).file("a.csv", text))
}

pub fn run_python(sandbox: &Sandbox, arguments: &[&str]) {
    let output = Command::new(python()).args(arguments).current_dir(sandbox.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Hundreds of files from Python's own `csv` module, read by each way that rows can take.
#[test]
#[ignore = "heavy: takes seconds"]
fn rows_are_those_of_pythons_csv() {
    const WAYS: [&str; 6] = [
        "batch_size: 1\n      batched: true\n      max_parallel: 2",
        "batch_size: 1",
        "batch_size: 3\n      batched: true",
        "batch_size: 3\n      batched: false\n      max_parallel: 2",
        "batch_size: 1000\n      batched: true\n      max_parallel: 2",
        "batch_size: 1000\n      batched: false",
    ];
    let mut workflow = "steps:\n".to_owned();
    for (number, way) in WAYS.iter().enumerate() {
        let _ = write!(
            workflow,
            "  - name: way{number}\n    task: batch\n    inputs:\n      items: {{csv: data/*.csv, on_schema_drift: group}}
      task: {{type: python, code: return item}}\n      {way}\n"
        );
    }
    let sandbox = Sandbox::with(&workflow);
    let script = repository().join("tests/support/csvs.py");
    run_python(&sandbox, &[script.to_str().unwrap(), "data", "100"]);
    let expected: Vec<Value> =
        sandbox.read("data.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(expected.len() > 400);
    sandbox.run(&["--progress", "none"]).exits_with(0);
    for (number, way) in WAYS.iter().enumerate() {
        same(&sandbox.results(&format!("way{number}")), &expected, way);
    }
}

/// Compares values, and the order of their names.
#[track_caller]
fn same(found: &[Value], expected: &[Value], what: &str) {
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.to_string(), expected.to_string(), "row {row}, {what}");
    }
    assert_eq!(found.len(), expected.len(), "{what}");
}

#[test]
#[ignore = "heavy: takes seconds"]
fn other_delimiters_and_quotes_are_those_of_pythons_csv() {
    let script = repository().join("tests/support/csvs.py");
    for (delimiter, quote, options) in [
        (";", "'", "delimiter: ';', quote: \"'\""),
        ("\t", "\"", "delimiter: tab"),
        ("|", "none", "delimiter: '|', quote: none"),
    ] {
        let items = format!("csv: data/*.csv, on_schema_drift: group, {options}");
        let sandbox = Sandbox::with(&reads(&items, "batch_size: 7"));
        run_python(&sandbox, &[script.to_str().unwrap(), "data", "50", delimiter, quote]);
        let expected: Vec<Value> =
            sandbox.read("data.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(expected.len() > 100);
        same(&rows(&sandbox), &expected, options);
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn rows_of_real_data_are_those_of_pandas() {
    let flights = repository().join("fixtures/flights");
    let sandbox = Sandbox::with(&reads(
        &format!("csv: '{}/2013-01-0*.csv'", flights.display()),
        "batch_size: 1000\n      max_parallel: 2",
    ));
    let code = "import glob, json, pandas, sys
for path in sorted(glob.glob(sys.argv[1] + '/2013-01-0*.csv')):
    for row in pandas.read_csv(path, dtype=str, keep_default_na=False).to_dict('records'):
        print(json.dumps(row))";
    let output = Command::new(python()).args(["-c", code]).arg(&flights).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(expected.len() > 7000);
    same(&rows(&sandbox), &expected, "flights");
}

/// A workflow that shows the types of the values of its rows.
fn types_of(text: &str, options: &str) -> Vec<Value> {
    let workflow = reads(&format!("csv: a.csv, {options}"), "")
        .replace("code: return item", "code: 'return [[type(it).__name__, str(it)] for it in item.values()]'");
    rows(&Sandbox::with(&workflow).file("a.csv", text))
}

#[test]
fn columns_have_the_types_that_are_given() {
    let text = "t,i,n,b,d,dt\n\
                7,-007,2.50,TRUE,2026-01-31,2026-01-31T10:00:00Z\n\
                ,,,,,\n\
                NA,NA,NA,NA,NA,NA\n\
                \" x\", 123456789012345678901234567890 ,-1e3,false,0001-01-01,2026-01-31 10:00:00.25+02:00\n";
    let options = "types: {i: integer, n: number, b: boolean, d: date, dt: datetime}, null: [NA]";
    let none = json!(["NoneType", "None"]);
    assert_eq!(
        types_of(text, options),
        [
            json!([
                ["str", "7"],
                ["int", "-7"],
                ["float", "2.5"],
                ["bool", "True"],
                ["date", "2026-01-31"],
                ["datetime", "2026-01-31 10:00:00+00:00"]
            ]),
            json!([["str", ""], none, none, none, none, none]),
            json!([none, none, none, none, none, none]),
            json!([
                ["str", " x"],
                ["int", "123456789012345678901234567890"],
                ["float", "-1000.0"],
                ["bool", "False"],
                ["date", "0001-01-01"],
                ["datetime", "2026-01-31 10:00:00.250000+02:00"]
            ]),
        ]
    );
}

#[test]
fn types_are_inferred_from_the_first_file() {
    let text = "zip,n,f,b,d,t,nothing\n01234,1,1,true,2026-01-31,x,\n98765,,2.5,False,,-,\n";
    let types: Vec<Value> =
        types_of(text, "types: infer, null: '-'")[0].as_array().unwrap().iter().map(|value| value[0].clone()).collect();
    assert_eq!(types, ["str", "int", "float", "bool", "date", "str", "str"]);
    // What does not fit later is a bad row, not another type.
    let mut text = "n\n".to_owned() + &"1\n".repeat(10_000);
    text += "x\n";
    let sandbox = Sandbox::with(&reads("csv: a.csv, types: infer", "batch_size: 1000\n      continue_on_error: true"));
    sandbox.file("a.csv", text).run(&[]).exits_with(1).says(&["a.csv:10002: column `n`: \"x\" is not a valid integer"]);
}

#[test]
fn columns_are_kept_named_and_added() {
    assert_eq!(rows_of("a,b,c\n1,2,3\n", "columns: [c, a]")[0].to_string(), r#"{"c":"3","a":"1"}"#);
    assert_eq!(rows_of("1,2\n3,4\n", "header: false")[1].to_string(), r#"{"column_1":"3","column_2":"4"}"#);
    assert_eq!(rows_of("1,2\n3,4\n", "header: [x, y], columns: [y]")[0].to_string(), r#"{"y":"2"}"#);
    assert_eq!(rows_of("a\n1\n", "where_from: file")[0].to_string(), r#"{"a":"1","file":"a.csv"}"#);
    assert_eq!(
        rows_of("a,b\n1,2\n", "where_from: file, columns: [file, b]")[0].to_string(),
        r#"{"file":"a.csv","b":"2"}"#
    );
}

#[test]
fn limit_and_skip_count_the_rows_of_all_files_together() {
    let read = |options: &str| -> String {
        let sandbox = Sandbox::with(&reads(&format!("csv: [a.csv, b.csv], {options}"), "batch_size: 2"));
        let sandbox = sandbox.file("a.csv", "n\n1\n2\n3\n").file("b.csv", "n\n4\n5\n6\n");
        rows(&sandbox).iter().map(|row| row["n"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(read("limit: 4"), "1234");
    assert_eq!(read("skip: 2"), "3456");
    assert_eq!(read("skip: 4, limit: 1"), "5");
    assert_eq!(read("skip: 3"), "456");
}

#[test]
fn other_encodings_are_decoded() {
    let text = "n\nné€\n";
    let (windows, _, _) = encoding_rs::WINDOWS_1252.encode(text);
    assert_eq!(rows_of(&windows, "encoding: windows-1252"), [json!({"n": "né€"})]);
    let utf16: Vec<u8> = format!("\u{feff}{text}😀\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(rows_of(&utf16, "encoding: utf-16le"), [json!({"n": "né€"}), json!({"n": "😀"})]);
    let (japanese, _, _) = encoding_rs::SHIFT_JIS.encode("n\n日本\n");
    assert_eq!(rows_of(&japanese, "encoding: shift_jis"), [json!({"n": "日本"})]);
}

#[test]
fn compressed_files_are_read() {
    let text = "n\n1\n2\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
    // Compressed files one behind the other are one.
    let twice = [gzip.clone(), gzip.clone()].concat();
    let read = |name: &str, bytes: &[u8], options: &str| {
        let sandbox = Sandbox::with(&reads(&format!("csv: {name}, {options}"), "")).file(name, bytes);
        rows(&sandbox).len()
    };
    assert_eq!(read("a.csv.gz", &gzip, ""), 2);
    assert_eq!(read("a.csv.gz", &twice, ""), 5);
    assert_eq!(read("a.csv.zst", &zstd, ""), 2);
    assert_eq!(read("a.csv", &zstd, "compression: zstd"), 2);
    assert_eq!(read("a.csv.gz", text.as_bytes(), "compression: none"), 2);
}

#[test]
fn files_that_differ_in_columns_stop_grow_or_stay_apart() {
    let sandbox = |options: &str| {
        Sandbox::with(&reads(&format!("csv: '*.csv', {options}"), "batch_size: 10"))
            .file("a.csv", "x,y\n1,2\n")
            .file("b.csv", "x,z\n3,4\n")
            .file("c.csv", "y,x\n5,6\n")
    };
    sandbox("").run(&[]).exits_with(2).says(&[
        "the columns of `b.csv` differ from those of `a.csv`: it lacks `y` and adds `z`",
        "`on_schema_drift: union` or `group`",
        "workflow.yaml:5:14",
    ]);
    let group = rows(&sandbox("on_schema_drift: group"));
    assert_eq!(group, [json!({"x": "1", "y": "2"}), json!({"x": "3", "z": "4"}), json!({"y": "5", "x": "6"})]);
    let union = rows(&sandbox("on_schema_drift: union"));
    let row = |x: &str, y: Option<&str>, z: Option<&str>| json!({"x": x, "y": y, "z": z});
    assert_eq!(union, [row("1", Some("2"), None), row("3", None, Some("4")), row("6", Some("5"), None)]);
    // Only the order differs, and the columns that are kept are in both.
    let sandbox = Sandbox::with(&reads("csv: '*.csv', columns: [x], on_schema_drift: group", ""))
        .file("a.csv", "x,y\n1,2\n")
        .file("b.csv", "y,x\n3,4\n");
    assert_eq!(rows(&sandbox), [json!({"x": "1"}), json!({"x": "4"})]);
}

#[test]
fn paths_may_come_from_parameters_and_earlier_steps() {
    let workflow = "
params: {folder: data, most: 2}
steps:
  - {name: find, task: shell, inputs: {command: 'echo data/a.csv'}}
  - name: shell
    task: batch
    inputs:
      items: {csv: '{{ folder }}/*.csv', limit: '{{ most }}', types: {n: integer, d: date}}
      max_parallel: 2
      batch_size: 5
      task: {type: shell, command: \"printf '%s|' {{ item.name }} {{ item.n + 1 }} {{ item.d }}\"}
  - name: echo
    task: batch
    inputs:
      items: {csv: '{{ steps.find.result.stdout | trim }}', skip: '{{ most - 1 }}'}
      task: {type: echo, message: '{{ item.name }} {{ batch.size }}'}
";
    let text = "name,n,d\n\"it's $(touch x) \"\"\",1,2026-01-31\n\"two\nlines\",2,\nc,3,\n";
    let sandbox = Sandbox::with(workflow).file("data/a.csv", text);
    sandbox.run(&[]).exits_with(0);
    let said: Vec<Value> = sandbox.results("shell").iter().map(|result| result["stdout"].clone()).collect();
    assert_eq!(said, ["it's $(touch x) \"|2|2026-01-31|", "two\nlines|3|null|"]);
    assert!(!sandbox.exists("x"));
    assert_eq!(sandbox.results("echo"), ["two\nlines 1", "c 1"]);
    sandbox
        .run(&["most=0"])
        .exits_with(3)
        .says(&["`limit` must be at least 1 (from `{{ most }}`)", "workflow.yaml:8:14"]);
    sandbox.run(&["folder=none"]).exits_with(4);
}

#[test]
fn requests_are_made_for_rows() {
    let server =
        crate::support::Server::start(|request| (200, Vec::new(), format!("{} {}", request.url, request.body)));
    let url = server.url("/{{ item.id | urlencode }}");
    let workflow = format!(
        "steps:\n  - name: call\n    task: batch\n    inputs:\n      items: {{csv: a.csv, types: {{n: integer}}}}
      max_parallel: 2\n      task: {{type: http_request, url: '{url}', json: '{{{{ item }}}}'}}\n"
    );
    let sandbox = Sandbox::with(&workflow).file("a.csv", "id,n\na b,1\nc,2\n");
    sandbox.run(&[]).exits_with(0);
    let bodies: Vec<Value> = sandbox.results("call").iter().map(|result| result["body"].clone()).collect();
    assert_eq!(bodies, ["/a%20b {\"id\":\"a b\",\"n\":1}", "/c {\"id\":\"c\",\"n\":2}"]);
}
