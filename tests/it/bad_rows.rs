//! Rows and files that cannot be read, and options that are wrong.

use crate::rows::reads;
use crate::support::{Ended, Sandbox};
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;

/// A row that jiff reads as a date, but that Python has no value for, is a bad row like any other.
#[test]
fn values_that_python_has_no_room_for_are_bad_rows() {
    let text = "d,t\n0000-01-01,\n,2026-06-30T23:59:60Z\n2026-01-01,2026-01-01T00:00:00\n";
    let items = "csv: a.csv, types: {d: date, t: datetime}";
    let sandbox = Sandbox::with(&reads(items, "batch_size: 10\n      continue_on_error: true")).file("a.csv", text);
    sandbox.run(&[]).exits_with(1).says(&["is not a valid date", "is not a valid datetime"]);
    assert_eq!(sandbox.results("read").len(), 1);
    assert!(sandbox.failures().iter().all(|failure| failure["type"] == "BadRow"));
}

#[test]
fn bytes_that_the_encoding_does_not_know_are_bad_rows() {
    let bad = |bytes: &[u8], options: &str| {
        let items = format!("csv: a.csv, {options}");
        let sandbox =
            Sandbox::with(&reads(&items, "batch_size: 9\n      continue_on_error: true")).file("a.csv", bytes);
        sandbox
            .run(&[])
            .exits_with(1)
            .says(&["a.csv:3: column `n` has bytes that are invalid in the file's encoding; set `encoding`"]);
        assert_eq!(sandbox.results("read").len(), 2);
    };
    bad(b"n\nok\nn\xe9\nok\n", "");
    bad(b"n\nok\n\x81\x00\nok\n", "encoding: shift_jis");
    let mut utf16: Vec<u8> = "n\nok\nX\nok\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    // Half of a pair.
    utf16[10..12].copy_from_slice(&[0x00, 0xd8]);
    bad(&utf16, "encoding: utf-16le");
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
        "a.csv:12: expected 2 fields, found 1",
        "a.csv:52: expected 2 fields, found 3",
        "read: more items fail like this (`batchmill failures --group` counts them): BadRow: a.csv:…: expected 2 fields, found …",
        "3 failures, 1 cause",
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
    ended.exits_with(3).says(&["a.csv:12: expected 2 fields, found 1"]);
    let (_, ended) = ragged("fail", "");
    ended.exits_with(3).says(&["a.csv:12: expected 2 fields, found 1"]);
}

#[test]
fn lines_of_json_are_items_and_bad_ones_are_told() {
    let text = "\u{feff}{\"a\": 1}\n\n  [1, 2]  \r\n{\"a\": \n\"text\"\n{\"big\": 12345678901234567890123}\n{\"a\": NaN}\nnull";
    for more in ["batch_size: 10\n      batched: true", "batch_size: 1"] {
        let more = format!("continue_on_error: true\n      {more}");
        let sandbox = Sandbox::with(&reads("jsonl: a.jsonl", &more)).file("a.jsonl", text);
        sandbox.run(&[]).exits_with(1).says(&["a.jsonl:4: invalid JSON", "a.jsonl:7: invalid JSON"]);
        let results = sandbox.batchmill(&["results", "--step", "read"]).stdout;
        assert_eq!(results, "{\"a\":1}\n[1,2]\n\"text\"\n{\"big\":12345678901234567890123}\nnull\n", "{more}");
    }
}

#[test]
#[ignore = "heavy: many files in many formats"]
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
    fs::write(data.join("201.csv.gz"), b"\x1F\x8Bno gzip").unwrap();
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
        assert_eq!(messages[1], "data/200.csv.gz: the compressed data is truncated");
        assert!(messages[2].starts_with("data/201.csv.gz: "), "{messages:?}");
        assert_eq!(messages[3], "data/300.csv: unclosed quote in the record at line 3");
        assert_eq!(messages[4], "data/400.csv: it is a directory");
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
#[ignore = "heavy: large files"]
fn a_quote_that_is_never_closed_costs_its_record_only() {
    let mut text = "n,text\n".to_owned();
    for row in 0..200_000 {
        let _ = writeln!(text, "{row},{}", if row == 100_000 { "\"open" } else { "closed" });
    }
    let more = "batch_size: 1000\n      continue_on_error: true";
    let sandbox = Sandbox::with(&reads("csv: a.csv", more)).file("a.csv", &text);
    sandbox.run(&[]).exits_with(1).says(&["unclosed quote in the record at line 100002"]);
    assert_eq!(sandbox.results("read").len(), 100_000);
    // Beyond 64 MiB nobody waits for the end.
    let text = text + &"x".repeat(70 << 20) + "\"\n";
    let sandbox = sandbox.file("a.csv", text);
    sandbox
        .run(&[])
        .exits_with(1)
        .says(&["the record at line 100002 is longer than 64 MiB; it may have an unclosed quote"]);
}

#[test]
fn columns_that_are_missing_are_told_before_anything_runs() {
    let refused = |options: &str, says: &[&str]| {
        let sandbox = Sandbox::with(&reads(&format!("csv: a.csv, {options}"), "")).file("a.csv", "x,y\n1,2\n");
        sandbox.run(&[]).exits_with(2).says(says).says(&["workflow.yaml:5:14"]);
    };
    refused("columns: [z]", &["`columns` lists `z`, but the columns are `x`, `y`"]);
    refused("types: {z: integer}", &["`types` lists `z`, but the columns are `x`, `y`"]);
    refused("where_from: x", &["`where_from` is `x`, but the files already have a column of that name"]);
    refused("header: [a, b, c]", &["the first row has 2 fields, but `header` names 3 columns"]);
    let sandbox = Sandbox::with(&reads("csv: a.csv, names: error", "")).file("a.csv", "x,y,x\n1,2,3\n");
    sandbox
        .run(&[])
        .exits_with(2)
        .says(&["duplicate column `x` in the header (columns 1 and 3)", "or name them with `header: [..]`"]);
}

#[test]
fn options_with_wrong_values_are_errors_with_their_places() {
    let table = [
        ("columns: x", "`columns` must be a list of column names; found the string \"x\""),
        ("columns: []", "`columns` is empty"),
        ("columns: [x, x]", "`columns` contains `x` twice"),
        ("types: text", "unknown value `text` for `types`"),
        ("types: {x: float}", "unknown type `float` for column `x`"),
        ("types: [x]", "`types` must be `infer`, or a mapping"),
        (
            "delimiter: ''",
            "`delimiter` must be the characters between two fields, up to 16 bytes, `tab` or `whitespace`",
        ),
        ("delimiter: 'more than sixteen'", "`delimiter` must be the characters between two fields"),
        ("quote: ''", "`quote` must be one ASCII character, or `none`"),
        ("quote: ','", "`quote` requires different characters for `quote`, `escape` and `delimiter`"),
        ("header: first", "`header` must be `true`, `false` or a list of column names"),
        ("encoding: utf-9", "unknown encoding `utf-9`"),
        ("compression: zip", "unknown value `zip` for `compression`"),
        ("where_from: '{{ x }}'", "`where_from` cannot be a template"),
        ("limit: 0", "`limit` must be at least 1"),
        ("skip: -1", "`skip` must not be negative"),
        ("skip: few", "`skip` must be an integer"),
        ("on_bad_row: ignore", "unknown value `ignore` for `on_bad_row`"),
        ("on_schema_drift: merge", "unknown value `merge` for `on_schema_drift`"),
        ("colums: [x]", "unknown key `colums`"),
        ("jsonl: b.jsonl", "`items` has more than one source"),
    ];
    for (option, message) in table {
        let workflow = reads(&format!("csv: a.csv, {option}"), "");
        let line = workflow.lines().nth(4).unwrap();
        // The error points at the value, or at an unknown key.
        let value = option.split_once(": ").unwrap().1;
        let needle = match message.split('`').next().unwrap() {
            "unknown key " => option,
            "unknown type " => "float",
            _ if message.starts_with("`items`") => "{",
            _ => value,
        };
        let place = format!("workflow.yaml:5:{}", line.rfind(needle).unwrap() + 1);
        let sandbox = Sandbox::with(&workflow).file("a.csv", "x\n1\n");
        sandbox.run(&[]).exits_with(2).says(&[message, &place]);
        assert!(!sandbox.exists(".batchmill"));
    }
}

/// What `compression` says is compared with the first bytes of the file.
#[test]
fn a_file_that_is_not_compressed_as_told_says_what_it_is() {
    let refused = |options: &str, says: &str| {
        let sandbox = Sandbox::with(&reads(&format!("csv: a.csv, {options}"), "")).file("a.csv", "n\n1\n");
        sandbox.run(&[]).exits_with(2).says(&[&format!("cannot read `a.csv`: {says}; remove `compression`")]);
    };
    for told in ["gzip", "zstd", "bzip2", "xz"] {
        refused(&format!("compression: {told}"), &format!("it is not compressed, but `compression` is `{told}`"));
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"n\n1\n").unwrap();
    let sandbox = Sandbox::with(&reads("csv: a.csv, compression: xz", "")).file("a.csv", gzip.finish().unwrap());
    sandbox.run(&[]).exits_with(2).says(&["it is compressed with gzip, but `compression` is `xz`"]);
}
