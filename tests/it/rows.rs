//! Rows of CSV and JSON Lines files: what is read of them, what of them is wrong, and going on with them.

use crate::support::{Ended, Sandbox, python, repository};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};

/// A workflow of one step that gives each row back.
fn reads(items: &str, more: &str) -> String {
    let step = "steps:\n  - name: read\n    task: batch\n    inputs:\n";
    format!("{step}      items: {{{items}}}\n      task: {{type: python, code: return item}}\n      {more}\n")
}

/// The rows that a sandbox with such a workflow gives.
fn rows(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.run(&["--progress", "none"]).exits_with(0);
    sandbox.results("read")
}

/// What stands in `a.csv`, read so.
fn rows_of(text: impl AsRef<[u8]>, options: &str) -> Vec<Value> {
    rows(&Sandbox::with(&reads(&format!("csv: a.csv, {options}"), "")).file("a.csv", text))
}

fn run_python(sandbox: &Sandbox, arguments: &[&str]) {
    let output = Command::new(python()).args(arguments).current_dir(sandbox.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Hundreds of files from Python's own `csv` module, read by each way that rows can take.
#[test]
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
    sandbox.file("a.csv", text).run(&[]).exits_with(1).says(&["a.csv:10002: column `n`: \"x\" is no integer"]);
}

/// A row that jiff reads as a date, but that Python has no value for, is a bad row like any other.
#[test]
fn values_that_python_has_no_room_for_are_bad_rows() {
    let text = "d,t\n0000-01-01,\n,2026-06-30T23:59:60Z\n2026-01-01,2026-01-01T00:00:00\n";
    let items = "csv: a.csv, types: {d: date, t: datetime}";
    let sandbox = Sandbox::with(&reads(items, "batch_size: 10\n      continue_on_error: true")).file("a.csv", text);
    sandbox.run(&[]).exits_with(1).says(&["is no date", "is no datetime"]);
    assert_eq!(sandbox.results("read").len(), 1);
    assert!(sandbox.failures().iter().all(|failure| failure["type"] == "BadRow"));
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
fn bytes_that_the_encoding_does_not_know_are_bad_rows() {
    let bad = |bytes: &[u8], options: &str| {
        let items = format!("csv: a.csv, {options}");
        let sandbox =
            Sandbox::with(&reads(&items, "batch_size: 9\n      continue_on_error: true")).file("a.csv", bytes);
        sandbox.run(&[]).exits_with(1).says(&["a.csv:3: column `n` has bytes", "give the file's `encoding`"]);
        assert_eq!(sandbox.results("read").len(), 2);
    };
    bad(b"n\nok\nn\xe9\nok\n", "");
    bad(b"n\nok\n\x81\x00\nok\n", "encoding: shift_jis");
    let mut utf16: Vec<u8> = "n\nok\nX\nok\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    // Half of a pair.
    utf16[10..12].copy_from_slice(&[0x00, 0xd8]);
    bad(&utf16, "encoding: utf-16le");
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
        "`b.csv` has other columns than `a.csv`: it lacks `y` and has `z`",
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

/// Rows of another length, in a file of a hundred.
fn ragged(on_bad_row: &str, more: &str) -> (Sandbox, Ended) {
    let mut text = "a,b\n".to_owned();
    for row in 0..100 {
        text += match row {
            10 => "1\n",
            50 => "1,2,3\n",
            90 => "\"1\n\",2,3\n",
            _ => "1,2\n",
        };
    }
    let items = format!("csv: a.csv, on_bad_row: {on_bad_row}");
    let sandbox = Sandbox::with(&reads(&items, &format!("batch_size: 20\n      {more}"))).file("a.csv", text);
    let ended = sandbox.run(&["--format", "json"]);
    (sandbox, ended)
}

#[test]
fn bad_rows_fail_are_left_out_or_stop_the_step() {
    let (sandbox, ended) = ragged("fail", "continue_on_error: true");
    let ended = ended.exits_with(1).says(&[
        "a.csv:12: 1 fields, and the header has 2",
        "a.csv:52: 3 fields, and the header has 2",
        "a.csv:92: 3 fields, and the header has 2",
    ]);
    let stats = &ended.json()["steps"]["read"]["stats"];
    assert_eq!((&stats["total"], &stats["succeeded"], &stats["failed"]), (&json!(100), &json!(97), &json!(3)));
    assert_eq!(sandbox.results("read").len(), 97);
    let failures = sandbox.failures();
    assert_eq!(failures[2]["index"], 90);
    assert_eq!(failures[2]["item"], "\"1\n\",2,3");

    let (sandbox, ended) = ragged("skip", "");
    let stats = &ended.exits_with(0).json()["steps"]["read"]["stats"];
    assert_eq!((&stats["succeeded"], &stats["failed"], &stats["bad_rows"]), (&json!(97), &json!(0), &json!(3)));
    assert_eq!(sandbox.failures().len(), 3, "they are listed");
    sandbox.batchmill(&["audit"]).exits_with(0);
    let again = sandbox.batchmill(&["resume", "--format", "json"]).exits_with(0).json();
    assert_eq!(again["steps"]["read"]["stats"]["bad_rows"], 3);

    let (_, ended) = ragged("error", "continue_on_error: true");
    ended.exits_with(3).says(&["a.csv:12: 1 fields"]);
    let (_, ended) = ragged("fail", "");
    ended.exits_with(3).says(&["a.csv:12: 1 fields"]);
}

#[test]
fn lines_of_json_are_items_and_bad_ones_are_told() {
    let text = "\u{feff}{\"a\": 1}\n\n  [1, 2]  \r\n{\"a\": \n\"text\"\n{\"big\": 12345678901234567890123}\n{\"a\": NaN}\nnull";
    for more in ["batch_size: 10\n      batched: true", "batch_size: 1"] {
        let more = format!("continue_on_error: true\n      {more}");
        let sandbox = Sandbox::with(&reads("jsonl: a.jsonl", &more)).file("a.jsonl", text);
        sandbox.run(&[]).exits_with(1).says(&["a.jsonl:4: no JSON", "a.jsonl:7: no JSON"]);
        let results = sandbox.batchmill(&["results", "--step", "read"]).stdout;
        assert_eq!(results, "{\"a\":1}\n[1,2]\n\"text\"\n{\"big\":12345678901234567890123}\nnull\n", "{more}");
    }
}

#[test]
fn files_that_cannot_be_read_fail_alone() {
    let mut sandbox = Sandbox::with(&reads(
        "csv: data/*.csv*, on_bad_row: ON",
        "batch_size: 2\n      continue_on_error: true\n      max_parallel: 2",
    ));
    for file in 0..400 {
        sandbox = sandbox.file(&format!("data/{file:03}.csv"), format!("n\n{file}\n"));
    }
    let data = sandbox.path().join("data");
    fs::create_dir(data.join("400.csv")).unwrap();
    fs::remove_file(data.join("123.csv")).unwrap();
    std::os::unix::fs::symlink("nowhere", data.join("123.csv")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    let text = "n\n".to_owned() + &"1\n".repeat(40_000);
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    fs::write(data.join("200.csv.gz"), &gzip[..gzip.len() / 2]).unwrap();
    fs::write(data.join("201.csv.gz"), "no gzip").unwrap();
    fs::write(data.join("300.csv"), "n\n1\n\"2\n3\n").unwrap();
    let workflow = sandbox.read("workflow.yaml");
    // A file is more than a row: it is not left out.
    for on_bad_row in ["fail", "skip"] {
        let paths = "csv: [data/*.csv, data/123.csv, data/400.csv, data/*.gz], on_bad_row: ON";
        let text =
            workflow.replace("csv: data/*.csv*, on_bad_row: ON", paths).replace("ON}", &format!("{on_bad_row}}}"));
        fs::write(sandbox.path().join("workflow.yaml"), text).unwrap();
        sandbox.run(&["--progress", "none"]).exits_with(1);
        let failures = sandbox.failures();
        let mut messages: Vec<&str> = failures.iter().map(|failure| failure["error"].as_str().unwrap()).collect();
        messages.sort_unstable();
        assert!(failures.iter().all(|failure| failure["type"] == "BadFile"), "{failures:?}");
        assert_eq!(messages.len(), 5, "{messages:?}");
        assert_eq!(messages[0], "data/123.csv: No such file or directory (os error 2)");
        assert_eq!(messages[1], "data/200.csv.gz: it is cut short: the compressed data ends too early");
        assert!(messages[2].starts_with("data/201.csv.gz: "), "{messages:?}");
        assert_eq!(messages[3], "data/300.csv: a quote in the record at line 3 is not closed before the end");
        assert_eq!(messages[4], "data/400.csv: it is a folder");
        let results = sandbox.results("read");
        assert!(results.len() > 399 + 8_000, "what is whole of the file that is cut short is there: {}", results.len());
        sandbox.batchmill(&["audit"]).exits_with(0);
    }
    // Repaired, they are read; what was done stays.
    fs::remove_file(data.join("123.csv")).unwrap();
    fs::write(data.join("123.csv"), "n\n123\n").unwrap();
    let json = sandbox.batchmill(&["resume", "--format", "json"]).exits_with(1).json();
    assert_eq!(json["steps"]["read"]["stats"]["failed"], 4);
}

#[test]
fn nothing_runs_where_no_file_can_be_read() {
    for items in ["csv: none.csv", "jsonl: none.jsonl", "csv: [none.csv, workflow]", "jsonl: [none.jsonl, workflow]"] {
        let sandbox = Sandbox::with(&reads(items, "")).file("workflow/x", "");
        sandbox.run(&[]).exits_with(2).says(&["cannot read `none.", "No such file"]);
    }
    Sandbox::with(&reads("csv: 'none-*.csv'", "")).run(&[]).exits_with(4);
    Sandbox::with(&reads("csv: a.csv", "")).file("a.csv", "only,a,header\n").run(&[]).exits_with(4);
}

#[test]
fn a_quote_that_is_never_closed_costs_its_record_only() {
    let mut text = "n,text\n".to_owned();
    for row in 0..200_000 {
        let _ = writeln!(text, "{row},{}", if row == 100_000 { "\"open" } else { "closed" });
    }
    let more = "batch_size: 1000\n      continue_on_error: true";
    let sandbox = Sandbox::with(&reads("csv: a.csv", more)).file("a.csv", &text);
    sandbox.run(&[]).exits_with(1).says(&["a quote in the record at line 100002 is not closed before the end"]);
    assert_eq!(sandbox.results("read").len(), 100_000);
    // Beyond 64 MiB nobody waits for the end.
    let text = text + &"x".repeat(70 << 20) + "\"\n";
    let sandbox = sandbox.file("a.csv", text);
    sandbox
        .run(&[])
        .exits_with(1)
        .says(&["the record at line 100002 is longer than 64 MiB; is a quote not closed there?"]);
}

#[test]
fn columns_that_are_missing_are_told_before_anything_runs() {
    let refused = |options: &str, says: &[&str]| {
        let sandbox = Sandbox::with(&reads(&format!("csv: a.csv, {options}"), "")).file("a.csv", "x,y\n1,2\n");
        sandbox.run(&[]).exits_with(2).says(says).says(&["workflow.yaml:5:14"]);
    };
    refused("columns: [z]", &["`columns` names `z`, and the columns are `x`, `y`"]);
    refused("types: {z: integer}", &["`types` names `z`, and the columns are `x`, `y`"]);
    refused("where_from: x", &["`where_from` is `x`, and the files have a column of that name"]);
    refused("header: [a, b, c]", &["its rows have 2 fields, and `header` names 3"]);
    let sandbox = Sandbox::with(&reads("csv: a.csv", "")).file("a.csv", "x,y,x\n1,2,3\n");
    sandbox.run(&[]).exits_with(2).says(&["its header has the column `x` twice; name the columns with `header`"]);
}

#[test]
fn options_with_wrong_values_are_faults_with_their_places() {
    let table = [
        ("columns: x", "`columns` must be a list of column names; found the string \"x\""),
        ("columns: []", "`columns` is empty"),
        ("columns: [x, x]", "`columns` names `x` twice"),
        ("types: text", "`types` must be one of `infer`"),
        ("types: {x: float}", "`x` must be one of `text`, `integer`"),
        ("types: [x]", "`types` must be `infer`, or a mapping"),
        ("delimiter: ab", "`delimiter` must be one ASCII character, or `tab`"),
        ("delimiter: 'é'", "`delimiter` must be one ASCII character, or `tab`"),
        ("quote: ''", "`quote` must be one ASCII character, or `none`"),
        ("quote: ','", "`csv` has the same character for `quote` and `delimiter`"),
        ("header: first", "`header` must be `true`, `false` or a list of column names"),
        ("encoding: utf-9", "`encoding` names no encoding: \"utf-9\""),
        ("compression: zip", "`compression` must be one of `auto`, `none`, `gzip`, `zstd`"),
        ("where_from: '{{ x }}'", "`where_from` cannot be a template"),
        ("limit: 0", "`limit` must be at least 1"),
        ("skip: -1", "`skip` must not be negative"),
        ("skip: few", "`skip` must be an integer"),
        ("on_bad_row: ignore", "`on_bad_row` must be one of `fail`, `skip`, `error`"),
        ("on_schema_drift: merge", "`on_schema_drift` must be one of `error`, `group`, `union`"),
        ("colums: [x]", "unknown key `colums`"),
        ("jsonl: b.jsonl", "`items` has more than one source"),
    ];
    for (option, message) in table {
        let workflow = reads(&format!("csv: a.csv, {option}"), "");
        let line = workflow.lines().nth(4).unwrap();
        // A fault stands at the value, or at the key where that is unknown.
        let value = option.split_once(": ").unwrap().1;
        let needle = match message.split('`').next().unwrap() {
            "unknown key " => option,
            _ if message.starts_with("`csv`") => "a.csv",
            _ if message.starts_with("`items`") => "{",
            _ if message.starts_with("`x`") => "float",
            _ => value,
        };
        let place = format!("workflow.yaml:5:{}", line.rfind(needle).unwrap() + 1);
        let sandbox = Sandbox::with(&workflow).file("a.csv", "x\n1\n");
        sandbox.run(&[]).exits_with(2).says(&[message, &place]);
        assert!(!sandbox.exists(".batchmill"));
    }
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
    assert_eq!(said, ["it's $(touch x) \"|2|2026-01-31|", "two\nlines|3|None|"]);
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

/// The rows that were run since the last call.
fn ran(sandbox: &Sandbox) -> Vec<usize> {
    let path = sandbox.path().join("ran");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(&path);
    let mut rows: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
    rows.sort_unstable();
    rows
}

#[test]
fn a_run_over_rows_goes_on_however_often_it_is_killed() {
    const ROWS: usize = 6000;
    let mut sandbox = Sandbox::with(NOTES);
    for file in 0..3 {
        let rows = (file * ROWS / 3..(file + 1) * ROWS / 3).fold(String::new(), |text, row| text + &format!("{row}\n"));
        sandbox = sandbox.file(&format!("data/{file}.csv"), format!("n\n{rows}"));
    }
    let mut arguments = vec!["run", "workflow.yaml", "--progress", "json"];
    let (mut kills, mut events) = (0, 3);
    loop {
        let mut engine = sandbox.command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(engine.stderr.take().unwrap()).lines().map_while(Result::ok);
        events = events % 60 + 17;
        if lines.take(events).count() == events {
            engine.kill().unwrap();
            kills += 1;
        }
        let status = engine.wait().unwrap();
        sandbox.has_no_process();
        if status.code() == Some(0) {
            break;
        }
        arguments = vec!["resume", "--progress", "json"];
    }
    assert!(kills >= 5, "only {kills} kills");
    let ran = ran(&sandbox);
    assert!(ran.len() < ROWS + kills * 2 * 300, "{} rows ran, after {kills} kills", ran.len());
    let results: Vec<u64> = sandbox.results("read").iter().map(|result| result.as_u64().unwrap()).collect();
    assert!(results == (0..ROWS as u64).map(|row| row * 2).collect::<Vec<_>>());
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
fn only_files_that_changed_or_are_new_run_again() {
    let sandbox = Sandbox::with(NOTES).file("data/a.csv", "n\n1\n2\n").file("data/b.csv", "n\n3\n4\n");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(ran(&sandbox), [1, 2, 3, 4]);
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert!(ran(&sandbox).is_empty());
    let sandbox = sandbox.file("data/b.csv", "n\n3\n5\n6\n").file("data/0.csv", "n\n7\n");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(ran(&sandbox), [3, 5, 6, 7]);
    assert_eq!(sandbox.results("read"), [14, 2, 4, 6, 10, 12]);
    fs::remove_file(sandbox.path().join("data/a.csv")).unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert!(ran(&sandbox).is_empty());
    assert_eq!(sandbox.results("read"), [14, 6, 10, 12]);
    // How rows are read is a part of what they are.
    let workflow = NOTES.replace("n: integer", "n: number");
    let sandbox = sandbox.file("workflow.yaml", workflow.replace("row['n']", "int(row['n'])"));
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(ran(&sandbox), [3, 5, 6, 7]);
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
    sandbox.batchmill(&["repro", "latest", "2"]).exits_with(1).says(&["a.csv:4: 1 fields, and the header has 2"]);
    let sandbox = sandbox.env("GOOD", "2");
    let key = failures[2]["key"].as_str().unwrap();
    sandbox.batchmill(&["retry", "--only", key]).exits_with(1);
    assert_eq!(sandbox.results("read"), [json!([10]), json!([2]), json!([5])]);
    sandbox.batchmill(&["retry"]).exits_with(1).says(&["a.csv:4: 1 fields"]);
    assert_eq!(sandbox.failures().len(), 1);

    let sandbox = Sandbox::with(&workflow.replace("BATCHED", "true")).file("a.csv", text);
    sandbox.run(&[]).exits_with(1);
    assert_eq!(sandbox.failures().len(), 5, "the batches of two rows failed as they are, and so did the bad row");
    sandbox.batchmill(&["repro", "latest", "2"]).exits_with(1).says(&["a.csv:4: 1 fields, and the header has 2"]);
    let sandbox = sandbox.env("GOOD", "2");
    sandbox.batchmill(&["retry"]).exits_with(1);
    assert_eq!(sandbox.results("read"), [10, 5, 2, 5]);
    sandbox.batchmill(&["audit"]).exits_with(0);
}

/// The most memory that a process has held, in MiB.
pub fn high_water(process: &str) -> Option<u64> {
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
fn going_on_holds_few_large_rows() {
    let workflow = NOTES
        .replace("data/*.csv', types: {n: integer}", "data/*.csv', skip: 20")
        .replace("batch_size: 10", "batch_size: 1\n      batched: true");
    let workflow = workflow
        .replace("log = open('ran', 'a', buffering=1)", "log = None")
        .replace("print(row['n'], file=log)", "1 // (row['n'] != 'no')")
        .replace("return [row['n'] * 2 for row in item]", "return 1");
    let wide = |row: usize| format!("{},{}\n", if row % 50 == 49 { "no" } else { "yes" }, "x".repeat(1 << 18));
    let text = (0..400).fold("n,text\n".to_owned(), |text, row| text + &wide(row));
    let sandbox = Sandbox::with(&workflow).file("data/a.csv", text);
    let (code, _) = memory(&sandbox, &["run", "workflow.yaml", "--progress", "json"]);
    assert_eq!(code, Some(1));
    let (code, engine) = memory(&sandbox, &["resume", "--progress", "json"]);
    assert_eq!(code, Some(1));
    assert_eq!(sandbox.failures().len(), 8);
    assert!((1..80).contains(&engine), "the engine held {engine} MiB to go on");
}

#[test]
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
