//! Messy CSV files: what is read of them once the workflow says how they are written.

use crate::rows::{reads, rows, run_python};
use crate::support::{Sandbox, repository};
use serde_json::{Value, json};

/// Bad rows do not stop the step.
const GO_ON: &str = "continue_on_error: true";

/// The rows of a file, read with these options.
fn rows_of(text: impl AsRef<[u8]>, options: &str) -> Vec<Value> {
    rows(&Sandbox::with(&reads(&format!("csv: a.csv, {options}"), "")).file("a.csv", text))
}

/// Tables in random dialects, written by Python's `csv` module or by hand, with all kinds of lines around them.
#[test]
#[ignore = "heavy: takes seconds"]
fn tables_in_random_dialects_are_read_as_they_were_written() {
    let seed = std::env::var("BATCHMILL_SEED").unwrap_or_else(|_| "1".to_owned());
    let sandbox = Sandbox::new();
    let script = repository().join("tests/support/messy.py");
    run_python(&sandbox, &[script.to_str().unwrap(), "data", "150", &seed]);
    sandbox.batchmill(&["run", "messy.yaml", "--progress", "none"]).exits_with(0);
    for (number, line) in sandbox.read("data.jsonl").lines().enumerate() {
        let expected: Vec<Value> = serde_json::from_str(line).unwrap();
        let found = sandbox.results(&format!("file{number}"));
        assert_eq!(found, expected, "seed {seed}, file {number}: {}", sandbox.read(&format!("data/{number}.csv")));
    }
}

#[test]
fn rows_of_another_width_are_padded_cut_or_kept_whole() {
    let text = "a,b\n1\n1,2\n1,2,3,4\n";
    let with = |rows: &[(&str, &str)]| -> Vec<Value> { rows.iter().map(|(a, b)| json!({"a": a, "b": b})).collect() };
    assert_eq!(rows_of(text, "ragged: truncate"), with(&[("1", ""), ("1", "2"), ("1", "2")]));
    let filled = rows_of(text, "ragged: fill");
    assert_eq!(filled[0], json!({"a": "1", "b": "", "_rest": ""}));
    assert_eq!(filled[2], json!({"a": "1", "b": "2", "_rest": "3,4"}));
    let sandbox = Sandbox::with(&reads("csv: a.csv, ragged: pad", GO_ON)).file("a.csv", text);
    sandbox.run(&[]).exits_with(1).says(&["a.csv:4: expected 2 fields, found 4"]);
    assert_eq!(sandbox.results("read").len(), 2);
}

#[test]
fn line_numbers_of_a_messy_file_are_those_of_the_file() {
    let text = "A title\n\n# note\na;b\nm;s\n1;2\n# more\n\"3\n\";4\nbad\ntotal;9\n";
    let options = "csv: a.csv, delimiter: ';', skip_lines: 1, skip_after_header: 1, skip_footer: 1, comment: '#'";
    let sandbox = Sandbox::with(&reads(options, GO_ON)).file("a.csv", text);
    sandbox.run(&[]).exits_with(1).says(&["a.csv:10: expected 2 fields, found 1"]);
    assert_eq!(sandbox.results("read"), [json!({"a": "1", "b": "2"}), json!({"a": "3\n", "b": "4"})]);
}

#[test]
fn stray_quotes_are_read_as_told() {
    let text = "a,b\n1,5\" pipe\n\"x\"y,2\n\"3,\"four, 4\"\n";
    assert_eq!(
        rows_of(text, "stray_quotes: literal"),
        [json!({"a": "1", "b": "5\" pipe"}), json!({"a": "\"x\"y", "b": "2"}), json!({"a": "\"3", "b": "four, 4"})]
    );
    let sandbox =
        Sandbox::with(&reads("csv: a.csv, stray_quotes: fail", GO_ON)).file("a.csv", "a,b\n1,5\" pipe\n3,4\n");
    sandbox.run(&[]).exits_with(1).says(&["a.csv:2: field 2 has a quote inside", "stray_quotes: literal"]);
    assert_eq!(sandbox.results("read"), [json!({"a": "3", "b": "4"})]);
}

#[test]
fn columns_without_a_name_of_their_own_get_one_and_it_is_said_once() {
    let sandbox =
        Sandbox::with(&reads("csv: '*.csv'", "")).file("a.csv", ",x,x,y\n1,2,3,4\n").file("b.csv", ",x,x,y\n5,6,7,8\n");
    let said = sandbox.run(&[]).exits_with(0);
    said.says(&["`a.csv` has empty or repeated column names: column 1 is `column_1`, column 3 is `x_2`; 1 other file has such names too"]);
    assert_eq!(sandbox.results("read")[0], json!({"column_1": "1", "x": "2", "x_2": "3", "y": "4"}));
    let strict = Sandbox::with(&reads("csv: a.csv, names: error", ""));
    strict
        .file("a.csv", "a,b,a\n1,2,3\n")
        .run(&[])
        .exits_with(2)
        .says(&["duplicate column `a` in the header (columns 1 and 3)"]);
    let strict = Sandbox::with(&reads("csv: a.csv, names: error", ""));
    strict.file("a.csv", "a,,b\n1,2,3\n").run(&[]).exits_with(2).says(&["column 2 has no name in the header"]);
}

#[test]
fn a_header_in_quotes_as_a_whole_names_each_column() {
    assert_eq!(rows_of("\"a,b\"\n1,2\n", "types: infer"), [json!({"a": 1, "b": 2})]);
    assert_eq!(rows_of("\"last, first\"\n\"Doe, John\"\n", "limit: 1"), [json!({"last, first": "Doe, John"})]);
}

#[test]
fn values_are_read_in_the_format_that_the_workflow_names() {
    let text = "day,at,price,n,ok\n31/01/2018,1.2.2018 9:30,\"1.234,5\",1.000,ja\n,,,,\n";
    let options = "decimal: ',', thousands: '.', true_values: ja, false_values: nein, types: {price: number, n: integer, ok: boolean}, \
                   dates: {day: '%d/%m/%Y', at: '%d.%m.%Y %H:%M'}";
    let read = rows(
        &Sandbox::with(
            &reads(&format!("csv: a.csv, {options}"), "")
                .replace("return item", "\"return {**item, 'day': str(item['day']), 'at': str(item['at'])}\""),
        )
        .file("a.csv", text),
    );
    assert_eq!(
        read[0],
        json!({"day": "2018-01-31", "at": "2018-02-01 09:30:00", "price": 1234.5, "n": 1000, "ok": true})
    );
    assert_eq!(read[1], json!({"day": "None", "at": "None", "price": null, "n": null, "ok": null}));
    let infer = "decimal: ',', thousands: '.', true_values: ja, false_values: nein, types: infer";
    assert_eq!(rows_of("p,q,ok\n\"1,5\",1.5,nein\n2,x,ja\n", infer)[0], json!({"p": 1.5, "q": "1.5", "ok": false}));
    let sandbox =
        Sandbox::with(&reads("csv: a.csv, decimal: ',', types: {p: number}", GO_ON)).file("a.csv", "p\n1.5\n\"2,5\"\n");
    sandbox.run(&[]).exits_with(1).says(&["a.csv:2: column `p`: \"1.5\" is not a valid number"]);
}

#[test]
fn wrong_options_are_refused_with_their_place_and_the_way_out() {
    for (options, said) in [
        ("delimiter: ''", "characters between two fields"),
        ("escape: '\"'", "is the quote character"),
        ("delimiter: \"'\", quote: \"'\"", "requires different characters for `quote`, `escape` and `delimiter`"),
        ("ragged: cut", "unknown value `cut` for `ragged`"),
        ("stray_quotes: yes", "`stray_quotes`"),
        ("header: false, header_lines: 2", "requires a header in the file"),
        ("header_lines: 0", "must be at least 1"),
        ("skip_lines: -1", "must not be negative"),
        ("skip_footer: many", "must be a number of lines"),
        ("decimal: ','  , thousands: ','", "is the decimal character"),
        ("thousands: '.'", "is the decimal character"),
        ("decimal: 'x'", "one character, but no letter, digit or sign"),
        ("true_values: [a], false_values: [a]", "\"a\" is in both `true_values` and `false_values`"),
        ("dates: {d: '%Q'}", "is not the format of a date"),
        ("dates: {d: '%d/%m/%Y'}, types: {d: integer}", "has a date format, but `types` says `integer`"),
        ("names: fix", "unknown value `fix` for `names`"),
    ] {
        let sandbox = Sandbox::with(&reads(&format!("csv: a.csv, {options}"), "")).file("a.csv", "a\n1\n");
        sandbox.run(&[]).exits_with(2).says(&[said]);
    }
    let sandbox = Sandbox::with(&reads("jsonl: a.jsonl, ragged: pad", "")).file("a.jsonl", "{}\n");
    sandbox.run(&[]).exits_with(2).says(&["cannot be used with JSON Lines"]);
    let sandbox = Sandbox::with(&reads("csv: a.csv, dates: {x: '%d/%m/%Y'}", "")).file("a.csv", "a\n1\n");
    sandbox.run(&[]).exits_with(2).says(&["`dates` lists `x`, but the columns are `a`"]);
}

#[test]
fn compressed_files_are_known_by_their_content_whatever_their_names() {
    let script = "
import bz2, gzip, lzma
parts = [b'a,b\\n1,2\\n', b'3,4\\n5,6\\n']
for name, compress in {'x.csv': bz2.compress, 'y.gz': lzma.compress, 'z.csv': gzip.compress, 'w.csv.xz': lambda part: part}.items():
    open(name, 'wb').write(b''.join(compress(part) for part in parts))
for name, compress in {'bz2': bz2.compress, 'xz': lzma.compress, 'gz': gzip.compress}.items():
    whole = compress(b'a,b\\n' + b'1,2\\n' * 500)
    open('cut.csv.' + name, 'wb').write(whole[: len(whole) - 9])
";
    let sandbox = Sandbox::with(&reads("csv: [x.csv, y.gz, z.csv, w.csv.xz]", ""));
    run_python(&sandbox, &["-c", script]);
    let file = [json!({"a": "1", "b": "2"}), json!({"a": "3", "b": "4"}), json!({"a": "5", "b": "6"})];
    assert_eq!(rows(&sandbox), [&file[..]; 4].concat());
    sandbox.batchmill(&["inspect", "x.csv", "y.gz", "w.csv.xz"]).exits_with(1);
    let said = sandbox.batchmill(&["inspect", "x.csv", "y.gz", "w.csv.xz"]);
    for words in [
        "compressed with bzip2, which its name does not say",
        "compressed with xz, but named like a file of gzip",
        "not compressed, but named like a file of xz",
    ] {
        assert!(said.stdout.contains(words), "{}", said.stdout);
    }
    for name in ["cut.csv.bz2", "cut.csv.xz", "cut.csv.gz"] {
        let said = sandbox.batchmill(&["inspect", name]);
        assert!(said.stdout.contains("the compressed data is truncated"), "{name}: {}", said.stdout);
    }
    let told = Sandbox::with(&reads("csv: z.csv, compression: xz", "")).file("z.csv", "a,b\n1,2\n");
    told.run(&[]).exits_with(2).says(&["cannot read `z.csv`"]);
}

#[test]
fn encodings_are_known_by_the_names_that_python_has_for_them() {
    let script = "
import sys
open('a.csv', 'w', encoding=sys.argv[1], newline='').write('a\\n' + sys.argv[2] + '\\n')
";
    for (name, text) in [
        ("cp949", "한국"),
        ("cp932", "日本"),
        ("latin1", "größe"),
        ("utf_8_sig", "ü"),
        ("utf_16_le", "ü"),
        ("mac_roman", "ü"),
    ] {
        let sandbox = Sandbox::with(&reads(&format!("csv: a.csv, encoding: {name}"), ""));
        run_python(&sandbox, &["-c", script, name, text]);
        assert_eq!(rows(&sandbox), [json!({"a": text})], "{name}");
    }
}

#[test]
fn json_that_is_one_value_is_not_read_as_lines_in_silence() {
    for text in ["[\n{\"a\": 1},\n{\"a\": 2}\n]\n", "{\n  \"a\": 1\n}\n"] {
        let sandbox = Sandbox::with(&reads("jsonl: a.json", "")).file("a.json", text);
        let said = sandbox.run(&[]).exits_with(2);
        said.says(&["`a.json` is one JSON value over several lines, not JSON Lines", "jq -c '.[]' FILE > FILE.jsonl"]);
    }
    let sandbox = Sandbox::with(&reads("jsonl: a.json", "")).file("a.json", "[{\"a\": 1}, {\"a\": 2}]\n");
    sandbox.run(&[]).exits_with(0).says(&["`a.json` has one line, a list of mappings, so it is one item"]);
    let sandbox = Sandbox::with(&reads("jsonl: a.jsonl", GO_ON)).file("a.jsonl", "{\"a\": 1}}\n[1]\n");
    sandbox.run(&[]).exits_with(1).says(&["a.jsonl:1: invalid JSON"]);
}

#[test]
fn how_each_file_is_written_is_found_out_in_a_run() {
    let sandbox = Sandbox::with(&reads("csv: '*.csv', dialect: auto, types: infer, where_from: from", ""))
        .file("a.csv", "id;name;net\n1;Ada;1.5\n2;Bo;2.5\n3;Cy;NA\n4;Di;4.5\n")
        .file("b.csv", "Report of May\n\nid,name,net\n5,Ed,5.5\n6,\"Flo, B\",6.5\n7,Gus,7.5\n")
        .file("c.csv", "id\tname\tnet\n8\tHal\t8.5\n9\tIda\t9.5\n10\tJo\t1.5\n");
    let said = sandbox.run(&["--progress", "plain"]).exits_with(0);
    said.says(&["`a.csv` is read as `delimiter: \";\"`; 2 other files differ"]);
    let read = sandbox.results("read");
    assert_eq!(read.len(), 10);
    assert_eq!(read[0], json!({"id": 1, "name": "Ada", "net": 1.5, "from": "a.csv"}));
    assert_eq!(read[2]["net"], Value::Null);
    assert_eq!(read[5], json!({"id": 6, "name": "Flo, B", "net": 6.5, "from": "b.csv"}));
    assert_eq!(read[9]["id"], json!(10));
    sandbox.batchmill(&["resume"]).exits_with(0);
    // A file that has changed is looked at anew.
    let sandbox = sandbox.file("c.csv", "id|name|net\n8|Hal|8.5\n9|Ida|9.5\n10|Jo|2.5\n");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.results("read")[9]["net"], json!(2.5));
    let told = Sandbox::with(&reads("csv: a.csv, dialect: auto, delimiter: ';'", "")).file("a.csv", "a\n1\n");
    told.run(&[]).exits_with(2).says(&["`delimiter` cannot be used with `dialect: auto`"]);
}
