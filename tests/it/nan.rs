//! NaN and infinities in files of rows.

use crate::rows::{reads, run_python};
use crate::support::Sandbox;
use serde_json::{Value, json};

const GO_ON: &str = "continue_on_error: true\n      batch_size: 100\n      batched: false";
const CSV: &str = "n,t\n1.5,NaN\nNaN,a\n-inf,b\nInfinity,c\nnan,d\n1e999,e\nnone,f\n,g\n";

/// The numbers of the rows, as Python shows them to the task.
fn shown(nan: &str) -> (Vec<Value>, usize) {
    let workflow = reads(&format!("csv: a.csv, types: {{n: number}}, nan: {nan}"), GO_ON);
    let workflow = workflow.replace("return item}", "\"return [str(item['n']), item['t']]\"}");
    let sandbox = Sandbox::with(&workflow).file("a.csv", CSV);
    sandbox.run(&[]).exits_with(1);
    (sandbox.results("read"), sandbox.failures().len())
}

#[test]
fn nan_in_columns_of_numbers_is_bad_or_null_or_nan() {
    let all = |rows: &[(&str, &str)]| rows.iter().map(|(n, t)| json!([n, t])).collect::<Vec<_>>();
    assert_eq!(shown("fail"), (all(&[("1.5", "NaN"), ("None", "g")]), 6));
    let (none, one) = ("None", "1.5");
    let dropped = [(one, "NaN"), (none, "a"), (none, "b"), (none, "c"), (none, "d"), (none, "g")];
    assert_eq!(shown("drop"), (all(&dropped), 2));
    let kept = [(one, "NaN"), ("nan", "a"), ("-inf", "b"), ("inf", "c"), ("nan", "d"), (none, "g")];
    assert_eq!(shown("keep"), (all(&kept), 2));
}

/// A frame of such rows is the one that pandas reads.
#[test]
fn frames_have_nan_as_pandas_reads_it() {
    let more = "batch_size: 100\n      batched: true\n      batch_format: pandas";
    let code = "\"import pandas; other = pandas.read_csv('a.csv', float_precision='round_trip'); \
                pandas.testing.assert_frame_equal(item, other, check_dtype=False); return len(item)\"}";
    for types in ["types: {n: number}", "types: infer"] {
        let items = format!("csv: a.csv, {types}, nan: keep");
        let workflow = reads(&items, more).replace("return item}", code);
        let sandbox = Sandbox::with(&workflow).file("a.csv", "n,t\n1,a\nnan,b\n-inf,c\n0.25,d\ninf,e\n");
        sandbox.run(&[]).exits_with(0);
        assert_eq!(sandbox.results("read"), [json!(5)], "{types}");
    }
}

/// Python's `json` writes such lines, and nobody else reads them.
#[test]
fn nan_in_json_lines_is_bad_or_null() {
    let write = "import json, math
rows = [{'a': math.nan, 's': 'NaN \\\" Infinity'}, {'a': [math.inf, {'b': -math.inf}], 's': ''}, {'a': 1, 's': '\\\\'}]
open('a.jsonl', 'w').writelines(json.dumps(row) + '\\n' for row in rows)";
    let expected = [
        json!({"a": null, "s": "NaN \" Infinity"}),
        json!({"a": [null, {"b": null}], "s": ""}),
        json!({"a": 1, "s": "\\"}),
    ];
    let run = |items: &str, more: &str, code: i32| {
        let sandbox = Sandbox::with(&reads(items, more));
        run_python(&sandbox, &["-c", write]);
        sandbox.run(&["--progress", "none"]).exits_with(code);
        sandbox
    };
    assert_eq!(run("jsonl: a.jsonl", GO_ON, 1).failures().len(), 2);
    assert_eq!(run("jsonl: a.jsonl, nan: drop", GO_ON, 0).results("read"), expected);
    // Templates and conditions see the same.
    let workflow = "jsonl: a.jsonl, nan: drop";
    let echo =
        reads(workflow, GO_ON).replace("{type: python, code: return item}", "{type: echo, message: '{{ item }}'}");
    let sandbox = Sandbox::with(&echo);
    run_python(&sandbox, &["-c", write]);
    sandbox.run(&["--progress", "none"]).exits_with(0);
    assert_eq!(sandbox.results("read"), expected);
    sandbox.batchmill(&["plan", "workflow.yaml"]).exits_with(0);
    let frames = "batch_size: 10\n      batched: true\n      batch_format: pandas";
    assert_eq!(run(workflow, frames, 0).results("read").len(), 3);
}

#[test]
fn a_wrong_value_of_nan_says_what_to_write() {
    let refused = |items: &str, says: &[&str]| {
        Sandbox::with(&reads(items, "")).file("a.csv", "n\n1\n").run(&[]).exits_with(2).says(says);
    };
    refused("csv: a.csv, nan: zero", &["unknown value `zero` for `nan`", "workflow.yaml:5:"]);
    refused("jsonl: a.csv, nan: keep", &["`nan` cannot be `keep` with JSON Lines", "use `drop`"]);
    refused("parquet: a.csv, nan: keep", &["`nan` cannot be used with Parquet"]);
}
