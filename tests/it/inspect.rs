//! Files of rows looked at before a run: `inspect`, the totals of `plan`, and how far a run has come in bytes.

use crate::support::{Ended, Sandbox, repository};
use serde_json::{Value, json};
use std::io::Write as _;

const HEADER: &str = "id,name,day\n";

/// Rows of three columns, each with a name of its own.
fn rows(count: usize) -> String {
    (0..count).map(|row| format!("{row},n{row},2026-01-{:02}\n", row % 28 + 1)).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

/// Four files that are alike.
fn even() -> Sandbox {
    let text = format!("{HEADER}{}", rows(5));
    let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
    let sandbox = Sandbox::new().file("data/a.csv", &text).file("data/b.csv", format!("\u{FEFF}{text}"));
    sandbox.file("data/c.csv.gz", gzip(&text)).file("data/d.csv.zst", packed)
}

fn inspect(sandbox: &Sandbox) -> Ended {
    sandbox.batchmill(&["inspect", "data/*", "--format", "json"])
}

/// What is odd about the one file that is.
#[track_caller]
fn odd(sandbox: &Sandbox) -> Value {
    let json = inspect(sandbox).exits_with(1).json();
    assert_eq!(json["odd"].as_array().unwrap().len(), 1, "{:#}", json["odd"]);
    json["odd"][0]["odd"].clone()
}

/// A workflow that counts the rows that its snippet reads, and how often each type came.
fn reading(items: &str) -> String {
    let items: String = items.lines().map(|line| format!("      {line}\n")).collect();
    let code = "return ' '.join(type(value).__name__ for value in item.values())";
    format!(
        "steps:\n  - name: work\n    task: batch\n    inputs:\n{items}      batched: false\n      task: {{type: python, code: \"{code}\"}}\n"
    )
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_month_of_flights_is_even_and_its_snippet_runs() {
    let flights = repository().join("fixtures/flights/*.csv");
    let sandbox = Sandbox::new();
    let json = sandbox.batchmill(&["inspect", flights.to_str().unwrap(), "--format", "json"]).exits_with(0).json();
    assert_eq!((&json["rows"], json["files"].as_array().unwrap().len()), (&json!(27_004), 31));
    let group = &json["groups"][0];
    assert_eq!(json["groups"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&group["delimiter"], &group["header"], &group["encoding"]),
        (&json!(","), &json!(true), &json!("utf-8"))
    );
    let kind = |name: &str| {
        let columns = group["columns"].as_array().unwrap();
        columns.iter().find(|column| column["name"] == name).unwrap()["type"].as_str().unwrap().to_owned()
    };
    let kinds = ["year", "dep_delay", "carrier", "time_hour"].map(kind);
    assert_eq!(kinds, ["integer", "integer", "text", "datetime"]);

    let items = json["items"].as_str().unwrap();
    let sandbox = sandbox.file("workflow.yaml", reading(items));
    sandbox.batchmill(&["run", "workflow.yaml", "--max-items", "1"]).exits_with(0);
    let types = sandbox.results("work")[0].as_str().unwrap().to_owned();
    assert!(types.starts_with("int int int int") && types.ends_with("int int datetime"), "{types}");
}

#[test]
fn files_that_are_alike_form_one_group_whatever_their_compression() {
    let sandbox = even();
    let ended = sandbox.batchmill(&["inspect", "data/*"]).exits_with(0);
    insta::assert_snapshot!(ended.stdout.replace(|c: char| c.is_ascii_digit(), "0"), @r"
    00 rows in 0 files, 000 bytes: CSV, delimiter `,`, header, utf-0
    data/a.csv .. data/d.csv.zst
      column  type
      id      integer
      name    text
      day     date

    to read them, put this under the `inputs` of a batch step:

    items:
      csv: data/*
      types:
        id: integer
        day: date
    ");
    let files = inspect(&sandbox).exits_with(0).json()["files"].clone();
    let of = |name: &str| files.as_array().unwrap().iter().map(|file| file[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("compression"), ["none", "none", "gzip", "zstd"]);
    assert_eq!(of("byte_order_mark"), [false, true, false, false]);
    assert_eq!(of("rows"), [5, 5, 5, 5]);
}

#[test]
fn each_way_to_stand_out_is_named() {
    let row = |name: &str| format!("{HEADER}1,{name},2026-01-01\n");
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode("1,Größe und Länge in €,2026-01-01\n");
    let late = [format!("{HEADER}{}", rows(20_000)).as_bytes(), b"1,K\xF6ln und Z\xFCrich,2026-01-01\n"].concat();
    // The sign for what cannot be read is a letter like any other; half of a pair is none.
    let wide = |name: &str| -> Vec<u8> {
        row(name)
            .encode_utf16()
            .map(|unit| if unit == 0x7E { 0xD800 } else { unit })
            .flat_map(u16::to_le_bytes)
            .collect()
    };
    let packed = gzip(&format!("{HEADER}{}", rows(50_000)));
    let cases: Vec<(&str, Vec<u8>, Value)> = vec![
        ("x.csv", Vec::new(), json!([{ "what": "empty" }])),
        ("x.csv", HEADER.into(), json!([{ "what": "header_only" }])),
        (
            "x.csv",
            format!("{HEADER}1,a,2026-01-01\n2\n3,\"b\nc\",2026-01-01\n4,d,2026-01-01,x\n").into(),
            json!([{ "what": "ragged", "rows": 2, "line": 3 }]),
        ),
        (
            "x.csv",
            [HEADER.as_bytes(), &latin].concat(),
            json!([{ "what": "other_encoding", "encoding": "windows-1252", "most": "UTF-8" }]),
        ),
        ("x.csv", late, json!([{ "what": "other_encoding", "encoding": "windows-1252", "most": "UTF-8" }])),
        (
            "x.csv",
            [&b"\xFF\xFE"[..], &wide("Köln\u{FFFD}")].concat(),
            json!([{ "what": "other_encoding", "encoding": "UTF-16LE", "most": "UTF-8" }]),
        ),
        (
            "x.csv",
            [&b"\xFF\xFE"[..], &wide("Köln~")].concat(),
            json!([
                { "what": "other_encoding", "encoding": "UTF-16LE", "most": "UTF-8" },
                { "what": "undecodable", "rows": 1, "line": 2, "encoding": "UTF-16LE" },
            ]),
        ),
        (
            "x.csv",
            [row("Köln und Zürich").as_bytes(), b"2,\xFF,2026-01-01\n"].concat(),
            json!([{ "what": "undecodable", "rows": 1, "line": 3, "encoding": "UTF-8" }]),
        ),
        (
            "x.csv",
            row("x").replace(',', ";").into(),
            json!([{ "what": "other_delimiter", "delimiter": ";", "most": "," }]),
        ),
        ("x.csv", rows(2).into(), json!([{ "what": "other_header", "header": false }])),
        ("x.csv", "id,name\n1,x\n".into(), json!([{ "what": "other_columns", "lacks": ["day"], "more": [] }])),
        (
            "x.csv",
            "id,name,day,net\n1,x,2026-01-01,5\n".into(),
            json!([{ "what": "other_columns", "lacks": [], "more": ["net"] }]),
        ),
        ("x.csv", "name,id,day\nx,1,2026-01-01\n".into(), json!([{ "what": "other_order" }])),
        ("x.csv.gz", packed[..packed.len() / 2].to_vec(), json!([{ "what": "cut_short" }])),
        ("x.csv", packed, json!([{ "what": "wrong_ending", "named": "none", "is": "gzip" }])),
        (
            "x.csv",
            format!("{HEADER}1,a,2026-01-01\n2,\"b,2026-01-01\n").into(),
            json!([{ "what": "stray_quote", "line": 3 }]),
        ),
        (
            "x.csv",
            format!("\"{HEADER}1,a,2026-01-01\n").into(),
            json!([
                { "what": "other_columns", "lacks": ["id"], "more": ["\"id"] },
                { "what": "stray_quote", "line": 1 },
            ]),
        ),
        ("x.jsonl", b"{\"id\":1}\n".to_vec(), json!([{ "what": "other_format" }])),
    ];
    for (name, bytes, expected) in cases {
        let sandbox = even().file(&format!("data/{name}"), bytes);
        assert_eq!(odd(&sandbox), expected);
    }
}

#[test]
fn where_nothing_can_be_read_the_exit_code_is_2() {
    let sandbox = Sandbox::new().file("data/x.csv.gz", b"\x1F\x8Bthis is no gzip");
    let ended = sandbox.batchmill(&["inspect", "data/x.csv.gz", "gone.csv", "data"]).exits_with(2);
    for says in
        ["gone.csv: cannot be read: No such file", "data: cannot be read: it is a directory", "data/x.csv.gz: cannot"]
    {
        assert!(ended.stdout.contains(says), "{}", ended.stdout);
    }
    sandbox.batchmill(&["inspect", "data/*.json"]).exits_with(2).says(&["no file matches `data/*.json`"]);
}

#[test]
fn the_snippet_reads_what_can_be_read_in_one_way() {
    let text = "größe;wert\nklein;1,5\ngroß;2,5\n";
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode(text);
    let more = "größe;wert;netto\nmittel;3,5;7\n";
    let (more, _, _) = encoding_rs::WINDOWS_1252.encode(more);
    let sandbox = Sandbox::new().file("data/a.csv", &latin).file("data/b.csv", &latin).file("data/c.csv", more);
    let sandbox = sandbox.file("data/other.csv", "a,b\n1,2\n");
    let json = inspect(&sandbox).exits_with(1).json();
    let items = json["items"].as_str().unwrap();
    insta::assert_snapshot!(items, @r"
    items:
      # without 1 file that these settings cannot read
      csv:
        - data/a.csv
        - data/b.csv
        - data/c.csv
      delimiter: ';'
      encoding: windows-1252
      on_schema_drift: union
      decimal: ','
      types:
        wert: number
        netto: integer
    ");
    let sandbox = sandbox.file("workflow.yaml", reading(items));
    sandbox.run(&[]).exits_with(0);
    assert_eq!(
        sandbox.results("work"),
        ["str float NoneType", "str float NoneType", "str float NoneType", "str float NoneType", "str float int"]
    );
}

#[test]
fn json_lines_have_names_and_types_in_any_order() {
    let sandbox = Sandbox::new().file("data/a.jsonl", "{\"id\":1,\"tags\":[]}\n{\"tags\":[1],\"id\":2.5}\n");
    let sandbox = sandbox.file("data/b.ndjson", "{\"tags\":null,\"id\":3}\n");
    let json = inspect(&sandbox).exits_with(0).json();
    let columns = json!([{ "name": "id", "type": "number" }, { "name": "tags", "type": "list" }]);
    assert_eq!((&json["groups"][0]["columns"], &json["rows"]), (&columns, &json!(3)));
    assert_eq!(json["items"], "items:\n  jsonl: data/*\n");
    let sandbox = sandbox.file("data/c.jsonl", "{\"id\":4,\"tags\":[]}\n{\"id\":\n\n");
    assert_eq!(odd(&sandbox), json!([{ "what": "no_json", "rows": 1, "line": 2 }]));
}

/// A workflow over rows that does next to nothing.
fn idle(items: &str, size: usize) -> String {
    format!(
        "steps:\n  - name: work\n    task: batch\n    inputs:\n      items: {items}\n      batch_size: {size}\n      continue_on_error: true\n      task: {{type: python, code: return 1}}\n"
    )
}

#[test]
fn plan_counts_the_rows_and_batches_that_a_run_then_has() {
    let gap = format!("{HEADER}{}\n{}\n\n", rows(3), rows(4));
    let torn = gzip(&format!("{HEADER}{}", rows(3000)));
    let torn = &torn[..torn.len() / 2];
    let items = "{csv: [\"data/*\", gone.csv], skip: 4, on_schema_drift: union}";
    let sandbox = even().file("data/e.csv", gap).file("data/f.csv.gz", torn).file("data/g.csv", "id,id\n1,2\n");
    let sandbox = sandbox.file("data/h.csv", "").file("workflow.yaml", idle(items, 3));
    let ended = sandbox.batchmill(&["plan", "workflow.yaml", "--format", "json"]).exits_with(0);
    let ended = ended.says(&["counting rows in 9 files"]);
    let work = ended.json()["steps"][0]["work"].clone();
    let odd = work["files"]["odd"].as_array().unwrap().iter().map(|odd| odd["path"].clone()).collect::<Vec<_>>();
    assert_eq!(odd, ["data/f.csv.gz", "data/g.csv", "data/h.csv", "gone.csv"]);

    let ended = sandbox.run(&["--progress", "json"]).exits_with(1);
    let events: Vec<Value> = ended.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let batches = events.iter().filter(|event| event["event"] == "batch_finished").count();
    let total = &events.iter().find(|event| event["event"] == "step_finished").unwrap()["stats"]["total"];
    assert_eq!((&work["items"], &work["batches"]), (total, &json!(batches)));

    let few =
        sandbox.batchmill(&["plan", "workflow.yaml", "--max-items", "5", "--format", "json"]).exits_with(0).json();
    assert_eq!((&few["steps"][0]["work"]["items"], &few["steps"][0]["work"]["batches"]), (&json!(5), &json!(3)));
}

/// Records are cut by the same rules where they are counted and where they are run: lone carriage returns, quotes that stay
/// open, first records of any length.
#[test]
fn plan_counts_what_a_run_gives_of_odd_files_too() {
    let sandbox = Sandbox::with(&idle("{csv: 'data/*.csv', on_schema_drift: group}", 3));
    let script = repository().join("tests/support/csvs.py");
    crate::rows::run_python(&sandbox, &[script.to_str().unwrap(), "data", "100"]);
    let read = sandbox.read("data.jsonl").lines().count();
    let open = "a,b\n1,2\n3,4\n\n\"5\r6\",7\r\"8,9\n0,0\n";
    let long = format!("\"{}\",b\r1,2\r3,4\n", "a\n".repeat(200_000));
    let sandbox = sandbox.file("data/20.csv", open).file("data/21.csv", "\"a,b\n1,2\n").file("data/22.csv", long);
    let sandbox = sandbox.file("data/23.csv", format!("{}a,b\n1,2\n", "\n".repeat(200_000)));
    let work =
        sandbox.batchmill(&["plan", "workflow.yaml", "--format", "json"]).exits_with(0).json()["steps"][0]["work"]
            .clone();
    // Three rows and a bad file, a bad file, two rows, one row.
    assert_eq!(work["items"], json!(read + 4 + 1 + 2 + 1));
    let ended = sandbox.run(&["--progress", "json"]).exits_with(1);
    let events: Vec<Value> = ended.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let batches = events.iter().filter(|event| event["event"] == "batch_finished").count();
    let total = &events.iter().find(|event| event["event"] == "step_finished").unwrap()["stats"]["total"];
    assert_eq!((&work["items"], &work["batches"]), (total, &json!(batches)));
}

#[test]
fn plan_names_odd_files_and_counts_only_when_it_may() {
    let sandbox = even().file("data/e.csv", format!("{HEADER}1\n"));
    let sandbox = sandbox.file("workflow.yaml", idle("{csv: data/*}", 10));
    let ended = sandbox.batchmill(&["plan", "workflow.yaml"]).exits_with(0);
    for says in [
        "21 rows from 5 files (",
        "in 5 batches of 10, 1 worker",
        "data/e.csv: 1 row has the wrong number of fields (line 2)",
    ] {
        assert!(ended.stdout.contains(says), "{}", ended.stdout);
    }
    let ended = sandbox.batchmill(&["plan", "workflow.yaml", "--no-count"]).exits_with(0);
    assert!(ended.stdout.contains("items, counted as they are read,") && ended.stderr.is_empty(), "{ended:?}");
}

/// What the events of a run say of bytes: all, those done before, and those done at its end.
fn bytes(ended: &Ended) -> (Value, Value, Value) {
    let events: Vec<Value> = ended.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str, name: &str| {
        let event = events.iter().rev().find(|event| event["event"] == kind);
        event.map_or(Value::Null, |event| event[name].clone())
    };
    (of("step_started", "bytes"), of("step_started", "bytes_done"), of("batch_finished", "bytes_done"))
}

#[test]
fn a_run_over_rows_knows_its_bytes_and_how_many_are_done() {
    let sandbox = even();
    let size = |name: &str| sandbox.path().join("data").join(name).metadata().unwrap().len();
    let all = json!(["a.csv", "b.csv", "c.csv.gz", "d.csv.zst"].map(size).iter().sum::<u64>());
    let sandbox = sandbox.file("workflow.yaml", idle("{csv: data/*}", 2));
    assert_eq!(bytes(&sandbox.run(&["--progress", "json"])), (all.clone(), json!(0), all));
    sandbox.run(&[]).exits_with(0).says(&["step work: rows, ", " bytes, 1 worker"]);
    // Nobody knows how many bytes some of the rows come to.
    assert_eq!(bytes(&sandbox.run(&["--progress", "json", "--max-items", "3"])).0, Value::Null);
    let sandbox = sandbox.file("workflow.yaml", idle("[1, 2, 3]", 2));
    assert_eq!(bytes(&sandbox.run(&["--progress", "json"])), (Value::Null, json!(0), json!(0)));
}

#[test]
fn bytes_of_rows_that_are_tried_again_count_once_and_a_run_that_goes_on_begins_with_them() {
    let text = format!("{HEADER}{}", rows(10));
    let all = json!(text.len());
    let workflow = "
steps:
  - name: work
    task: batch
    inputs:
      items: {csv: data.csv}
      batch_size: 5
      continue_on_error: true
      batched: false
      retry: {max_attempts: 2, delay: 0}
      task:
        type: python
        code: |
          if item['id'] == '7': open('well')
          return 1
";
    let sandbox = Sandbox::with(workflow).file("data.csv", text);
    assert_eq!(bytes(&sandbox.run(&["--progress", "json"]).exits_with(1)), (all.clone(), json!(0), all.clone()));
    let sandbox = sandbox.file("well", "");
    let (bytes, before, done) = bytes(&sandbox.batchmill(&["resume", "--progress", "json"]).exits_with(0));
    let nine_of_ten = json!(all.as_u64().unwrap() * 9 / 10);
    assert_eq!((bytes, before, done), (all.clone(), nine_of_ten, all));
}

#[test]
fn a_missing_delimiter_is_suspected_where_the_header_has_one() {
    let sandbox = Sandbox::new().file("data/a.csv", "id;name\n1;x\n").file("data/b.csv", "id;name;day\n1;x;2\n");
    let hint = "all files have only one column; you may need `delimiter: ';'`";
    let sandbox = sandbox.file("workflow.yaml", idle("{csv: data/a.csv, columns: [id]}", 1));
    sandbox.run(&[]).exits_with(2).says(&["`columns` lists `id`, but the columns are `id;name`", hint]);
    sandbox.batchmill(&["plan", "workflow.yaml"]).exits_with(2).says(&[hint]);
    let sandbox = sandbox.file("workflow.yaml", idle("{csv: data/*}", 1));
    sandbox.run(&[]).exits_with(2).says(&["the columns of `data/b.csv` differ from those of `data/a.csv`", hint]);
    let sandbox = sandbox.file("data/a.csv", "id\tname\n1\tx\n");
    let sandbox = sandbox.file("workflow.yaml", idle("{csv: data/a.csv, columns: [id]}", 1));
    sandbox.run(&[]).exits_with(2).says(&["you may need `delimiter: tab`"]);
    let sandbox = sandbox.file("workflow.yaml", idle("{csv: data/a.csv, delimiter: tab, columns: [idd]}", 1));
    let ended = sandbox.run(&[]).exits_with(2);
    assert!(!ended.stderr.contains("you may need"), "{}", ended.stderr);
}

#[test]
fn the_header_of_most_files_is_found_in_one_whose_rows_look_like_it() {
    // All of the third is text that comes again, so nothing in the file itself tells its first line from the others.
    let sandbox = Sandbox::new()
        .file("data/a.csv", "city,mayor\nBonn,3\nKiel,4\nUlm,5\n")
        .file("data/b.csv", "city,mayor\nJena,7\nGera,8\nSuhl,9\n")
        .file("data/c.csv", "city,mayor\ncity,adam\nbonn,mayor\nbonn,adam\n");
    let json = inspect(&sandbox).json();
    let rows: Vec<u64> = json["files"].as_array().unwrap().iter().map(|file| file["rows"].as_u64().unwrap()).collect();
    assert_eq!(rows, [3, 3, 3], "{json:#}");
    // Where most files have none, a row that is in several files is a row.
    let sandbox = Sandbox::new()
        .file("data/a.csv", "bonn,adam\nkiel,bert\nbonn,carl\nkiel,adam\n")
        .file("data/b.csv", "bonn,adam\nulm,carl\nbonn,carl\nulm,adam\n")
        .file("data/c.csv", "city,mayor\nBonn,3\nKiel,4\nUlm,5\n");
    let json = inspect(&sandbox).json();
    let rows: Vec<u64> = json["files"].as_array().unwrap().iter().map(|file| file["rows"].as_u64().unwrap()).collect();
    assert_eq!(rows, [4, 4, 3], "{json:#}");
}

#[test]
fn files_that_are_odd_in_the_same_way_share_a_line_with_an_example() {
    let mut sandbox = even();
    for (at, name) in ["w", "x", "y"].into_iter().enumerate() {
        sandbox = sandbox.file(&format!("data/{name}.csv"), format!("{HEADER}{}1,2\n", rows(3 + at)));
    }
    let ended = sandbox.file("data/z.csv", "").batchmill(&["inspect", "data/*"]).exits_with(1);
    let odd: Vec<&str> =
        ended.stdout.lines().filter(|line| line.starts_with("  data/") && line.contains(": ")).collect();
    let [ragged, empty] = odd[..] else { panic!("{}", ended.stdout) };
    assert!(ragged.starts_with("  data/w.csv: 1 row has") && ragged.ends_with(" (and 2 files like it)"), "{ragged}");
    assert!(empty.starts_with("  data/z.csv: "), "{empty}");
}
